"""A binary model whose labels come late, early, again, corrected or never, and which gets worse; its clock is that of the data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from confluent_kafka import Producer

from schemas.alerts import Alert
from schemas.config import Config
from schemas.events import Role
from streams.engine import Engine
from streams.replay.kafka_range import KafkaRange
from streams.replay.runner import ReplayResult, replay, unhurried
from tests.integration.broker import Kafka
from tests.integration.live_world import alerts_in

START = 1_767_571_200_000  # 2026-01-05T00:00:00Z
SECOND, MINUTE = 1_000, 60_000
HORIZON = 10 * MINUTE
#: Label topics have another number of partitions than the others: nothing may depend on which meets which.
PARTITIONS: dict[Role, int] = {"features": 2, "predictions": 2, "labels": 3}


class Record(NamedTuple):
    """One record of one of the topics."""

    stamp: int
    role: Role
    number: int
    value: dict[str, Any]


class LabelsWorld:
    """Predictions at a fixed pace, of which one in twenty is wrong until `change_at`, and more than a third from then on.

    Parameters
    ----------
    kafka : Kafka
        Where its topics are.
    directory : Path
        For configuration files.
    rows, change_at : int
        Predictions, and the first that the model is worse at.
    every_ms : int
        From one prediction to the next.
    rules : mapping, optional
        More of the configuration of labels.
    """

    def __init__(
        self, kafka: Kafka, directory: Path, *, rows: int, change_at: int, every_ms: int = SECOND, rules: Mapping[str, Any] | None = None
    ) -> None:
        self._kafka, self._directory, self._rules = kafka, directory, dict(rules or {})
        kept = {"retention.ms": "-1"}  # the clock of the data stands in the past
        self.topics: dict[Role, str] = {role: kafka.topic(role, partitions=n, config=kept) for role, n in PARTITIONS.items()}
        self.records = sorted(_records(rows, change_at, every_ms), key=lambda record: record.stamp)

    def config(self, **engine: Any) -> Path:
        """Write the configuration of another application that reads these topics; return the file."""
        application = self._kafka.unique("labels")
        fields = {"id": "id", "time": "ts"}
        sources: dict[Role, dict[str, Any]] = {
            "features": {"fields": {**fields, "features": "x"}},
            "predictions": {"fields": {**fields, "prediction": "y", "score": "p"}},
            "labels": {"fields": {**fields, "label": "y", "revision": "rev"}, "horizon": f"{HORIZON}ms", "learn": 500, **self._rules},
        }
        model = {
            "name": "fraud",
            "task": "binary",
            "references": {"default": {"learn": 500}},
            "sources": {role: {"topic": self.topics[role], **source} for role, source in sources.items()},
        }
        whole = {
            "version": 1,
            "application": application,
            "kafka": {"bootstrap_servers": self._kafka.bootstrap},
            "journal": {"partitions": 1},
            "alerts": {"topic": f"{application}.alerts"},
            "dead_letters": {"topic": f"{application}.dead-letters"},
            "engine": {"checkpoint_every": "1s", "grace": "5s", **engine},
            "models": [model],
        }
        path = self._directory / f"{application}.json"
        path.write_text(json.dumps(whole))
        return path

    def publish(self, begin: float = 0.0, end: float = 1.0) -> None:
        """Publish a share of the records, in the order of their timestamps."""
        producer = Producer({"bootstrap.servers": self._kafka.bootstrap, "enable.idempotence": True, "linger.ms": 5})
        for record in self.records[round(begin * len(self.records)) : round(end * len(self.records))]:
            partition = record.number % PARTITIONS[record.role]
            while True:
                try:
                    producer.produce(self.topics[record.role], json.dumps(record.value), partition=partition, timestamp=record.stamp)
                    break
                except BufferError:
                    producer.poll(0.05)
        assert not producer.flush(60)

    def told(self, config: Path) -> dict[str, list[bytes]]:
        """The alert events in the application's topic, in its order, by their stream."""
        topic = _read(config).alerts.topic
        return by_stream(alerts_in(self._kafka.read_all(topic)))

    def backtest(self, config: Path) -> ReplayResult:
        """What a backtest says of these topics."""
        given = _read(config)
        return replay(Engine(unhurried(given), {}), KafkaRange(given))


def by_stream(alerts: list[Alert]) -> dict[str, list[bytes]]:
    """Group alert events as JSON, in their order."""
    found: dict[str, list[bytes]] = {}
    for alert in alerts:
        found.setdefault(alert.data.stream, []).append(alert.to_json())
    return found


def _read(config: Path) -> Config:
    return Config.model_validate_json(config.read_bytes())


def _records(rows: int, change_at: int, every_ms: int) -> Iterator[Record]:
    dice = np.random.default_rng(5)
    positive = dice.random(rows) < 0.3
    wrong = dice.random(rows) < np.where(np.arange(rows) < change_at, 0.05, 0.35)
    said = positive ^ wrong
    delays = (SECOND + dice.exponential(MINUTE, rows)).astype(int)
    for i in range(rows):
        t = START + i * every_ms
        yield Record(t, "features", i, {"id": f"e{i}", "ts": t, "x": {"a": round(float(dice.normal()), 4)}})
        yield Record(t + 200, "predictions", i, {"id": f"e{i}", "ts": t, "y": int(said[i]), "p": round(0.1 + 0.8 * float(said[i]), 4)})
        for revision, (after, value) in enumerate(_labels(i, int(positive[i]), int(delays[i])), start=1):
            yield Record(t + after, "labels", i, {"id": f"e{i}", "ts": t, "y": value, "rev": revision})


def _labels(i: int, actual: int, delay: int) -> list[tuple[int, int]]:
    """(how long after the prediction, value) of each label; most come once, in an order that is not that of the predictions."""
    match i % 100:
        case 1 | 2:
            return [(-5 * SECOND, actual)]  # before its prediction
        case 3 | 4:
            return [(delay, actual), (delay + 20 * SECOND, actual)]  # twice
        case 5 | 6:
            return [(delay, 1 - actual), (delay + MINUTE, actual)]  # corrected in time, as a rule
        case 7:
            return [(delay, 1 - actual), (HORIZON + 2 * MINUTE, actual)]  # corrected after maturity
        case 8:
            return [(HORIZON + 2 * MINUTE, actual)]  # late: it counts in the amended figures
        case 9:
            return [(3 * HORIZON, actual)]  # too late
        case 10 | 11:
            return []
        case _:
            return [(delay, actual)]
