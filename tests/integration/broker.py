"""What a test does with a broker: topics of its own, records in, records out."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

_numbers = itertools.count(1)


class Sent(NamedTuple):
    """A record to be produced; without a partition Kafka chooses it by the key, without a timestamp it is now."""

    value: bytes | None
    key: bytes | None = None
    partition: int = -1
    timestamp: int = 0
    headers: Mapping[str, bytes] = {}


class Received(NamedTuple):
    """A record as it lies in the log."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


@dataclass(frozen=True)
class Kafka:
    """A running Kafka; every name it hands out is new, so tests can share it."""

    bootstrap: str
    _admin: AdminClient = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_admin", AdminClient({"bootstrap.servers": self.bootstrap}))

    @staticmethod
    def unique(name: str) -> str:
        """Return `name` with an ending that no other test, run or process has."""
        return f"{name}-{os.getpid()}-{time.time_ns() % 10**9}-{next(_numbers)}"

    def create_topics(self, *names: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> None:
        """Create topics and wait until the broker has them."""
        topics = [NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {})) for name in names]
        for created in self._admin.create_topics(topics).values():
            created.result(30)

    def topic(self, name: str = "topic", *, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """Create a topic with a unique name and return it."""
        unique = self.unique(name)
        self.create_topics(unique, partitions=partitions, config=config)
        return unique

    def topics(self) -> set[str]:
        """Names of all topics there are."""
        return set(self._admin.list_topics(timeout=30).topics)

    def produce(self, topic: str, records: Iterable[Sent | bytes]) -> None:
        """Send records, in their order within a partition, and wait until all are acknowledged."""
        failed: list[KafkaError] = []
        producer = Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True, "linger.ms": 5})
        for record in records:
            sent = record if isinstance(record, Sent) else Sent(record)
            while True:
                try:
                    producer.produce(
                        topic,
                        value=sent.value,
                        key=sent.key,
                        partition=sent.partition,
                        timestamp=sent.timestamp,
                        headers=list(sent.headers.items()),
                        on_delivery=lambda error, _: failed.append(error) if error else None,
                    )
                    break
                except BufferError:
                    producer.poll(0.05)
            producer.poll(0)
        unsent = producer.flush(60)
        assert not failed, f"{topic}: {len(failed)} records were refused, the first because of {failed[0]}"
        assert not unsent, f"{topic}: {unsent} records were not acknowledged within 60 s"

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Next offset of each partition."""
        with closing(self._reader()) as reader:
            return {p: reader.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in self._partitions(topic)}

    def read_all(self, topic: str, *, timeout: float = 30) -> list[Received]:
        """Read what the topic holds now, by partition and offset."""
        ends = {partition: end for partition, end in self.end_offsets(topic).items() if end}
        with closing(self._reader()) as reader:
            reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in ends])
            found: list[Received] = []
            deadline = time.monotonic() + timeout
            while ends:
                assert time.monotonic() < deadline, f"{topic}: still to be read after {timeout} s: up to {ends}"
                for message in reader.consume(10_000, 0.2):
                    if (error := message.error()) is None:
                        found.append(_received(message))
                    elif error.code() == KafkaError._PARTITION_EOF:
                        ends.pop(message.partition(), None)
                    else:
                        raise AssertionError(f"{topic}: {error}")
            return sorted(found)

    def wait_for(self, topic: str, enough: Callable[[list[Received]], bool], *, timeout: float = 60) -> list[Received]:
        """Read the topic from its start until `enough` says so; fails with what was there after `timeout` seconds."""
        found: list[Received] = []
        deadline = time.monotonic() + timeout
        with closing(self._reader()) as reader:
            reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in self._partitions(topic)])
            while not enough(found):
                assert time.monotonic() < deadline, f"{topic}: not there within {timeout} s; {len(found)} records: {found[-3:]}"
                found += [_received(m) for m in reader.consume(1_000, 0.2) if m.error() is None]
        return sorted(found)

    def _partitions(self, topic: str) -> list[int]:
        return sorted(self._admin.list_topics(topic, timeout=30).topics[topic].partitions)

    def _reader(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "tests-never-commit",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
            }
        )


def _received(message: Message) -> Received:
    headers = {key: value for key, value in message.headers() or [] if isinstance(value, bytes)}
    return Received(message.partition(), message.offset(), message.timestamp()[1], message.key(), message.value(), headers)
