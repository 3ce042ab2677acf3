"""How long after the last record it needs an alert can be read, while 10 000 events a second arrive."""

from __future__ import annotations

import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from schemas.alerts import Alert
from tests.bench.traffic import FEATURES, Topics
from tests.bench.worker import live_worker

#: Events before the first shift: each of the two models learns its reference from 10 000 rows.
QUIET = 60_000
_STEP_S = 0.01


class Latency(NamedTuple):
    """From the moment the deciding record was handed to the producer to the moment the alert was read, in ms."""

    alerts: int
    p50: float
    p95: float
    worst: float


def measure(bootstrap: str, directory: Path, *, rate: int, seconds_between_shifts: float) -> Latency:
    """Shift one feature after the other; every shift is a drift of two models.

    Parameters
    ----------
    rate : int
        Events a second.
    seconds_between_shifts : float
        How long until the next feature moves.
    """
    topics = Topics(bootstrap, "latency", linger_ms=5)
    with live_worker(bootstrap, topics, directory) as worker, closing(_reader(bootstrap)) as reader:
        reader.assign([TopicPartition(worker.alerts_topic, 0, OFFSET_BEGINNING)])
        read: list[tuple[float, Alert]] = []
        shifts = [QUIET + int(i * seconds_between_shifts * rate) for i in range(len(FEATURES))]
        total = shifts[-1] + int(5 * seconds_between_shifts * rate)
        start = time.monotonic()
        while topics.written < total:
            shifted = [name for name, at in zip(FEATURES, shifts, strict=True) if topics.written >= at]
            due = int((time.monotonic() - start) * rate)
            topics.write(max(0, min(due, total) - topics.written), shifted=shifted)
            read += _firing(reader, _STEP_S)
        topics.flush()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            read += _firing(reader, 0.1)
    with closing(_reader(bootstrap)) as reader:
        latencies = sorted(at * 1000 - _timestamp(reader, alert) for at, alert in read)
    if len(latencies) < 20:
        raise RuntimeError(f"only {len(latencies)} alerts; expected {2 * len(FEATURES)}")
    p95 = statistics.quantiles(latencies, n=20)[-1]
    return Latency(len(latencies), statistics.median(latencies), p95, latencies[-1])


def _reader(bootstrap: str) -> Consumer:
    return Consumer({"bootstrap.servers": bootstrap, "group.id": "latency-reads", "enable.auto.commit": False, "fetch.wait.max.ms": 5})


def _firing(reader: Consumer, wait_s: float) -> list[tuple[float, Alert]]:
    """Alerts of feature drift that can be read now, with the wall-clock time."""
    messages = reader.consume(100, wait_s)
    now = time.time()
    alerts = [Alert.from_json(value) for message in messages if (value := message.value()) and message.error() is None]
    return [(now, alert) for alert in alerts if (alert.data.kind, alert.data.state) == ("feature_drift", "firing")]


def _timestamp(reader: Consumer, alert: Alert) -> int:
    """When the record at the alert's position was produced, in ms."""
    where = alert.data.position
    reader.assign([TopicPartition(where.topic, where.partition, where.offset)])
    (record,) = reader.consume(1, 30)
    return int(record.timestamp()[1])
