"""What our consumer adds to Faust's, without a broker: the chain of offsets, the lease, and where to seek."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.live.transport import BatchConsumer, _ConsumerThread

FEATURES = TP("features", 0)


@dataclass(frozen=True)
class Record:
    offset: int


class Fetches:
    """Stands in for aiokafka under the thread: each fetch returns the next of these."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *fetches: Any) -> None:
        self._fetches = iter(fetches)

        async def fetch(thread: Any, *args: Any, **kwargs: Any) -> Any:
            fetched = next(self._fetches)
            if isinstance(fetched, Exception):
                raise fetched
            return {FEATURES: [Record(offset) for offset in fetched]}

        async def nothing(thread: Any, *args: Any) -> None: ...

        monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
        monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_seek_wait", nothing)
        monkeypatch.setattr(driver.AIOKafkaConsumerThread, "seek_to_committed", nothing)
        self.thread = object.__new__(_ConsumerThread)
        self.thread.fetched = {}

    async def fetch(self) -> int:
        """Fetch; return from where on nothing is known to be missing."""
        runs = await self.thread._fetch_records(None, None)
        after: int = runs[FEATURES].after
        return after


def test_a_fetch_follows_the_one_before_over_holes_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        fetches = Fetches(monkeypatch, [10, 11], [15, 16])
        await fetches.thread._seek_wait(None, {FEATURES: 7})
        assert [await fetches.fetch(), await fetches.fetch()] == [7, 12]
        assert fetches.thread.fetched == {FEATURES: 17}

    asyncio.run(story())


def test_a_fetch_that_failed_breaks_the_chain_as_it_may_have_lost_records(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        fetches = Fetches(monkeypatch, [10, 11], KeyError(), [15])
        await fetches.thread._seek_wait(None, {FEATURES: 10})
        await fetches.fetch()
        with pytest.raises(KeyError):
            await fetches.fetch()
        assert await fetches.fetch() == 15  # what lies before is not known to be a hole

    asyncio.run(story())


def test_a_seek_that_is_not_ours_breaks_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        fetches = Fetches(monkeypatch, [10, 11], [300])
        await fetches.fetch()
        await fetches.thread.seek_to_committed()
        assert await fetches.fetch() == 300

    asyncio.run(story())


class Sought(SimpleNamespace):
    """Notes seeks and commits."""

    def __init__(self) -> None:
        super().__init__(sought=[], committed=[], lease=0.0)

    async def seek_wait(self, positions: Any) -> None:
        self.sought.append(positions)

    async def commit(self, offsets: Any) -> bool:
        self.committed.append(offsets)
        return True

    def assignment(self) -> set[TP]:
        return {FEATURES}


def a_consumer(*, rebalancing: bool = False) -> tuple[BatchConsumer, Sought]:
    consumer: Any = object.__new__(BatchConsumer)
    consumer._thread = Sought()
    consumer._sought = {}
    consumer._assigned = False
    consumer._seeking = asyncio.Lock()
    consumer.app = SimpleNamespace(rebalancing=rebalancing, conf=SimpleNamespace(broker_session_timeout=10.0))
    return consumer, consumer._thread


def test_lost_records_are_sought_once_while_older_batches_are_still_coming() -> None:
    async def story() -> None:
        consumer, thread = a_consumer()
        assert [await consumer.seek_back(FEATURES, offset) for offset in (7, 7, 9)] == [True, False, True]
        assert thread.sought == [{FEATURES: 7}, {FEATURES: 9}]

    asyncio.run(story())


def test_only_offsets_of_our_partitions_are_committed_and_none_in_a_rebalance() -> None:
    async def story() -> None:
        consumer, thread = a_consumer()
        assert await consumer.commit_offsets({FEATURES: 5, TP("features", 1): 6})
        assert not await consumer.commit_offsets({TP("features", 1): 6})
        assert thread.committed == [{FEATURES: 5}]
        consumer, thread = a_consumer(rebalancing=True)
        assert not await consumer.commit_offsets({FEATURES: 5})
        assert thread.committed == []

    asyncio.run(story())


def test_ownership_is_confirmed_by_a_heartbeat_sent_after_the_moment() -> None:
    consumer, thread = a_consumer()
    now = time.monotonic()
    thread.lease = now + 10.0  # sent now, for a session of ten seconds
    assert consumer.confirmed_since(now - 1)
    assert not consumer.confirmed_since(now + 1)


def test_between_two_assignments_nothing_is_sought_or_claimed() -> None:
    async def story() -> None:
        consumer, thread = a_consumer()
        await consumer.perform_seek()
        assert thread.sought == []

    asyncio.run(story())
