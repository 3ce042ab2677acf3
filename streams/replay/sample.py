"""A few records of each topic, decoded: does the field mapping fit what is there?"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass

from confluent_kafka import TopicPartition

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
    """Decode the last `count` records of each configured topic, spread over its partitions.

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
            raws: dict[Source, list[Raw]] = {}
            deadline = time.monotonic() + TIMEOUT
            ended = 0
            while ended < len(filled) and time.monotonic() < deadline:
                message = consumer.poll(0.5)
                if message is None:
                    continue
                if message.error() is not None:  # the end of a partition, or one that can't be read: no more from it
                    ended += 1
                    continue
                source = Source(topic, message.partition() or 0)
                raws.setdefault(source, []).append(Raw(message.offset() or 0, message.timestamp()[1], message.value()))
            decoder = Decoder(topic, bindings[topic])
            letters: list[DeadLetter] = []
            for source, mine in sorted(raws.items()):
                start, end = mine[0].offset, mine[-1].offset + 1
                letters += decoder.decode(source.partition, mine, start=start, end=end, now_ms=time.time_ns() // 1_000_000).dead_letters
            found[topic] = Sample(sum(map(len, raws.values())), tuple(letters))
    return found
