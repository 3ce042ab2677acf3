"""A model with its topics, traffic in which one feature drifts, and the alerts that come of it."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from schemas.alerts import Alert
from schemas.config import Config
from tests.integration.broker import Kafka, Received, Sent
from tests.integration.worker import Worker

#: Rows from which the reference is learnt.
LEARN = 2_000
PARTITIONS = 2


class LiveWorld:
    """One model, `fraud`, on topics of its own."""

    def __init__(self, kafka: Kafka, directory: Path) -> None:
        self.kafka = kafka
        self.features = kafka.topic("features", partitions=PARTITIONS)
        self._directory = directory

    def config(self, name: str = "app", **more: Any) -> Path:
        """Write the configuration of another application that reads the same topic; return the file."""
        application = self.kafka.unique(name)
        whole = {
            "version": 1,
            "application": application,
            "kafka": {"bootstrap_servers": self.kafka.bootstrap},
            "alerts": {"topic": f"{application}.alerts"},
            "dead_letters": {"topic": f"{application}.dead-letters"},
            "engine": {"checkpoint_every": "1s"},
            "models": [
                {
                    "name": "fraud",
                    "references": {"default": {"learn": LEARN}},
                    "monitors": [{"subjects": ["*"], "evidence": []}],
                    "sources": {"features": {"topic": self.features, "fields": {"id": "id", "time": "ts", "features": "x"}}},
                }
            ],
        }
        path = self._directory / f"{application}.json"
        path.write_text(json.dumps(whole | more))
        return path

    def publish(self, n: int, *, drift_at: int, first: int = 0, per_second: float | None = None) -> None:
        """Publish n events; without a rate, at once, stamped a millisecond apart until now."""
        start = int(time.time() * 1000) - (0 if per_second else n)
        events = enumerate(_events(first, n, drift_at))
        if per_second is None:
            self.kafka.produce(self.features, (_sent(i, event, start + i) for i, event in events))
            return
        began = time.monotonic()
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap, "linger.ms": 5})
        for i, event in events:
            sent = _sent(i, event, int(time.time() * 1000))
            producer.produce(self.features, sent.value, partition=sent.partition, timestamp=sent.timestamp)
            if i % 50 == 0:
                producer.poll(0)
                time.sleep(max(0.0, began + (i - first) / per_second - time.monotonic()))
        assert not producer.flush(30)

    def publishing(self, n: int, *, drift_at: int, per_second: float) -> threading.Thread:
        """Publish in the background."""
        thread = threading.Thread(target=self.publish, args=(n,), kwargs={"drift_at": drift_at, "per_second": per_second}, daemon=True)
        thread.start()
        return thread

    def alerts(self, config: Path, *, until: str = "feature_drift", timeout: float = 60) -> list[Alert]:
        """Wait for an alert of a kind; return all that are there."""
        found = self.kafka.wait_for(_named(config).alerts.topic, lambda r: any(a.data.kind == until for a in alerts_in(r)), timeout=timeout)
        return alerts_in(found)

    def alerts_now(self, config: Path) -> list[Alert]:
        """Return the alerts that are there now."""
        return alerts_in(self.kafka.read_all(_named(config).alerts.topic))

    def wait_until_read(self, config: Path, *workers: Worker, timeout: float = 60) -> None:
        """Wait until these workers' engines have applied every record published so far."""
        wait_until_read(self.kafka, [self.features], workers, timeout=timeout)


def wait_until_read(kafka: Kafka, topics: Iterable[str], workers: Sequence[Worker], *, timeout: float = 60) -> None:
    """Wait until the engines of workers have applied every record that topics hold now; none of them may be unusable."""
    deadline = time.monotonic() + timeout
    expected = sum(end for topic in topics for end in kafka.end_offsets(topic).values())
    while True:
        metrics = "\n".join(worker.get("/metrics")[1] for worker in workers)
        rows, held = metric(metrics, "events_total"), metric(metrics, "events_held")
        if rows == expected and not held:
            return
        assert time.monotonic() < deadline, f"{rows:.0f} of {expected} rows applied, {held:.0f} held, after {timeout} s"
        time.sleep(0.2)


def metric(text: str, name: str) -> float:
    """Sum of all series of a metric."""
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith((f"driftsonde_{name}{{", f"driftsonde_{name} ")))


def _events(first: int, n: int, drift_at: int) -> Iterator[dict[str, Any]]:
    dice = random.Random(7)
    for i in range(first, first + n):
        x = {f"f{j}": round(dice.gauss(1.5 if j == 0 and i >= drift_at else 0.0, 1.0), 4) for j in range(5)}
        yield {"id": f"e{i}", "x": x}


def _sent(i: int, event: dict[str, Any], stamp: int) -> Sent:
    return Sent(json.dumps(event | {"ts": stamp}).encode(), partition=i % PARTITIONS, timestamp=stamp)


def _named(config: Path) -> Config:
    return Config.model_validate(json.loads(config.read_text()))


def alerts_in(records: list[Received]) -> list[Alert]:
    """Read alert events, in the order of the records."""
    return [Alert.from_json(record.value) for record in records if record.value is not None]
