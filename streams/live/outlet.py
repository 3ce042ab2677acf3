"""Everything that a worker writes goes through here, and is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from schemas.alerts import Alert
from schemas.config import Config
from schemas.dead_letters import DeadLetter
from streams.live.journal import MAX_BYTES, JournalRecord

__all__ = ["Outlet", "Produce"]


class Produce(Protocol):
    """Hands a record to the producer; the awaitable it returns is done when the broker has the record (``.offset``)."""

    async def __call__(
        self, topic: str, *, key: bytes, value: bytes | None, partition: int | None, headers: Sequence[tuple[str, bytes]]
    ) -> Awaitable[Any]:
        """Wait until the producer has room for it."""
        ...


class Outlet:
    """Sends records, alerts and dead letters.

    Parameters
    ----------
    config : Config
        Names the topics.
    produce : Produce
        The producer.
    """

    def __init__(self, config: Config, produce: Produce) -> None:
        self._config, self._produce = config, produce
        self.journal_records = self.alerts = 0
        #: By (topic, reason).
        self.dead_letters: Counter[tuple[str, str]] = Counter()

    async def record(self, topic: str, *, key: bytes, value: bytes | None, partition: int) -> Awaitable[Any]:
        """Send a record as it is."""
        return await self._produce(topic, key=key, value=value, partition=partition, headers=())

    async def journal(self, record: JournalRecord) -> Awaitable[Any]:
        """Send a journal record."""
        self.journal_records += 1
        return await self.record(self._config.journal_topic, key=record.key, value=record.value, partition=record.partition)

    async def send(self, outgoing: Alert | DeadLetter) -> Awaitable[Any]:
        """Send an alert or a dead letter."""
        return await (self.alert(outgoing) if isinstance(outgoing, Alert) else self.dead_letter(outgoing))

    async def alert(self, alert: Alert) -> Awaitable[Any]:
        """Send an alert; its key is its stream, so the alerts of one stream stay in order."""
        self.alerts += 1
        key = alert.data.stream.encode()
        return await self._produce(self._config.alerts.topic, key=key, value=alert.to_json(), partition=None, headers=())

    async def dead_letter(self, letter: DeadLetter) -> Awaitable[Any]:
        """Send a dead letter; a value that no broker would take is cut, and says so in a header."""
        self.dead_letters[letter.position.topic, letter.reason] += 1
        value, headers = letter.value, letter.headers(self._config.application)
        if value is not None and len(value) > MAX_BYTES:
            headers.append(("truncated", f"{MAX_BYTES} of {len(value)} bytes".encode()))
            value = value[:MAX_BYTES]
        return await self._produce(self._config.dead_letters.topic, key=letter.key, value=value, partition=None, headers=headers)
