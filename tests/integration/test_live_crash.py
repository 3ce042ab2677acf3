"""Killed, frozen, joined and left by others: the alert topic ends as that of a worker nobody disturbed.

Each test runs two applications over the same topic: one is left in peace. The id of an alert is a function of the data alone, so the
ids must be the same.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.integration.broker import Kafka
from tests.integration.live_world import PARTITIONS, LiveWorld, metric
from tests.integration.worker import Worker, Workers

pytestmark = pytest.mark.kafka

EVENTS, PER_SECOND = 10_000, 400
#: Journal partitions, by default.
JOURNAL = 4


@pytest.fixture
def world(kafka: Kafka, tmp_path: Path) -> LiveWorld:
    return LiveWorld(kafka, tmp_path)


@pytest.fixture
def left_in_peace(world: LiveWorld, workers: Workers) -> Path:
    config = world.config("peace")
    workers(config, "--instance", "peace")
    return config


def ids(world: LiveWorld, config: Path) -> list[str]:
    return [alert.id for alert in world.alerts_now(config)]


def test_a_worker_killed_again_and_again_repeats_and_forgets_nothing(world: LiveWorld, workers: Workers, left_in_peace: Path) -> None:
    static = {"bootstrap_servers": world.kafka.bootstrap, "static_membership": True}
    config = world.config("killed", kafka=static)
    traffic = world.publishing(EVENTS, drift_at=6_000, per_second=PER_SECOND)
    for _ in range(3):
        worker = workers(config)
        time.sleep(1.5)  # anywhere within a checkpoint: the point is that it does not matter where
        worker.kill()
    traffic.join()
    last = workers(config)
    world.alerts(config)
    world.alerts(left_in_peace)
    world.wait_until_read(config, last)
    assert metric(last.get("/metrics")[1], "gaps_total") == 0
    found, expected = ids(world, config), ids(world, left_in_peace)
    assert sorted(found) == sorted(expected)
    assert len(expected) >= 3


def test_two_workers_share_and_one_leaves_and_one_dies(world: LiveWorld, workers: Workers, left_in_peace: Path) -> None:
    config = world.config("shared")
    first = workers(config, "--instance", "first")
    traffic = world.publishing(EVENTS, drift_at=6_000, per_second=PER_SECOND)
    second = workers(config, "--instance", "second")
    wait_for_partitions(first, second)
    assert first.terminate() == 0
    third = workers(config, "--instance", "third")
    wait_for_partitions(second, third)
    second.kill()
    traffic.join()
    world.alerts(config)
    world.alerts(left_in_peace)
    world.wait_until_read(config, third)
    assert sorted(ids(world, config)) == sorted(ids(world, left_in_peace))


def test_a_worker_that_was_frozen_wakes_up_to_find_that_others_have_gone_on(
    world: LiveWorld, workers: Workers, left_in_peace: Path
) -> None:
    config = world.config("frozen")
    frozen, other = workers(config, "--instance", "frozen"), workers(config, "--instance", "other")
    wait_for_partitions(frozen, other)
    traffic = world.publishing(EVENTS, drift_at=6_000, per_second=PER_SECOND)
    time.sleep(3)
    frozen.pause()
    wait_for_partitions(other, at_least=PARTITIONS + JOURNAL)  # the group has given up on the frozen one
    frozen.resume()
    traffic.join()
    world.alerts(config)
    wait_for_partitions(frozen, other)
    world.alerts(left_in_peace)
    world.wait_until_read(config, frozen, other)
    found = ids(world, config)
    assert set(found) == set(ids(world, left_in_peace))


def wait_for_partitions(*workers: Worker, at_least: int = 1, timeout: float = 90) -> None:
    """Wait until each of these workers has so many partitions."""
    deadline = time.monotonic() + timeout
    while not all(metric(worker.get("/metrics")[1], "assigned_partitions") >= at_least for worker in workers):
        assert time.monotonic() < deadline, "a worker has too few partitions: " + "\n".join(worker.log_tail() for worker in workers)
        time.sleep(0.2)
