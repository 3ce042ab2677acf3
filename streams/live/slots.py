"""A slot: the engine of one journal partition, where it stands, and the alerts that have not left yet."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias

from schemas.alerts import Alert
from schemas.dead_letters import DeadLetter
from schemas.events import Block, Message
from streams.engine.kernel import Engine
from streams.live.acknowledgements import Acknowledgements

__all__ = ["Outgoing", "Slot"]

#: What a slot wants to have sent.
Outgoing: TypeAlias = Alert | DeadLetter


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
        self._alerts_sent = set(alerts_sent)
        self._outbox: deque[Outgoing] = deque()
        #: The engine raised in the middle of a step: its state fits no position, and must never be saved.
        self.broken = False
        #: Sends that the next checkpoint has to wait for.
        self.acknowledgements = Acknowledgements()
        self._sending = asyncio.Lock()

    def process(self, messages: Sequence[Message], next_offset: int, *, damaged: Sequence[DeadLetter] = ()) -> int:
        """Fold messages into the engine and move to `next_offset`.

        What is to be sent lies in the outbox after: alerts, and journal records that could not be read. Returns the number of alerts
        withheld because the alert topic has them already.
        """
        repeated = 0
        self.broken = True
        for alert in self.engine.process(messages):
            if alert.id in self._alerts_sent:
                self._alerts_sent.remove(alert.id)
                repeated += 1
            else:
                self._outbox.append(alert)
        self._outbox.extend(damaged)
        self.rows += sum(len(message) for message in messages if isinstance(message, Block))
        self.next_offset = next_offset
        self.broken = False
        return repeated

    async def flush(self, send: Callable[[Outgoing], Awaitable[Awaitable[Any]]]) -> None:
        """Hand the outbox to the producer, in order.

        May be cancelled anywhere: an alert leaves the outbox after the producer has it.
        """
        async with self._sending:
            while self._outbox:
                self.acknowledgements.add(await send(self._outbox[0]))
                self._outbox.popleft()
