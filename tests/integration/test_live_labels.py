"""Labels through the live worker on a real Kafka: what it says of the model is what a backtest of the same topics says."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from streams.replay.runner import ReplayResult
from tests.integration.broker import Kafka
from tests.integration.labels_world import LabelsWorld, by_stream
from tests.integration.live_world import metric, wait_until_read
from tests.integration.worker import Worker, Workers

pytestmark = pytest.mark.kafka


def said_of_the_loss(result: ReplayResult) -> list[tuple[str, bool | None]]:
    """State, and whether provisional, of each event about the model's loss."""
    return [(a.data.state, a.data.provisional) for a in result.alerts if a.data.kind == "concept_drift" and a.data.subject == "loss"]


def counted(worker: Worker) -> dict[str, int]:
    """What the worker counts of labels and predictions."""
    lines = [line for line in worker.get("/metrics")[1].splitlines() if line.startswith("driftsonde_labels_total{")]
    return {line.split('outcome="')[1].split('"')[0]: int(float(line.split()[-1])) for line in lines}


def publish_until_saved(world: LabelsWorld, worker: Worker, share: float, *, pending: int, timeout: float = 60) -> float:
    """Publish on from `share`, until a checkpoint has so many predictions that wait; return the share that is published then.

    In small steps without a pause: were a source at its end for the grace, rows of minutes would be released past it in an instant.
    """
    deadline, reached = time.monotonic() + timeout, float("inf")
    while True:
        metrics = worker.get("/metrics")[1]
        if "driftsonde_labels_pending{" in metrics and metric(metrics, "labels_pending") >= pending:
            reached = min(reached, time.time())
            if metric(metrics, "state_snapshot_timestamp_seconds") > reached:
                return share
        assert time.monotonic() < deadline, f"no such checkpoint within {timeout} s:\n{worker.log_tail()}"
        world.publish(share, share + STEP)
        share += STEP
        time.sleep(0.1)


def test_alerts_on_labels_are_those_of_a_backtest(kafka: Kafka, tmp_path: Path, workers: Workers) -> None:
    world = LabelsWorld(kafka, tmp_path, rows=5_000, change_at=3_000)
    config = world.config()
    worker = workers(config)
    for tenth in range(10):  # as they happened: labels of the first predictions come before the last predictions do
        world.publish(tenth / 10, (tenth + 1) / 10)
        time.sleep(0.2)
    wait_until_read(kafka, world.topics.values(), [worker])
    counts = counted(worker)
    assert metric(worker.get("/metrics")[1], "events_late_total") == metric(worker.get("/metrics")[1], "events_forced_total") == 0
    assert worker.terminate() == 0

    expected = world.backtest(config)
    assert world.told(config) == by_stream(list(expected.alerts))
    (stats,) = expected.stats.models
    assert counts == stats.labels
    assert said_of_the_loss(expected)[:2] == [("firing", True), ("updated", False)]
    assert {"joined", "dup_label", "correction", "unmatched_label"} <= set(counts)
    assert {row.series for row in stats.performance} == {"age 75s", "age 5m", "matured", "amended"}


class Waiting(NamedTuple):
    """A world, the share of its records that is published at once, and how many predictions wait at the worker's last checkpoint."""

    world: dict[str, Any]
    begin: float
    pending: int


#: Share of the records that is published in one step.
STEP = 0.001
#: Killed between the first suspicion and its confirmation; and with one great cohort, of which a full chunk lies in sealed parts of the
#: checkpoint and in a file.
WAITING = {
    "in many cohorts": Waiting({"rows": 5_000, "change_at": 3_000}, begin=0.65, pending=800),
    "in sealed parts and files": Waiting(
        {"rows": 76_000, "change_at": 45_000, "every_ms": 47, "rules": {"cohort": "1h", "learn": 5_000}}, begin=0.88, pending=65_537
    ),
}


@pytest.mark.parametrize("how", WAITING)
def test_a_worker_killed_while_predictions_wait_forgets_none(kafka: Kafka, tmp_path: Path, workers: Workers, how: str) -> None:
    rules, begin, waiting = WAITING[how]
    world = LabelsWorld(kafka, tmp_path, **rules)
    config = world.config(pending_in_memory=1_000, pending_directory=str(tmp_path / "pending"))
    killed = workers(config)
    world.publish(0, begin)
    share = publish_until_saved(world, killed, begin, pending=waiting)
    world.publish(share, share + 0.02)  # these it may have read, or not
    killed.kill()
    world.publish(share + 0.02, 1)
    last = workers(config)
    wait_until_read(kafka, world.topics.values(), [last])
    counts = counted(last)
    assert last.terminate() == 0

    expected = world.backtest(config)
    assert world.told(config) == by_stream(list(expected.alerts))
    (stats,) = expected.stats.models
    assert counts == stats.labels
    assert said_of_the_loss(expected)[:2] == [("firing", True), ("updated", False)]
