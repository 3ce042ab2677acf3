"""Reads stretches of a topic without a consumer group: state at a restore, and the tail of the alert topic."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Protocol

import aiokafka
from aiokafka.errors import KafkaError, KafkaTimeoutError
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from schemas.config import Kafka
from schemas.errors import BrokerError
from streams.live.credentials import faust_credentials

__all__ = ["Bounds", "KafkaLog", "LogReader", "LogRecord"]


class LogRecord(NamedTuple):
    """One record as read back."""

    offset: int
    key: bytes | None
    value: bytes | None


class Bounds(NamedTuple):
    """Offsets of a partition: the first that can be read, and the next to be written."""

    first: int
    next: int


class LogReader(Protocol):
    """What restoring needs of a log; `KafkaLog` in production, lists in tests. Raises BrokerError when trying again may help."""

    async def bounds(self, topic: str, partitions: Sequence[int] | None = None) -> Mapping[int, Bounds]:
        """Return the offsets of these partitions, or of all."""
        ...

    async def read(self, topic: str, partition: int, start: int, end: int) -> list[LogRecord]:
        """Return the records with start <= offset < end that are still there, in order."""
        ...


class KafkaLog:
    """A `LogReader` on Kafka.

    Parameters
    ----------
    kafka : Kafka
        Brokers and credentials.
    patience : float
        Seconds without any answer after which reading fails.
    """

    def __init__(self, kafka: Kafka, *, patience: float = 20.0) -> None:
        self._kafka, self._patience = kafka, patience
        self._kept: Any = None

    async def bounds(self, topic: str, partitions: Sequence[int] | None = None) -> Mapping[int, Bounds]:
        """Return the offsets of these partitions, or of all."""
        async with self._told_apart(topic):
            if self._kept is None:
                self._kept = await self._connect()
            if partitions is None:
                await self._kept.topics()  # the metadata of all topics, also of those never asked for
                partitions = sorted(self._kept.partitions_for_topic(topic) or ())
            places = [aiokafka.TopicPartition(topic, p) for p in partitions]
            first, following = await self._kept.beginning_offsets(places), await self._kept.end_offsets(places)
            return {place.partition: Bounds(first[place], following[place]) for place in places}

    async def read(self, topic: str, partition: int, start: int, end: int) -> list[LogRecord]:
        """Return the records with start <= offset < end that are still there, in order."""
        if start >= end:
            return []
        place = aiokafka.TopicPartition(topic, partition)
        records: list[LogRecord] = []
        async with self._told_apart(topic):
            reader = await self._connect()  # not the one that is kept: a consumer goes on fetching what it is assigned
            try:
                reader.assign([place])
                reader.seek(place, start)
                while (position := await reader.position(place)) < end:
                    fetched = (await reader.getmany(place, timeout_ms=int(self._patience * 1000))).get(place, ())
                    records += [LogRecord(r.offset, r.key, r.value) for r in fetched if r.offset < end]
                    if await reader.position(place) == position:
                        raise BrokerError(f"{topic}, partition {partition}: nothing came for {self._patience:.0f} s at offset {position}")
            finally:
                await reader.stop()
        return records

    async def close(self) -> None:
        """Disconnect."""
        if self._kept is not None:
            kept, self._kept = self._kept, None
            await kept.stop()

    async def _connect(self) -> Any:
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=self._kafka.bootstrap_servers,
            client_id="driftsonde-reader",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=int(self._patience * 1000),
            **credentials_to_aiokafka_auth(faust_credentials(self._kafka)),
        )
        await consumer.start()
        return consumer

    @asynccontextmanager
    async def _told_apart(self, topic: str) -> AsyncIterator[None]:
        """Tell what may pass (a broker away: BrokerError) from what won't (a right taken away: raised as it is)."""
        try:
            yield
        except KafkaError as error:
            if error.retriable or isinstance(error, KafkaTimeoutError):
                raise BrokerError(f"topic {topic} can't be read now: {error}") from error
            raise
