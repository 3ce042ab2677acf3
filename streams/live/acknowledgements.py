"""Sends whose acknowledgement is outstanding."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

__all__ = ["Acknowledgements"]


class Acknowledgements:
    """What a position has to wait for before it may become durable.

    Examples
    --------
    >>> async def main():
    ...     sends = Acknowledgements()
    ...     sends.add(asyncio.sleep(0))
    ...     await sends.wait()
    >>> asyncio.run(main())
    """

    def __init__(self) -> None:
        self._waiting: list[Awaitable[Any]] = []

    def add(self, acknowledgement: Awaitable[Any]) -> None:
        """Note a send."""
        self._waiting.append(acknowledgement)

    async def wait(self) -> None:
        """Wait until the broker has everything noted so far; a send that failed raises here."""
        waiting, self._waiting = [asyncio.ensure_future(ack) for ack in self._waiting], []
        try:
            await asyncio.gather(*(asyncio.shield(ack) for ack in waiting))
        except BaseException:
            self._waiting = [*waiting, *self._waiting]  # a later wait must not pass them over
            raise
