"""A log in memory: what the shell writes can be read back, as from Kafka."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from schemas.errors import BrokerError
from streams.live.log_reader import Bounds, LogRecord, Wanted, everything


@dataclass(frozen=True)
class Written:
    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: Mapping[str, bytes]


class MemoryLog:
    """Both ends of a broker: `produce` for an `Outlet`, and a `LogReader`."""

    def __init__(self, partitions: Mapping[str, int]) -> None:
        self._counts = partitions
        self._records: dict[tuple[str, int], list[LogRecord]] = defaultdict(list)
        self._first: dict[tuple[str, int], int] = defaultdict(int)
        self.written: list[Written] = []
        self.away = False
        #: Topics that refuse every record.
        self.refuse: set[str] = set()
        #: Ending of keys that are refused.
        self.refuse_keys: bytes | None = None

    async def produce(
        self, topic: str, *, key: bytes, value: bytes | None, partition: int | None, headers: Sequence[tuple[str, bytes]]
    ) -> Awaitable[Written]:
        place = crc32(key) % self._counts[topic] if partition is None else partition
        acknowledged: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        if topic in self.refuse or (self.refuse_keys is not None and key.endswith(self.refuse_keys)):
            acknowledged.set_exception(ConnectionError(f"{topic} refuses"))
            return acknowledged
        written = Written(topic, place, self.append(topic, place, key, value), key, value, dict(headers))
        self.written.append(written)
        acknowledged.set_result(written)
        return acknowledged

    def append(self, topic: str, partition: int, key: bytes, value: bytes | None) -> int:
        records = self._records[topic, partition]
        offset = self._first[topic, partition] + len(records)
        records.append(LogRecord(offset, key, value))
        return offset

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Retention."""
        self._records[topic, partition] = [r for r in self._records[topic, partition] if r.offset >= offset]
        self._first[topic, partition] = offset

    def damage(self, topic: str, partition: int, key: bytes) -> None:
        """Flip a byte in the last value of a key."""
        records = self._records[topic, partition]
        i = max(i for i, r in enumerate(records) if r.key == key and r.value)
        value = bytearray(records[i].value or b"")
        value[len(value) // 2] ^= 0xFF
        records[i] = records[i]._replace(value=bytes(value))

    def values(self, topic: str) -> list[bytes | None]:
        return [w.value for w in self.written if w.topic == topic]

    async def partitions(self, topic: str) -> Sequence[int]:
        self._answer()
        return range(self._counts[topic])

    async def bounds(self, topic: str, partitions: Sequence[int]) -> Mapping[int, Bounds]:
        self._answer()
        first = self._first
        return {p: Bounds(first[topic, p], first[topic, p] + len(self._records[topic, p])) for p in partitions}

    async def read(self, topic: str, partition: int, start: int, end: int, *, wanted: Wanted = everything) -> list[LogRecord]:
        self._answer()
        found = [r for r in self._records[topic, partition] if start <= r.offset < end]
        return [r if r.value is None or wanted(r.key) else r._replace(value=b"") for r in found]

    def _answer(self) -> None:
        if self.away:
            raise BrokerError("the broker is away")
