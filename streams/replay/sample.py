"""A few records of each topic, decoded: does the field mapping fit what is there?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

from schemas.codec import Decoder, Raw
from schemas.config import Config
from schemas.dead_letters import DeadLetter
from schemas.events import Source
from streams.replay.kafka_client import TIMEOUT, connect, partition_counts, watermarks

__all__ = ["Sample", "sample_topics"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What came of a few records: how many there were, and which can't be used."""

    records: int
    dead_letters: tuple[DeadLetter, ...]


def sample_topics(config: Config, count: int) -> dict[str, Sample]:
    """Decode the newest `count` records of each configured topic.

    Raises
    ------
    BrokerError
        Nothing answers, or a topic does not exist.
    """
    found = {}
    with closing(connect(config, enable_partition_eof=True)) as consumer:
        bindings = config.source_topics()
        for topic, partitions in partition_counts(consumer, list(bindings)).items():
            ranges = {Source(topic, p): watermarks(consumer, Source(topic, p)) for p in range(partitions)}
            filled = sorted(source for source, (low, high) in ranges.items() if low < high)
            share = -(-count // max(len(filled), 1))  # rounded up
            consumer.assign([TopicPartition(*source, max(ranges[source][0], ranges[source][1] - share)) for source in filled])
            newest = sorted(_read(consumer, len(filled)), key=lambda found: found[1].timestamp)[-count:]
            decoder = Decoder(topic, bindings[topic])
            letters: list[DeadLetter] = []
            for source, raw in newest:
                decoded = decoder.decode(source.partition, [raw], start=raw.offset, end=raw.offset + 1, now_ms=time.time_ns() // 1_000_000)
                letters += decoded.dead_letters
            found[topic] = Sample(len(newest), tuple(letters))
    return found


def _read(consumer: Consumer, partitions: int) -> Iterator[tuple[Source, Raw]]:
    """Yield the assigned records, up to the ends of that many partitions or for as long as an answer may take."""
    deadline = time.monotonic() + TIMEOUT
    while partitions and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is None:
            continue
        if message.error() is not None:  # the end of a partition, or one that can't be read: no more from it
            partitions -= 1
            continue
        source = Source(message.topic() or "", message.partition() or 0)
        yield source, Raw(message.offset() or 0, message.timestamp()[1], message.value())
