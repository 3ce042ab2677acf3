"""Sealed parts of checkpoints on a real Kafka: written once, restored exactly, deleted when unneeded, passed over when damaged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from aiokafka import AIOKafkaProducer

from schemas.config import Config
from schemas.snapshot import sealed_in
from streams.live import checkpoints
from streams.live.checkpoints import Checkpointer
from streams.live.log_reader import KafkaLog
from streams.live.outlet import Outlet
from streams.live.preflight import preflight
from tests.integration.broker import Kafka, Received, Sent
from tests.unit.live.life import MESSAGE
from tests.unit.live.sealing import SealingEngine

pytestmark = pytest.mark.kafka


class LargeEngine(SealingEngine):
    """Its chunks take several records each, and zlib is of no use for them."""

    def _fill(self, uid: int) -> None:
        super()._fill(uid)
        self.chunks[uid] = np.random.default_rng(uid).random(300_000)


class Life:
    """Workers that take over from each other, on one journal partition."""

    def __init__(self, config: Config, kafka: Kafka, producer: AIOKafkaProducer) -> None:
        self.config, self._kafka, self._producer = config, kafka, producer

    async def start(self) -> Checkpointer:
        outlet = Outlet(self.config, self._produce)
        checkpointer = Checkpointer(self.config, {}, log=KafkaLog(self.config), outlet=outlet, worker="w")
        await checkpointer.restore({0: None})
        return checkpointer

    async def save(self, checkpointer: Checkpointer, *ends: int) -> None:
        for end in ends:
            slot = checkpointer.tenures[0].slot
            slot.process([MESSAGE] * (end - slot.next_offset), end)
            await checkpointer.checkpoint()
            assert checkpointer.tenures[0].saved == end

    def parts(self) -> list[Received]:
        """All records of parts, deletions too, in order."""
        return [r for r in self._kafka.read_all(self.config.state_topic) if b"/part/" in (r.key or b"")]

    def parts_there(self) -> set[str]:
        last = {r.key: r.value for r in self.parts()}
        return {key.decode().split("/", 3)[3].rpartition("/")[0] for key, value in last.items() if key and value is not None}

    async def _produce(
        self, topic: str, *, key: bytes, value: bytes | None, partition: int | None, headers: Sequence[tuple[str, bytes]]
    ) -> Awaitable[Any]:
        return await self._producer.send(topic, value, key, partition, None, list(headers))


@asynccontextmanager
async def a_life(kafka: Kafka) -> AsyncIterator[Life]:
    application = kafka.unique("parts")
    config = Config.model_validate(
        {
            "version": 1,
            "application": application,
            "kafka": {"bootstrap_servers": kafka.bootstrap},
            "journal": {"partitions": 1},
            "alerts": {"topic": f"{application}.alerts", "partitions": 1},
            "dead_letters": {"topic": f"{application}.dead-letters"},
            "models": [{"name": "fraud", "sources": {"features": {"topic": kafka.topic("f"), "fields": {"id": "id", "features": "x"}}}}],
        }
    )
    preflight(config)
    kafka.produce(config.journal_topic, [Sent(b"", key=b"fraud", partition=0)] * 100)
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap, acks="all", enable_idempotence=True, max_request_size=1_000_000, linger_ms=5
    )
    await producer.start()
    try:
        yield Life(config, kafka, producer)
    finally:
        await producer.stop()


@pytest.fixture(autouse=True)
def sealing_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "Engine", LargeEngine)


def engine_of(checkpointer: Checkpointer) -> Any:
    return checkpointer.tenures[0].slot.engine


def uninterrupted(to: int) -> dict[int, Any]:
    engine = LargeEngine(None, None)
    engine.process([MESSAGE] * to)
    return engine.columns()


def test_sealed_parts_are_written_once_restored_exactly_and_deleted_when_unneeded(kafka: Kafka) -> None:
    async def story() -> None:
        async with a_life(kafka) as life:
            first = await life.start()
            await life.save(first, 15, 25, 38)

            second = await life.start()  # the first was killed
            assert engine_of(second).columns() == uninterrupted(38)
            await life.save(second, 39, 40)
            await life.save(second, 75, 76)
            third = await life.start()
            assert engine_of(third).columns() == uninterrupted(76)

            written = [r.key for r in life.parts() if r.value is not None]
            assert len(written) == len(set(written))
            assert sum(b"/fraud/chunk/2/" in (key or b"") and b"labels" not in (key or b"") for key in written) == 3
            assert life.parts_there() == set(sealed_in(engine_of(third).snapshot()))

    asyncio.run(story())


def test_a_damaged_part_makes_it_fall_back_to_the_checkpoint_before(kafka: Kafka, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with a_life(kafka) as life:
            first = await life.start()
            await life.save(first, 15, 25)
            key, value = next((r.key, r.value) for r in life.parts() if r.key and r.key.endswith(b"/part/fraud/chunk/2/1"))
            assert value is not None
            kafka.produce(life.config.state_topic, [Sent(value[:-1] + bytes([value[-1] ^ 1]), key=key, partition=0)])
            with caplog.at_level(logging.WARNING):
                second = await life.start()
            assert "passing over a checkpoint: part 'fraud/chunk/2'" in caplog.text
            assert second.tenures[0].slot.next_offset == 15
            await life.save(second, 45)
            assert engine_of(await life.start()).columns() == uninterrupted(45)

    asyncio.run(story())
