"""A range of topics of a real Kafka, through the engine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner, Result

from schemas.alerts import Alert
from schemas.config import Config
from schemas.errors import BrokerError
from schemas.events import Block, End
from streams.cli.app import app
from streams.engine import Engine
from streams.replay import kafka_range
from streams.replay.kafka_range import KafkaRange
from streams.replay.runner import ReplayResult, replay, unhurried
from tests.integration.broker import Kafka, Sent

pytestmark = pytest.mark.kafka

START = 1_767_571_200_000  # 2026-01-05T00:00:00Z
ROWS = 3_000
DRIFT_AT = 2_000


def values(*, shift: float = 0.0) -> Iterator[tuple[int, float]]:
    for i in range(ROWS):
        yield i, (i * 37 % 101) / 10 + (shift if i >= DRIFT_AT else 0)


def produce(kafka: Kafka, topic: str, *, partitions: int, shift: float = 0.0, first: int = 0, rows: int = ROWS) -> None:
    """Rows one second apart, taking turns among the partitions."""
    sent = []
    for i, value in list(values(shift=shift))[first : first + rows]:
        record = {"id": i, "ts": START + 1000 * i, "x": {"a": value}, "label": "ok"}
        sent.append(Sent(json.dumps(record).encode(), partition=i % partitions, timestamp=START + 1000 * i))
    kafka.produce(topic, sent)


def config_of(kafka: Kafka, features: str, predictions: str | None = None) -> Config:
    fields = {"id": "id", "time": "ts"}
    sources = {"features": {"topic": features, "fields": {**fields, "features": "x"}}}
    if predictions:
        sources["predictions"] = {"topic": predictions, "fields": {**fields, "prediction": "label"}}
    model = {"name": "fraud", "owner": "ml", "runbook": "r", "references": {"default": {"learn": 1000}}, "sources": sources}
    model["monitors"] = [{"subjects": ["*"], "detectors": ["page_hinkley"], "evidence": []}]
    application = kafka.unique("backtest")
    given = {"kafka": {"bootstrap_servers": kafka.bootstrap}, "alerts": {"topic": f"{application}.alerts"}}
    return Config.model_validate({"version": 1, "application": application, "models": [model], **given})


def backtest(config: Config, **bounds: int) -> ReplayResult:
    return replay(Engine(unhurried(config), {}), KafkaRange(config, **bounds))


def drifts(result: ReplayResult) -> list[Alert]:
    return [alert for alert in result.alerts if alert.data.kind != "monitoring"]


def test_a_drift_is_found_whatever_the_pace_of_reading(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    features, predictions = kafka.topic("features", partitions=3), kafka.topic("predictions", partitions=2)
    produce(kafka, features, partitions=3, shift=5.0)
    produce(kafka, predictions, partitions=2)
    config = config_of(kafka, features, predictions)
    result = backtest(config)
    (drift,) = drifts(result)
    assert (drift.data.subject, drift.data.kind, drift.data.position.topic) == ("a", "feature_drift", features)
    monkeypatch.setattr(kafka_range, "BATCH", 70)
    monkeypatch.setattr(kafka_range, "MOST_HELD", 50)
    slow = backtest(config)
    assert [alert.to_json() for alert in slow.alerts] == [alert.to_json() for alert in result.alerts]
    for stats in (*result.stats.models, *slow.stats.models):
        assert (stats.late, stats.forced, stats.gaps, stats.duplicates) == (0, 0, 0, 0)
        assert stats.rows == {"features": ROWS, "predictions": ROWS}


def test_a_partition_that_is_far_ahead_waits_for_the_others(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_range, "BATCH", 100)
    monkeypatch.setattr(kafka_range, "MOST_HELD", 300)
    topic = kafka.topic("features", partitions=2)
    produce(kafka, topic, partitions=1, rows=2_900)
    late = [
        Sent(json.dumps({"id": f"late{i}", "ts": START + 2_950_000 + i, "x": {"a": 1.0}}).encode(), None, 1, START + 2_950_000 + i)
        for i in range(2_000)
    ]
    kafka.produce(topic, late)
    most = held = 0
    clocks = {0: 0, 1: 0}
    for read in KafkaRange(config_of(kafka, topic)).read():
        for message in read.messages:
            if isinstance(message, Block):
                clocks[message.source.partition] = int(message.stamps.max())
                held += len(message) if message.source.partition == 1 else 0
            elif isinstance(message, End) and message.source.partition == 0:
                held = -10_000
        most = max(most, held)
    assert 0 < most <= 300 + 2 * 100


def test_since_and_until_are_record_timestamps(kafka: Kafka) -> None:
    topic = kafka.topic("features", partitions=3)
    produce(kafka, topic, partitions=3)
    source = KafkaRange(config_of(kafka, topic), since_ms=START + 1_000_000, until_ms=START + 2_000_000)
    blocks = [m for read in source.read() for m in read.messages if isinstance(m, Block)]
    assert source.size == sum(map(len, blocks)) == 1000
    assert min(int(b.stamps.min()) for b in blocks) == START + 1_000_000
    assert max(int(b.stamps.max()) for b in blocks) == START + 1_999_000


def test_the_range_ends_where_the_topic_ended_when_it_was_opened(kafka: Kafka) -> None:
    topic = kafka.topic("features")
    produce(kafka, topic, partitions=1, rows=100)
    source = KafkaRange(config_of(kafka, topic))
    produce(kafka, topic, partitions=1, first=100, rows=50)
    assert sum(read.records for read in source.read()) == 100
    assert sum(read.records for read in source.read()) == 100


def test_what_is_not_committed_is_not_read_and_is_no_gap(kafka: Kafka) -> None:
    topic = kafka.topic("features")
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": kafka.unique("tx")})
    producer.init_transactions(30)
    for number, keep in enumerate([True, False, True]):
        producer.begin_transaction()
        for i in range(number * 100, number * 100 + 100):
            producer.produce(topic, json.dumps({"id": i, "ts": START + i, "x": {"a": 1.0}}), timestamp=START + i)
        producer.commit_transaction(30) if keep else producer.abort_transaction(30)
    stats = backtest(config_of(kafka, topic)).stats.models[0]
    assert (stats.rows, stats.gaps) == ({"features": 200}, 0)


def test_records_deleted_by_retention_are_told(kafka: Kafka) -> None:
    topic = kafka.topic("features")
    produce(kafka, topic, partitions=1)
    config = config_of(kafka, topic)
    opened_before = KafkaRange(config)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.delete_records([TopicPartition(topic, 0, 1_000)])[TopicPartition(topic, 0)].result(30)
    result = backtest(config, since_ms=START)
    assert result.tally.notes == [
        f"{topic}/0: begins at offset 1000, 2026-01-05T00:16:40.000Z; what was before it has been deleted by retention"
    ]
    assert result.tally.records == ROWS - 1_000
    while_reading = replay(Engine(unhurried(config), {}), opened_before)
    assert while_reading.tally.notes == [f"{topic}/0: offsets 0 to 999 were deleted while they were to be read"]
    assert while_reading.tally.records == ROWS - 1_000


def test_bad_records_are_told_by_their_place(kafka: Kafka) -> None:
    topic = kafka.topic("features")
    kafka.produce(topic, [Sent(b"{", timestamp=START), Sent(None, timestamp=START)])
    tally = backtest(config_of(kafka, topic)).tally
    assert tally.dead_letters == {"undecodable": 2}
    assert tally.examples["undecodable"].startswith(f"{topic}/0/0: ")


def test_a_missing_topic_is_told(kafka: Kafka) -> None:
    with pytest.raises(BrokerError, match="topic 'no-such-topic' does not exist"):
        KafkaRange(config_of(kafka, "no-such-topic"))


@pytest.fixture
def project(kafka: Kafka, tmp_path: Path) -> Path:
    """A configuration on topics of its own; half of the features drift."""
    features = kafka.topic("features", partitions=2)
    produce(kafka, features, partitions=2, shift=5.0)
    config = config_of(kafka, features)
    path = tmp_path / "driftsonde.json"
    path.write_text(config.model_dump_json(exclude_defaults=True))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_the_alert_topic_is_listed(kafka: Kafka, project: Path) -> None:
    told = run("backtest", "-c", project, "--json")
    assert told.exit_code == 0, told.stderr
    config = Config.model_validate_json(project.read_bytes())
    kafka.create_topics(config.alerts.topic, partitions=1)
    lines = told.stdout_bytes.splitlines()
    kafka.produce(config.alerts.topic, lines)
    assert run("alerts", "list", "-c", project, "--json").stdout_bytes.splitlines() == lines
    assert run("alerts", "list", "-c", project, "--json", "--model", "other").stdout == ""
    shown = run("alerts", "list", "-c", project).stdout.splitlines()
    assert len(shown) == len(lines) > 1
    assert any("FIRING" in line and "feature_drift" in line for line in shown)


def test_the_alert_topic_is_followed_until_interrupted(kafka: Kafka, project: Path) -> None:
    line = run("backtest", "-c", project, "--json").stdout_bytes.splitlines()[0]
    topic = Config.model_validate_json(project.read_bytes()).alerts.topic
    kafka.create_topics(topic, partitions=1)
    kafka.produce(topic, [line])
    command = [sys.executable, "-m", "streams.cli", "alerts", "tail", "-c", str(project), "--since", "1h", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as following:
        try:
            assert following.stdout is not None
            assert following.stdout.readline() == line + b"\n"
            kafka.produce(topic, [line])
            assert following.stdout.readline() == line + b"\n"
            following.send_signal(signal.SIGINT)
            assert following.wait(30) == 130
        finally:
            following.kill()
        assert following.stderr is not None
        assert following.stderr.read() == b""


def test_a_reference_is_built_from_a_range_of_topics(project: Path) -> None:
    out = project.parent / "reference.json"
    result = run("reference", "build", "-c", project, "--until", START / 1000 + 1500, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert "fraud unversioned: 1500 rows from 2026-01-05T00:00:00.000Z to 2026-01-05T00:24:59.000Z" in result.stdout


def test_check_looks_at_the_brokers_and_at_records(kafka: Kafka, project: Path) -> None:
    result = run("check", "-c", project, "--connect")
    assert result.exit_code == 0, result.stderr
    assert "5 of 5 records decode" in result.stdout
    topic = Config.model_validate_json(project.read_bytes()).models[0].sources.features.topic
    kafka.produce(topic, [Sent(b'{"x": {"a": 1}}', partition=0)])
    result = run("check", "-c", project, "--connect")
    assert result.exit_code == 4
    assert f"{topic}/0/{ROWS // 2}: missing_id" in result.stderr
