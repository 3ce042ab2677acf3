"""The traffic that all measurements share: JSON events of 20 normal features, about 330 bytes, on 2 topics with 4 partitions each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
import orjson
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

FEATURES = tuple(f"f{i}" for i in range(20))
PARTITIONS = 4
_POOL = 20_000
#: The broker ends before its clients do, which they need not tell.
QUIET = {"log_level": 2}


class Events:
    """Encoded events by number; the values of features in `shifted` are moved up by three standard deviations.

    Encoding each event anew would cost more than reading it, so ids and times are put in front of bodies from a pool.
    """

    def __init__(self, *, seed: int = 1) -> None:
        self._values = np.random.default_rng(seed).normal(size=(_POOL, len(FEATURES))).round(4)
        self._bodies = [self._body(row) for row in self._values]

    def __call__(self, number: int, time_ms: int, *, shifted: Sequence[str] = ()) -> bytes:
        """Return event `number`."""
        row = number % _POOL
        body = self._body(self._moved(row, shifted)) if shifted else self._bodies[row]
        return b'{"id":"%016x","ts":%d,%s' % (number, time_ms, body)

    def _moved(self, row: int, features: Sequence[str]) -> np.ndarray:
        values = self._values[row].copy()
        values[[FEATURES.index(name) for name in features]] += 3.0
        return values

    @staticmethod
    def _body(values: np.ndarray) -> bytes:
        return orjson.dumps({"version": "3", "features": dict(zip(FEATURES, values.tolist(), strict=True))})[1:]


class Topics:
    """Two new topics and a producer that spreads events evenly over their partitions, as fast as it goes.

    Parameters
    ----------
    bootstrap : str
        Kafka.
    name : str
        What the names of the topics begin with.
    linger_ms : int
        How long the producer collects a batch.
    """

    def __init__(self, bootstrap: str, name: str, *, linger_ms: int = 50) -> None:
        self.names = (f"{name}.a", f"{name}.b")
        create_topics(bootstrap, *self.names, partitions=PARTITIONS)
        self.written = 0
        self._slots = [(topic, partition) for partition in range(PARTITIONS) for topic in self.names]
        self._events = Events()
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "linger.ms": linger_ms, "batch.size": 500_000, "compression.type": "lz4", **QUIET}
        )

    def write(self, count: int, *, shifted: Sequence[str] = ()) -> None:
        """Write the next `count` events; waits while the producer's queue is full."""
        for number in range(self.written, self.written + count):
            topic, partition = self._slots[number % len(self._slots)]
            event = self._events(number, time.time_ns() // 1_000_000, shifted=shifted)
            while True:
                try:
                    self._producer.produce(topic, event, partition=partition)
                    break
                except BufferError:
                    self._producer.poll(0.01)
        self.written += count
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until all that was written is acknowledged."""
        if unsent := self._producer.flush(120):
            raise RuntimeError(f"{unsent} events were not acknowledged within 120 s")


def create_topics(bootstrap: str, *names: str, partitions: int) -> None:
    """Create topics and wait until they are there."""
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    for created in admin.create_topics([NewTopic(name, partitions, 1) for name in names]).values():
        created.result(30)


def lines(count: int, *, start_ms: int = 1_767_571_200_000) -> Iterator[bytes]:
    """Yield `count` events as lines of a JSONL file, one each millisecond."""
    events = Events()
    for number in range(count):
        yield events(number, start_ms + number) + b"\n"
