from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientSession

from schemas.config import Config
from streams.live.agents import Live
from streams.live.checkpoints import Checkpointer
from streams.live.health import Health, Place
from streams.live.journal import Journal
from streams.live.outlet import Outlet
from streams.live.stages import Stages
from streams.live.web import Pages
from tests.unit.live.memory_log import MemoryLog

CONFIG = Config.model_validate(
    {"version": 1, "models": [{"name": "fraud", "sources": {"features": {"topic": "f", "fields": {"id": "id", "features": "x"}}}}]}
)
Get = Callable[[str], Awaitable[tuple[int, str]]]


def visit(story: Callable[[Get, Live], Awaitable[None]], *, crashed: str | None = None, ready: bool = True) -> None:
    async def whole() -> None:
        log = MemoryLog({})
        outlet = Outlet(CONFIG, log.produce)
        unused: Any = None
        live = Live(
            config=CONFIG,
            consumer=unused,
            journal=Journal(CONFIG),
            outlet=outlet,
            checkpointer=Checkpointer(CONFIG, {}, log=log, outlet=outlet, worker="w"),
            positions=unused,
            health=Health(stalled_after=0.0),
            stages=Stages(),
        )
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        pages = Pages(CONFIG, live, listener=listener, crashed=lambda: crashed, ready=lambda: ready, rebalances=lambda: 3)
        await pages.start()
        try:
            async with ClientSession() as session:

                async def get(path: str) -> tuple[int, str]:
                    async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                        return answer.status, await answer.text()

                await story(get, live)
        finally:
            await pages.stop()

    asyncio.run(whole())


def test_a_worker_that_is_well_and_ready_says_so() -> None:
    async def story(get: Get, live: Live) -> None:
        assert await get("/healthz") == (200, "ok\n")
        assert await get("/readyz") == (200, "ok\n")

    visit(story)


def test_a_worker_that_waits_for_partitions_is_well_but_not_ready() -> None:
    async def story(get: Get, live: Live) -> None:
        assert (await get("/healthz"))[0] == 200
        assert await get("/readyz") == (503, "waiting for partitions, or restoring them\n")

    visit(story, ready=False)


def test_a_crash_and_a_stalled_partition_are_told_with_their_reasons() -> None:
    async def story(get: Get, live: Live) -> None:
        live.health.observe({("f", 0): Place(3, 9)}, now=0.0)
        status, text = await get("/healthz")
        assert status == 503
        assert text.splitlines()[0] == "the worker has crashed: KeyError('x')"
        assert "f/0: no progress for" in text
        assert (await get("/readyz"))[0] == 503

    visit(story, crashed="the worker has crashed: KeyError('x')")


def test_metrics_count_what_the_shell_does() -> None:
    async def story(get: Get, live: Live) -> None:
        live.consumed["f"] += 5
        live.health.observe({("f", 0): Place(3, 9)}, now=0.0)
        _, text = await get("/metrics")
        assert 'driftsonde_records_consumed_total{topic="f"} 5.0' in text
        assert 'driftsonde_consumer_lag_messages{partition="0",topic="f"} 9.0' in text
        assert "driftsonde_rebalances_total 3.0" in text

    visit(story)


def test_the_page_for_humans_shows_names_as_text() -> None:
    async def story(get: Get, live: Live) -> None:
        live.health.observe({("<script>", 0): Place(3, 9)}, now=0.0)
        status, text = await get("/")
        assert status == 200
        assert "&lt;script&gt;/0" in text
        assert "<script>" not in text

    visit(story)


def test_nothing_else_is_served() -> None:
    async def story(get: Get, live: Live) -> None:
        assert [(await get(path))[0] for path in ("/table", "/router", "/stats", "/graph")] == [404] * 4

    visit(story)
