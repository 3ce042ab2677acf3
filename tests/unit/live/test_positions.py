from __future__ import annotations

import asyncio
from typing import Any

from faust.types import TP

from schemas import blocks
from schemas.config import Config
from schemas.events import Source, Tick
from streams.live.checkpoints import Checkpointer
from streams.live.health import Place
from streams.live.journal import Journal, journal_partition
from streams.live.outlet import Outlet
from streams.live.positions import LivePositions
from streams.live.progress import Standing
from tests.unit.live.memory_log import MemoryLog

SOURCE, OTHER = TP("f", 0), TP("f", 1)
JOURNAL = TP("app.journal", journal_partition("fraud", 4))


class FakeConsumer:
    """Notes what is committed; every partition is at its end unless told otherwise."""

    def __init__(self) -> None:
        self.committed: dict[TP, int] = {}
        self.rebalancing = False
        self.standings: dict[TP, Standing] = {}

    def standing(self, tp: TP) -> Standing | None:
        return self.standings.get(tp)

    async def commit_offsets(self, offsets: dict[TP, int]) -> bool:
        if not self.rebalancing:
            self.committed.update(offsets)
        return not self.rebalancing


class World:
    def __init__(self, **kafka: Any) -> None:
        self.config = Config.model_validate(
            {
                "version": 1,
                "application": "app",
                "kafka": kafka,
                "alerts": {"topic": "alerts"},
                "models": [{"name": "fraud", "sources": {"features": {"topic": "f", "fields": {"id": "id", "features": "x"}}}}],
            }
        )
        self.log = MemoryLog({"app.journal": 4, "app.state": 4, "alerts": 1, "f": 2})
        self.consumer = FakeConsumer()
        self.positions = self.worker()

    def worker(self) -> LivePositions:
        outlet = Outlet(self.config, self.log.produce)
        checkpointer = Checkpointer(self.config, {}, log=self.log, outlet=outlet, worker="w")
        consumer: Any = self.consumer
        return LivePositions(
            self.config, journal=Journal(self.config), checkpointer=checkpointer, log=self.log, outlet=outlet, consumer=lambda: consumer
        )

    def fill(self, records: int) -> None:
        for partition in range(2):
            for _ in range(records):
                self.log.append("f", partition, b"", b"")

    def ticks(self) -> list[Tick]:
        found = [blocks.decode(value) for value in self.log.values("app.journal") if value]
        return [message for message in found if isinstance(message, Tick)]


def run(story: Any) -> None:
    asyncio.run(story)


def test_a_source_goes_on_where_it_was_committed_and_a_new_one_starts_at_its_first_record() -> None:
    async def story() -> None:
        world = World()
        world.fill(10)
        world.log.delete_before("f", 1, 4)
        assert await world.positions.resume({SOURCE: 7, OTHER: None}) == {SOURCE: 7, OTHER: 4}

    run(story())


def test_a_new_source_may_start_at_its_end() -> None:
    async def story() -> None:
        world = World(start_from="latest")
        world.fill(10)
        assert await world.positions.resume({SOURCE: None, OTHER: 3}) == {SOURCE: 10, OTHER: 3}

    run(story())


def test_committed_records_that_were_deleted_are_skipped_and_will_be_a_gap() -> None:
    async def story() -> None:
        world = World()
        world.fill(10)
        world.log.delete_before("f", 0, 8)
        assert await world.positions.resume({SOURCE: 5}) == {SOURCE: 8}
        assert world.positions.sources[SOURCE].told("fraud") == 8

    run(story())


def test_of_sources_taken_over_the_models_hear_that_nobody_knows_whether_they_are_at_their_end() -> None:
    async def story() -> None:
        world = World()
        world.fill(10)
        await world.positions.resume({SOURCE: 7, OTHER: None})
        assert world.ticks() == [Tick("fraud", Source("f", 0), 7, idle_ms=0)]
        await world.positions.resume({SOURCE: 7, OTHER: None})
        assert len(world.ticks()) == 1, "what stays ours is not taken over"

    run(story())


def test_a_source_that_stays_ours_is_kept_unless_somebody_has_carried_it_on() -> None:
    async def story() -> None:
        world = World()
        world.fill(100)
        await world.positions.resume({SOURCE: 0, OTHER: 0})
        for tp in (SOURCE, OTHER):
            world.positions.sources[tp].advance(20)
        assert await world.positions.resume({SOURCE: 15, OTHER: 30}) == {SOURCE: 20, OTHER: 30}

    run(story())


def test_an_offset_is_committed_when_the_journal_holds_it_and_the_model_has_been_told() -> None:
    async def story() -> None:
        world = World()
        world.fill(50)
        await world.positions.resume({SOURCE: 0})
        source = world.positions.sources[SOURCE]
        late: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        source.acknowledgements.add(late)
        source.advance(50)
        settling = asyncio.create_task(world.positions.settle())
        await asyncio.sleep(0.01)
        assert [tick.end for tick in world.ticks()][1:] == [50]  # told before the commit
        assert world.consumer.committed == {}
        source.advance(60)  # in the meantime: not covered by what is being waited for
        late.set_result(None)
        await settling
        assert world.consumer.committed == {SOURCE: 50}

    run(story())


def test_a_wait_that_was_cut_short_is_not_forgotten() -> None:
    async def story() -> None:
        world = World()
        world.fill(50)
        await world.positions.resume({SOURCE: 0})
        source = world.positions.sources[SOURCE]
        late: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        source.acknowledgements.add(late)
        source.advance(50)
        for _ in range(2):
            settling = asyncio.create_task(world.positions.settle())
            await asyncio.sleep(0.01)
            settling.cancel()
            await asyncio.gather(settling, return_exceptions=True)
        assert world.consumer.committed == {}
        assert not late.cancelled()

    run(story())


def test_a_commit_that_a_rebalance_forbade_is_made_later() -> None:
    async def story() -> None:
        world = World()
        world.fill(50)
        await world.positions.resume({SOURCE: 0})
        world.positions.sources[SOURCE].advance(50)
        world.consumer.rebalancing = True
        await world.positions.settle()
        world.consumer.rebalancing = False
        await world.positions.settle()
        assert world.consumer.committed == {SOURCE: 50}

    run(story())


def test_the_journal_goes_on_at_the_checkpoint_whose_offset_is_committed_after_it() -> None:
    async def story() -> None:
        world = World()
        for _ in range(9):
            world.log.append(JOURNAL.topic, JOURNAL.partition, b"fraud", b"")
        assert await world.positions.resume({JOURNAL: None}) == {JOURNAL: 0}
        [tenure] = world.positions._checkpointer.tenures.values()
        tenure.slot.process([], 9)
        await world.positions.release()
        assert world.consumer.committed == {JOURNAL: 9}
        assert await world.worker().resume({JOURNAL: 2}) == {JOURNAL: 9}

    run(story())


def test_standings_say_what_is_waiting() -> None:
    async def story() -> None:
        world = World()
        world.fill(50)
        await world.positions.resume({SOURCE: 10, JOURNAL: None})
        world.consumer.standings = {SOURCE: Standing(position=30, fetched=30, highwater=50, age=0.1)}
        assert world.positions.standings() == {SOURCE: Place(10, 40), JOURNAL: Place(0, 0)}

    run(story())
