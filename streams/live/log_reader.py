"""Reads stretches of a topic without a consumer group: state at a restore, and the tail of the alert topic."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from time import monotonic
from typing import NamedTuple, ParamSpec, Protocol, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.config import Config
from schemas.errors import BrokerError
from streams.live.credentials import librdkafka

__all__ = ["Bounds", "KafkaLog", "LogReader", "LogRecord", "Wanted", "everything"]

logger = logging.getLogger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: Seconds after which a question is asked again.
AGAIN_AFTER = 0.5


class LogRecord(NamedTuple):
    """One record as read back."""

    offset: int
    key: bytes | None
    value: bytes | None


class Bounds(NamedTuple):
    """Offsets of a partition: the first that can be read, and the next to be written."""

    first: int
    next: int


#: Whether the value of a record with this key is needed.
Wanted = Callable[[bytes | None], bool]


def everything(_: bytes | None) -> bool:
    """Want all values."""
    return True


class LogReader(Protocol):
    """What restoring needs of a log; `KafkaLog` in production, lists in tests. Raises BrokerError when trying again may help."""

    async def partitions(self, topic: str) -> Sequence[int]:
        """Return the partitions of a topic, in order."""
        ...

    async def bounds(self, topic: str, partitions: Sequence[int]) -> Mapping[int, Bounds]:
        """Return the offsets of partitions."""
        ...

    async def read(self, topic: str, partition: int, start: int, end: int, *, wanted: Wanted = everything) -> list[LogRecord]:
        """Return the records with start <= offset < end that are still there, in order.

        Of those whose key isn't `wanted` the value is not kept: it is empty, or None where it was None.
        """
        ...


class KafkaLog:
    """A `LogReader` on Kafka: a short-lived consumer for each question, in a thread.

    Parameters
    ----------
    config : Config
        Brokers and credentials.
    patience : float
        Seconds without an answer after which a question fails. Until then an error that may pass is no answer: a restore must not
        crash because a leader is being elected.
    """

    def __init__(self, config: Config, *, patience: float = 20.0) -> None:
        self._patience = patience
        self._properties = librdkafka(config.kafka) | {
            "group.id": config.application,  # librdkafka wants one that we have a right to; no group is joined
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }

    async def partitions(self, topic: str) -> Sequence[int]:
        """Return the partitions of a topic, in order."""
        return await self._ask(self._partitions, topic)

    async def bounds(self, topic: str, partitions: Sequence[int]) -> Mapping[int, Bounds]:
        """Return the offsets of partitions."""
        return await self._ask(self._bounds, topic, partitions)

    async def read(self, topic: str, partition: int, start: int, end: int, *, wanted: Wanted = everything) -> list[LogRecord]:
        """Return the records with start <= offset < end that are still there, in order; with values where they are `wanted`."""
        return await self._ask(self._read, topic, partition, start, end, wanted) if start < end else []

    async def _ask(self, question: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        deadline = monotonic() + self._patience
        while True:
            try:
                return await asyncio.to_thread(question, *args, **kwargs)
            except BrokerError as error:
                if monotonic() + AGAIN_AFTER >= deadline:
                    raise
                logger.info("will ask again: %s", error)
            await asyncio.sleep(AGAIN_AFTER)

    def _consumer(self) -> Consumer:
        # What librdkafka logs comes back as errors, which are told.
        return Consumer(self._properties, logger=logging.Logger("librdkafka", logging.CRITICAL))

    def _partitions(self, topic: str) -> list[int]:
        with closing(self._consumer()) as consumer:
            try:
                found = consumer.list_topics(topic, timeout=self._patience).topics[topic]
            except KafkaException as error:
                raise _told_apart(topic, error.args[0]) from error
            if found.error is not None:
                raise _told_apart(topic, found.error)
            return sorted(found.partitions)

    def _bounds(self, topic: str, partitions: Sequence[int]) -> dict[int, Bounds]:
        with closing(self._consumer()) as consumer:
            try:
                return {p: Bounds(*consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=self._patience)) for p in partitions}
            except KafkaException as error:
                raise _told_apart(topic, error.args[0]) from error

    def _read(self, topic: str, partition: int, start: int, end: int, wanted: Wanted) -> list[LogRecord]:
        records: list[LogRecord] = []
        heard = monotonic()
        with closing(self._consumer()) as consumer:
            consumer.assign([TopicPartition(topic, partition, start)])
            while True:
                messages = consumer.consume(100, timeout=0.5)  # of 1 MB each, maybe
                for message in messages:
                    error = message.error()
                    if error is not None and error.code() == KafkaError._PARTITION_EOF:
                        return records
                    if error is not None:
                        raise _told_apart(topic, error)
                    if (offset := message.offset()) is None or offset >= end:
                        return records
                    key, value = message.key(), message.value()
                    records.append(LogRecord(offset, key, value if value is None or wanted(key) else b""))
                    if offset == end - 1:
                        return records
                if messages:
                    heard = monotonic()
                elif monotonic() - heard > self._patience:
                    raise BrokerError(
                        f"topic {topic}, partition {partition}: no answer for {self._patience:.0f} s, expected records up to {end}"
                    )


def _told_apart(topic: str, error: KafkaError) -> Exception:
    """Return a BrokerError for what may pass (a broker away), the exception itself for what won't (a right taken away)."""
    if error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
        return KafkaException(error)
    return BrokerError(f"topic {topic} can't be read now: {error.str()}")
