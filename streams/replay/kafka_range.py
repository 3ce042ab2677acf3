"""A range of the configured topics, read by one consumer that is told what to read (no group, no commits).

What is read is fixed at the start: for each partition the offsets [first, end). A partition that runs ahead of the slowest is
paused while too many rows wait, so memory stays bounded and the engine never has to let rows go before their turn.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from schemas.alerts import iso
from schemas.codec import Raw
from schemas.config import Config
from schemas.dead_letters import DeadLetter
from schemas.errors import BrokerError
from schemas.events import Source
from streams.replay.arrival import Arrivals, Bindings
from streams.replay.intake import Intake
from streams.replay.kafka_client import connect, offsets_at, partition_counts, watermarks
from streams.replay.source import Read

__all__ = ["KafkaRange"]

#: Rows that may wait for slower partitions; a row of 20 features is about 300 B.
MOST_HELD = 200_000
BATCH = 10_000
#: A broker that has nothing for us must not keep a fetch waiting: a partition that is resumed is only asked for in the next.
FETCH_WAIT_MS = 20
#: Seconds without any record after which we give up.
PATIENCE = 60.0
_GONE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)


@dataclass(slots=True)
class _Part:
    """What is still to be read of one partition: offsets [next, end)."""

    next: int
    end: int
    #: Whether earlier records may have been asked for that are gone.
    cut: bool


class KafkaRange:
    """Topics of a running Kafka, from one point in time to another; see `ReplaySource`.

    Parameters
    ----------
    config : Config
        Brokers and, unless `bindings` says otherwise, what to read.
    since_ms, until_ms : int, optional
        Raw timestamps, [since, until); by default from the first record that is still there to the last there is now.
    bindings : mapping, optional
        What to read from each topic.
    assume_delay_ms : int, optional
        See `Arrivals`.

    Raises
    ------
    BrokerError
        Nothing answers, or a topic does not exist.
    """

    def __init__(
        self,
        config: Config,
        *,
        since_ms: int | None = None,
        until_ms: int | None = None,
        bindings: Bindings | None = None,
        assume_delay_ms: int | None = None,
    ) -> None:
        self._config = config
        self._bindings = config.source_topics() if bindings is None else bindings
        self.arrivals = Arrivals(self._bindings, stamped=True, assume_delay_ms=assume_delay_ms)
        self._since_ms = since_ms
        with closing(connect(config)) as consumer:
            counts = partition_counts(consumer, list(self._bindings))
            places = [Source(topic, partition) for topic, count in sorted(counts.items()) for partition in range(count)]
            self._parts = _ranges(consumer, places, since_ms, until_ms)
        self.size = sum(part.end - part.next for part in self._parts.values())

    def read(self) -> Iterator[Read]:
        """Yield what the range holds; partitions are read side by side."""
        parts = {source: replace(part) for source, part in self._parts.items()}
        starts = {source: part.next for source, part in parts.items()}
        intake = Intake(self._bindings, starts, arrivals=self.arrivals, most_held=MOST_HELD)
        yield Read(intake.announcements())
        with closing(connect(self._config, enable_partition_eof=True, fetch_wait_max_ms=FETCH_WAIT_MS)) as consumer:
            yield from _Reading(consumer, parts, intake, self._since_ms).run()

    def place(self, letter: DeadLetter) -> str:
        """``topic/partition/offset`` of a record."""
        return "/".join(map(str, letter.position))


class _Reading:
    """One pass over the range."""

    def __init__(self, consumer: Consumer, parts: dict[Source, _Part], intake: Intake, since_ms: int | None) -> None:
        self._consumer = consumer
        self._parts = parts
        self._intake = intake
        self._since_ms = since_ms
        self._size = sum(part.end - part.next for part in parts.values())
        self._paused: frozenset[Source] = frozenset()
        self._assigned = False

    def run(self) -> Iterator[Read]:
        for source in [source for source, part in self._parts.items() if part.next >= part.end]:
            yield self._end(source)
        heard = time.monotonic()
        while self._parts:
            if not self._assigned:
                self._assign()
            self._pace()
            messages = self._consumer.consume(BATCH, timeout=0.1)
            if messages:
                heard = time.monotonic()
            elif time.monotonic() - heard > PATIENCE:
                left = ", ".join(f"{s.topic}/{s.partition} from offset {p.next} to {p.end}" for s, p in self._parts.items())
                raise BrokerError(f"no record for {PATIENCE:.0f} s; still to be read: {left}")
            by_source: dict[Source, list[Message]] = {}
            for message in messages:
                by_source.setdefault(Source(message.topic() or "", message.partition() or 0), []).append(message)
            for source, mine in by_source.items():
                yield from self._take(source, mine)

    def _assign(self) -> None:
        self._consumer.assign([TopicPartition(*source, part.next) for source, part in self._parts.items()])
        self._paused, self._assigned = frozenset(), True

    def _pace(self) -> None:
        paused = self._parts.keys() - self._intake.pacer.wanted()
        if stop := paused - self._paused:
            self._consumer.pause([TopicPartition(*source) for source in stop])
        if go := (self._paused - paused) & self._parts.keys():
            self._consumer.resume([TopicPartition(*source) for source in go])
        self._paused = frozenset(paused)

    def _take(self, source: Source, messages: list[Message]) -> Iterator[Read]:
        if source not in self._parts:
            return  # beyond the end of its range
        part = self._parts[source]
        records, then = _records_below(part.end, messages)
        if records:
            yield self._decoded(source, part, records)
        if isinstance(then, KafkaError):  # which can't be compared with a string
            if then.code() not in _GONE:
                raise BrokerError(f"{source.topic}/{source.partition} at offset {part.next}: {then.str()}")
            yield self._skip(source, part)
        elif then == "end":
            part.end = part.next
        if part.next >= part.end:
            yield self._end(source)

    def _decoded(self, source: Source, part: _Part, records: list[Raw]) -> Read:
        notes: tuple[str, ...] = ()
        if part.cut and self._since_ms is not None and records[0].timestamp > self._since_ms:
            first = f"offset {records[0].offset}, {iso(records[0].timestamp)}"
            notes = (f"{source.topic}/{source.partition}: begins at {first}; what was before it has been deleted by retention",)
        part.cut = False
        part.next = records[-1].offset + 1
        blocks, letters = self._intake.take(source, records)
        return Read(blocks, tuple(letters), len(records), self._done(), notes)

    def _skip(self, source: Source, part: _Part) -> Read:
        """Go on where the log begins now: retention has deleted what was to be read next."""
        low, _ = watermarks(self._consumer, source)
        lost = f"{source.topic}/{source.partition}: offsets {part.next} to {min(low, part.end) - 1} were deleted while they were to be read"
        part.next = low
        self._intake.lost(source, low)
        self._assigned = False  # a partition that has failed can't be moved, only assigned anew
        return Read(done=self._done(), notes=(lost,))

    def _end(self, source: Source) -> Read:
        """Be done with a partition; at the end of the log, what is left of its range has been compacted away or is not committed."""
        del self._parts[source]
        if self._assigned:
            self._consumer.pause([TopicPartition(*source)])
        return Read(self._intake.end(source), done=self._done())

    def _done(self) -> int:
        return self._size - sum(max(part.end - part.next, 0) for part in self._parts.values())


def _records_below(end: int, messages: list[Message]) -> tuple[list[Raw], KafkaError | Literal["end", "more"]]:
    """Return the records of the range, and what comes after them: an error, the end of the range or of the log, or more."""
    records: list[Raw] = []
    for message in messages:
        if (error := message.error()) is not None:
            return records, "end" if error.code() == KafkaError._PARTITION_EOF else error
        if (offset := message.offset() or 0) >= end:
            return records, "end"
        records.append(Raw(offset, message.timestamp()[1], message.value(), message.key()))
    return records, "more"


def _ranges(consumer: Consumer, places: list[Source], since_ms: int | None, until_ms: int | None) -> dict[Source, _Part]:
    first = {} if since_ms is None else offsets_at(consumer, places, since_ms)
    end = {} if until_ms is None else offsets_at(consumer, places, until_ms)
    parts = {}
    for source in places:
        low, high = watermarks(consumer, source)
        start = low if since_ms is None else _or(first[source], high)
        stop = high if until_ms is None else _or(end[source], high)
        parts[source] = _Part(start, max(start, stop), cut=low > 0 and start == low)
    return parts


def _or(offset: int | None, otherwise: int) -> int:
    return otherwise if offset is None else offset
