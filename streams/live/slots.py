"""A slot: the engine of one journal partition, where it stands, and the alerts that have not left yet."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from schemas.alerts import Alert
from schemas.events import Block, Message
from streams.engine.kernel import Engine

__all__ = ["Slot"]


class Slot:
    """State of a journal partition: a fold over the journal below `next_offset`.

    The position, the engine and the outbox move in one synchronous step, `process`. Were a checkpoint to fall in between, it would make
    the position durable without its alerts, and they would be lost.

    Parameters
    ----------
    engine : Engine
        New, or restored.
    next_offset : int
        Journal offset to read on at.
    alerts_sent : iterable of str
        Ids that the alert topic already holds from this position on: these alerts are not sent again.
    """

    def __init__(self, engine: Engine, next_offset: int, *, alerts_sent: Iterable[str] = ()) -> None:
        self.engine, self.next_offset = engine, next_offset
        #: Rows taken since the last checkpoint.
        self.rows = 0
        #: Alerts not sent because the alert topic has them already.
        self.repeated = 0
        self._alerts_sent = set(alerts_sent)
        self._outbox: deque[Alert] = deque()
        self._acknowledgements: list[Awaitable[Any]] = []
        self._sending = asyncio.Lock()

    def process(self, messages: Sequence[Message], next_offset: int) -> None:
        """Fold messages into the engine and move to `next_offset`; what alerts there are lie in the outbox after."""
        for alert in self.engine.process(messages):
            if alert.id in self._alerts_sent:
                self._alerts_sent.remove(alert.id)
                self.repeated += 1
            else:
                self._outbox.append(alert)
        self.rows += sum(len(message) for message in messages if isinstance(message, Block))
        self.next_offset = next_offset

    async def flush(self, send: Callable[[Alert], Awaitable[Awaitable[Any]]]) -> int:
        """Hand the outbox to the producer, in order; return how many alerts that were.

        May be cancelled anywhere: an alert leaves the outbox after the producer has it.
        """
        sent = 0
        async with self._sending:
            while self._outbox:
                self._acknowledgements.append(await send(self._outbox[0]))
                self._outbox.popleft()
                sent += 1
        return sent

    def owe(self, acknowledgement: Awaitable[Any]) -> None:
        """Note a send that the next checkpoint has to wait for."""
        self._acknowledgements.append(acknowledgement)

    async def acknowledged(self) -> None:
        """Wait until the broker has everything handed to the producer so far; a failed send raises here."""
        waiting, self._acknowledgements = self._acknowledgements, []
        try:
            await asyncio.gather(*waiting)
        except BaseException:
            self._acknowledgements = waiting + self._acknowledgements  # a later checkpoint must not pass them over
            raise
