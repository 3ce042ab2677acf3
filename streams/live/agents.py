"""The live worker on one page: two agents and four loops.

::

    source topics ─► ingest: decode, one block a model ─► journal ─► detect: Engine.process ─► alerts
                        └─► dead letters                     └─ ticks, announcements   └─► state (checkpoints)

No agent may raise because of a record: bad ones become dead letters. Anything else that is raised crashes the worker, which its
supervisor starts again: Faust would go on with the next event, and the batch would be lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any

import faust
from faust.types import TP

from schemas import blocks
from schemas.config import Config
from schemas.dead_letters import DeadLetter
from schemas.errors import BrokerError, FormatError
from schemas.events import Position
from streams.live.batches import BatchSchema, RecordBatch
from streams.live.checkpoints import Checkpointer
from streams.live.group import look_at_group
from streams.live.health import Health
from streams.live.journal import Journal
from streams.live.outlet import Outlet
from streams.live.positions import LivePositions
from streams.live.stages import Stages
from streams.live.transport import BatchConsumer

__all__ = ["Live", "install_agents"]

logger = logging.getLogger(__name__)

#: Seconds between ticks (commits, observations), between looks at which checkpoints are due, and between looks at the group and the topics.
TICK, LOOK, RECOUNT = 1.0, 1.0, 30.0
#: Batches waiting in front of an agent; each may be a megabyte.
WAITING = 8


@dataclass(slots=True)
class Live:
    """The parts of a live worker, as `streams.live.app` puts them together."""

    config: Config
    consumer: Callable[[], BatchConsumer]
    journal: Journal
    outlet: Outlet
    checkpointer: Checkpointer
    positions: LivePositions
    health: Health
    stages: Stages
    #: Records read, by source topic.
    consumed: Counter[str] = field(default_factory=Counter)
    #: Batches read again because records were lost inside the worker, by topic.
    rereads: Counter[str] = field(default_factory=Counter)
    #: Alerts decided again after a restart, and not sent again.
    repeated: int = 0


def install_agents(app: faust.App, live: Live) -> None:
    """Give the app its agents and loops."""
    config, outlet, positions, checkpointer, stages = live.config, live.outlet, live.positions, live.checkpointer, live.stages
    batches: dict[str, Any] = {"schema": BatchSchema(), "maxsize": WAITING, "acks": False}
    models = {model.name for model in config.models}

    @app.agent(app.topic(*live.journal.models, **batches))
    async def ingest(stream: Any) -> None:
        """Stage 1: records of the source topics become blocks in the journal."""
        async for batch in stream:
            await live.consumer().hold_lease()
            source = TP(batch.topic, batch.partition)
            progress = positions.sources.get(source)
            if progress is None or (fresh := await _unread(live, batch, progress.end)) is None:
                continue
            if fresh.first_offset > progress.end and (await live.consumer().earliest_offsets(source))[source] > progress.end:
                logger.error("%s: offsets %d to %d were deleted before they were read", source, progress.end, fresh.first_offset)
                progress.skip_to(fresh.first_offset)
            with stages.timed("decode", records=len(fresh)):
                journaled = live.journal.take(fresh, progress, now_ms=int(time() * 1000))
            with stages.timed("journal", records=len(fresh)):
                for record in journaled.records:
                    progress.acknowledgements.add(await outlet.journal(record))
                for letter in journaled.dead_letters:
                    progress.acknowledgements.add(await outlet.dead_letter(letter))
            progress.advance(fresh.next_offset)
            live.consumed[batch.topic] += len(fresh)

    @app.agent(app.topic(config.journal_topic, **batches))
    async def detect(stream: Any) -> None:
        """Stage 2: the journal is folded into the engines, and what they decide is sent."""
        async for batch in stream:
            await live.consumer().hold_lease()
            tenure = checkpointer.tenure(batch.partition)
            if tenure is None or (fresh := await _unread(live, batch, tenure.slot.next_offset)) is None:
                continue
            messages, damaged = [], []
            with stages.timed("read", records=len(fresh)):
                for record in fresh.records:
                    try:
                        messages.append(blocks.decode(record.value or b""))
                    except FormatError as error:
                        place = Position(fresh.topic, fresh.partition, record.offset)
                        damaged.append(DeadLetter(place, "undecodable", str(error), record.value, record.timestamp))
            mine = [message for message in messages if message.model in models]  # the configuration may have lost a model
            with stages.timed("detect", records=len(fresh)):
                live.repeated += tenure.slot.process(mine, fresh.next_offset, damaged=damaged)
            # Only now may anything be awaited: the engine, the position and the outbox have moved together.
            await checkpointer.flush(tenure)

    async def tick_and_commit() -> None:
        """Tell the models how far sources have come, and commit what the journal holds."""
        while not app.should_stop:
            await app.sleep(TICK)
            if not app.rebalancing:
                await positions.settle()

    async def checkpoint() -> None:
        """Save what is due."""
        while not app.should_stop:
            await app.sleep(LOOK)
            await positions.reclaim()
            due = [p for p, tenure in checkpointer.tenures.items() if tenure.due(config.engine.checkpoint_every, now=time())]
            if due and not app.rebalancing:
                with stages.timed("checkpoint"):
                    await positions.save(due)

    async def look_around() -> None:
        """Tell the models their sources, now and when there are more of them; see whether anybody reads every partition."""
        known: dict[str, int] = {}
        while not app.should_stop:
            with suppress(TimeoutError):
                await asyncio.wait_for(positions.reassigned.wait(), RECOUNT)
            try:
                view = await look_at_group(config)
                found = {topic: view.partitions[topic] for topic in live.journal.models}
                if found != known or positions.reassigned.is_set():
                    positions.reassigned.clear()
                    known = found
                    await asyncio.gather(*[await outlet.journal(record) for record in live.journal.announcements(found)])
                live.health.observe_unowned(view.unowned, now=monotonic())
            except BrokerError as error:
                logger.warning("will look again: %s", error)

    async def observe() -> None:
        """Note where everything stands; waits for nobody, so that it tells a busy event loop from a broker that is away."""
        while not app.should_stop:
            await app.sleep(TICK)
            live.health.observe(positions.standings(), now=monotonic())

    for loop in (tick_and_commit, checkpoint, look_around, observe):
        app.task(loop)


async def _unread(live: Live, batch: RecordBatch, expected: int) -> RecordBatch | None:
    """Return the part of a batch from `expected` on, or None; when records before it are missing, have them read again."""
    if batch.after > expected:
        if await live.consumer().seek_back(TP(batch.topic, batch.partition), expected):
            live.rereads[batch.topic] += 1
        return None
    return batch.from_offset(expected)
