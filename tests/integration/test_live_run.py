"""The live worker on a real Kafka: what it writes, what it shows, and how it ends."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions

from schemas.config import Config
from tests.integration.broker import Kafka, Sent
from tests.integration.live_world import LEARN, LiveWorld, metric
from tests.integration.worker import Workers

pytestmark = pytest.mark.kafka


@pytest.fixture
def world(kafka: Kafka, tmp_path: Path) -> LiveWorld:
    return LiveWorld(kafka, tmp_path)


def test_a_drift_is_alerted_and_nothing_else_and_sigterm_ends_in_order(world: LiveWorld, workers: Workers) -> None:
    world.publish(8_000, drift_at=5_000)
    config = world.config()
    worker = workers(config)
    world.alerts(config)
    world.wait_until_read(config, worker)
    _, metrics = worker.get("/metrics")
    assert worker.get("/healthz")[0] == 200
    assert "fraud" in worker.get("/")[1]
    assert worker.terminate() == 0

    alerts = world.alerts_now(config)
    drifted = [a for a in alerts if a.data.kind == "feature_drift"]
    assert {(a.data.subject, a.data.state) for a in drifted} >= {("f0", "firing")}
    assert {a.data.subject for a in drifted} == {"f0"}
    assert [a.data.sequence for a in drifted] == list(range(1, len(drifted) + 1))

    assert metric(metrics, "events_total") == 8_000
    assert metric(metrics, "events_unmonitored_total") == LEARN
    assert metric(metrics, "events_late_total") == metric(metrics, "gaps_total") == 0
    assert metric(metrics, "alerts_sent_total") == len(alerts)


def test_a_worker_started_again_goes_on_where_the_last_one_ended(world: LiveWorld, workers: Workers) -> None:
    config = world.config()
    world.publish(3_000, drift_at=10**9)
    first = workers(config)
    world.wait_until_read(config, first)
    assert first.terminate() == 0
    world.publish(5_000, first=3_000, drift_at=5_000)
    second = workers(config)
    world.alerts(config)
    world.wait_until_read(config, second)
    _, metrics = second.get("/metrics")
    assert metric(metrics, "records_consumed_total") == 5_000
    assert metric(metrics, "events_total") == 8_000  # the engine's counters are part of its state
    assert metric(metrics, "gaps_total") == metric(metrics, "events_duplicate_total") == 0


def test_records_that_cannot_be_used_become_dead_letters_and_the_stream_goes_on(world: LiveWorld, workers: Workers) -> None:
    config = world.config()
    good = json.dumps({"id": "g", "ts": 1_767_608_591_000, "x": {"f0": 1.0}}).encode()
    hostile = [b"{", b"\xff\xfe", b"[1]", b'{"x": {}}', None, b'{"id": "a", "ts": "never", "x": {}}', b"[" * 100_000, bytes(1_000)]
    world.kafka.produce(world.features, [Sent(value) for value in [good, *hostile, good]])
    worker = workers(config)
    dead = Config.model_validate(json.loads(config.read_text())).dead_letters.topic
    letters = world.kafka.wait_for(dead, lambda found: len(found) >= len(hostile))
    reasons = Counter(letter.headers["reason"].decode() for letter in letters)
    assert reasons == {"undecodable": 5, "not_an_object": 1, "missing_id": 1, "bad_time": 1}
    assert {letter.value for letter in letters} == set(hostile)
    assert all(letter.key == b"/".join(letter.headers[name] for name in ("topic", "partition", "offset")) for letter in letters)
    assert worker.get("/healthz")[0] == 200


def test_a_damaged_journal_record_is_a_dead_letter_and_the_engine_goes_on(world: LiveWorld, workers: Workers) -> None:
    config = world.config()
    application = Config.model_validate(json.loads(config.read_text()))
    worker = workers(config)
    for partition in range(application.journal.partitions):
        world.kafka.produce(application.journal_topic, [Sent(b"nonsense", partition=partition), Sent(None, partition=partition)])
    letters = world.kafka.wait_for(application.dead_letters.topic, lambda found: len(found) >= 2 * application.journal.partitions)
    assert {letter.headers["topic"].decode() for letter in letters} == {application.journal_topic}
    world.publish(8_000, drift_at=5_000)
    world.alerts(config)
    assert worker.running


def test_transactions_leave_no_gap_and_hold_nothing_back(world: LiveWorld, workers: Workers) -> None:
    config = world.config()
    producer = Producer({"bootstrap.servers": world.kafka.bootstrap, "transactional.id": world.kafka.unique("tx")})
    producer.init_transactions()
    sent = 0
    for transaction in range(6):
        producer.begin_transaction()
        for i in range(20):
            value = json.dumps({"id": f"{transaction}-{i}", "ts": 1_767_608_591_000, "x": {"f0": 1.0}})
            producer.produce(world.features, value, partition=i % 2)
        if transaction % 2:
            producer.abort_transaction()
        else:
            producer.commit_transaction()
            sent += 20
    worker = workers(config)
    for _ in range(300):
        _, metrics = worker.get("/metrics")
        if metric(metrics, "events_total") == sent:
            break
        time.sleep(0.2)
    assert metric(metrics, "events_total") == sent  # released, though markers are the last that the logs hold
    assert metric(metrics, "gaps_total") == metric(metrics, "events_held") == 0
    assert metric(metrics, "rereads_total") == 0


def test_new_partitions_of_a_topic_are_read(world: LiveWorld, workers: Workers) -> None:
    config = world.config()
    world.publish(3_000, drift_at=10**9)
    worker = workers(config)
    world.wait_until_read(config, worker)
    admin = AdminClient({"bootstrap.servers": world.kafka.bootstrap})
    admin.create_partitions([NewPartitions(world.features, 3)])[world.features].result(30)
    value = json.dumps({"id": "new", "ts": 1_767_608_591_000, "x": {"f0": 1.0}}).encode()
    world.kafka.produce(world.features, [Sent(value, partition=2)])
    world.wait_until_read(config, worker, timeout=120)
    assert metric(worker.get("/metrics")[1], "assigned_partitions") == 3 + 4
