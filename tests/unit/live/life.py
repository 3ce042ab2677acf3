"""A worker's life in a few words: what it reads, what it saves, and what the log then holds."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from schemas.alerts import Alert
from schemas.config import Config
from schemas.events import Announcement, Message
from streams.live.checkpoints import Checkpointer, Tenure
from streams.live.outlet import Outlet
from tests.unit.live.alerts import an_alert
from tests.unit.live.memory_log import MemoryLog

CONFIG = Config.model_validate(
    {
        "version": 1,
        "application": "app",
        "alerts": {"topic": "alerts"},
        "models": [{"name": "fraud", "sources": {"features": {"topic": "f", "fields": {"id": "id", "features": "x"}}}}],
    }
)
MESSAGE = Announcement("fraud", ())


class CountingEngine:
    """Counts messages; every third makes an alert whose id is the count."""

    def __init__(self, config: Config, references: Any, *, state: Mapping[str, Any] | None = None, arrays: Any = None) -> None:
        self.n = 0 if state is None else state["n"]
        self.ballast = b"" if state is None else state["ballast"]

    def process(self, messages: Sequence[Message]) -> list[Alert]:
        alerts = []
        for _ in messages:
            self.n += 1
            if self.n % 3 == 0:
                alerts.append(an_alert(self.n))
        return alerts

    def snapshot(self) -> dict[str, Any]:
        return {"n": self.n, "ballast": self.ballast}


class Run:
    """A worker's life: a checkpointer on a shared log."""

    def __init__(self, log: MemoryLog, name: str = "w") -> None:
        self.log = log
        self.checkpointer = Checkpointer(CONFIG, {}, log=log, outlet=Outlet(CONFIG, log.produce), worker=name)

    async def start(self, *partitions: int, committed: int | None = None) -> dict[int, int]:
        return await self.checkpointer.restore(dict.fromkeys(partitions or (0,), committed))

    async def work(self, to: int, *, partition: int = 0, flush: bool = True) -> Tenure:
        """Read the journal on to offset `to`."""
        tenure = self.checkpointer.tenures[partition]
        tenure.slot.process([MESSAGE] * (to - tenure.slot.next_offset), to)
        if flush:
            await self.checkpointer.flush(tenure)
        return tenure

    async def save(self) -> None:
        await self.checkpointer.checkpoint()


def a_log(*, journal: int = 100) -> MemoryLog:
    log = MemoryLog({"app.journal": 4, "app.state": 4, "alerts": 2})
    for partition in range(4):
        for _ in range(journal):
            log.append("app.journal", partition, b"fraud", b"")
    return log


def sent(log: MemoryLog) -> list[str]:
    return [Alert.from_json(value).id for value in log.values("alerts") if value]


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)
