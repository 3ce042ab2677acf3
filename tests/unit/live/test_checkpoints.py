"""Checkpoint and restore against a log in memory, with an engine that counts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from schemas.alerts import Alert
from schemas.config import Config
from schemas.events import Announcement, Message
from streams.live import checkpoints
from streams.live.checkpoints import Checkpointer, Tenure
from streams.live.outlet import Outlet
from streams.live.state_topic import claim_key
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

    def __init__(self, config: Config, references: Any, *, state: Mapping[str, Any] | None = None) -> None:
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


@pytest.fixture(autouse=True)
def counting_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "Engine", CountingEngine)


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


def run(story: Any) -> None:
    asyncio.run(story)


def test_without_a_checkpoint_reading_starts_at_the_committed_offset_or_at_the_first() -> None:
    async def story() -> None:
        log = a_log()
        log.delete_before("app.journal", 0, 7)
        assert await Run(log).start() == {0: 7}
        assert await Run(log).start(committed=12) == {0: 12}

    run(story())


def test_a_restored_slot_goes_on_where_its_checkpoint_was_whatever_was_committed() -> None:
    async def story() -> None:
        log = a_log()
        first = Run(log)
        await first.start()
        await first.work(to=10)
        await first.save()
        await first.work(to=20)  # and dies

        second = Run(log)
        assert await second.start(committed=17) == {0: 10}
        tenure = await second.work(to=30)
        assert tenure.slot.engine.n == 30

    run(story())


def test_alerts_that_the_topic_has_already_are_not_sent_again() -> None:
    async def story() -> None:
        log = a_log()
        first = Run(log)
        await first.start()
        await first.work(to=10)
        await first.save()
        await first.work(to=20)

        second = Run(log)
        await second.start()
        await second.work(to=30)
        assert sent(log) == [str(n) for n in range(3, 31, 3)]

    run(story())


def test_a_crash_before_the_first_checkpoint_repeats_no_alert() -> None:
    async def story() -> None:
        log = a_log()
        for end in (8, 15, 40):
            worker = Run(log)
            await worker.start()
            await worker.work(to=end)
        assert sent(log) == [str(n) for n in range(3, 41, 3)]

    run(story())


def test_a_checkpoint_first_sends_the_alerts_that_its_position_covers() -> None:
    async def story() -> None:
        log = a_log()
        first = Run(log)
        await first.start()
        await first.work(to=10, flush=False)  # the task that would have flushed is killed
        await first.save()
        assert sent(log) == ["3", "6", "9"]

    run(story())


def test_a_checkpoint_does_not_pass_an_alert_that_was_refused() -> None:
    async def story() -> None:
        log = a_log()
        first = Run(log)
        await first.start()
        log.refuse = {"alerts"}
        await first.work(to=10)
        for _ in range(2):
            with pytest.raises(ConnectionError, match="alerts refuses"):
                await first.save()
        assert await Run(log).start() == {0: 0}

    run(story())


def test_a_later_owner_wins_even_when_the_former_one_saves_after_it(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        log = a_log()
        zombie, owner = Run(log, "zombie"), Run(log, "owner")
        await zombie.start()
        await zombie.work(to=10)
        await zombie.save()
        await owner.start()
        await owner.work(to=20)
        await owner.save()

        await zombie.work(to=12, flush=False)
        with caplog.at_level(logging.WARNING):
            await zombie.save()
        assert "another worker has claimed it" in caplog.text
        assert zombie.checkpointer.tenure(0) is None
        assert await Run(log).start() == {0: 20}

    run(story())


def test_a_superseded_slot_is_restored_when_the_partition_is_ours_again() -> None:
    async def story() -> None:
        log = a_log()
        zombie, owner = Run(log, "zombie"), Run(log, "owner")
        await zombie.start()
        await zombie.work(to=10)
        await owner.start()
        await owner.work(to=20)
        await owner.save()
        assert await zombie.start() == {0: 20}
        assert zombie.checkpointer.tenures[0].slot.engine.n == 20

    run(story())


def test_a_slot_that_stays_ours_is_kept_through_a_rebalance() -> None:
    async def story() -> None:
        log = a_log()
        worker = Run(log)
        await worker.start(0, 1)
        await worker.work(to=10)
        kept = worker.checkpointer.tenures[0]
        assert await worker.start(0, 2) == {0: 10, 2: 0}
        assert worker.checkpointer.tenures[0] is kept
        assert set(worker.checkpointer.tenures) == {0, 2}

    run(story())


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        log = a_log()
        first = Run(log)
        await first.start()
        for end in (10, 20):
            await first.work(to=end)
            await first.save()
        token = first.checkpointer.tenures[0].token
        log.damage("app.state", 0, f"0/{token}/b/0".encode())
        with caplog.at_level(logging.WARNING):
            assert await Run(log).start() == {0: 10}
        assert f"passing over a checkpoint: checkpoint 0/{token}/b" in caplog.text

    run(story())


def test_a_checkpoint_cut_off_in_its_middle_leaves_the_one_before() -> None:
    async def story() -> None:
        log = a_log()
        first = Run(log)
        await first.start()
        tenure = await first.work(to=10)
        await first.save()
        log.append("app.state", 0, f"0/{tenure.token}/b/0".encode(), b"half of the next")
        assert await Run(log).start() == {0: 10}

    run(story())


def test_large_snapshots_are_cut_into_chunks_that_a_broker_takes() -> None:
    async def story() -> None:
        log = a_log()
        first = Run(log)
        await first.start()
        tenure = await first.work(to=10)
        tenure.slot.engine.ballast = bytes(i * i * 7 % 251 for i in range(50_000)) * 50 + bytes(range(256)) * 10
        await first.save()
        chunks = [w for w in log.written if w.topic == "app.state" and not w.key.endswith((b"manifest", b"claim"))]
        assert all(len(w.value or b"") <= 900_000 for w in chunks)
        second = Run(log)
        await second.start()
        assert second.checkpointer.tenures[0].slot.engine.ballast == tenure.slot.engine.ballast

    run(story())


def test_what_former_owners_left_is_deleted_once_two_checkpoints_of_ours_are_whole() -> None:
    async def story() -> None:
        log = a_log()
        first = Run(log)
        await first.start()
        for end in (10, 20, 30):
            await first.work(to=end)
            await first.save()
        left = {w.key for w in log.written if w.topic == "app.state"} - {claim_key(0)}

        second = Run(log)
        await second.start()
        await second.work(to=40)
        await second.save()
        assert not [w for w in log.written if w.value is None]
        await second.work(to=50)
        await second.save()
        assert {w.key for w in log.written if w.value is None} == left

    run(story())


def test_a_broker_that_is_away_costs_a_checkpoint_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        log = a_log()
        worker = Run(log)
        await worker.start()
        await worker.work(to=10)
        log.away = True
        with caplog.at_level(logging.WARNING):
            await worker.save()
        assert "no checkpoint now: the broker is away" in caplog.text
        log.away = False
        await worker.save()
        assert await Run(log).start() == {0: 10}

    run(story())


def test_an_engine_that_raised_in_the_middle_of_a_step_is_never_saved() -> None:
    async def story() -> None:
        log = a_log()
        worker = Run(log)
        await worker.start()
        tenure = await worker.work(to=10)
        await worker.save()

        def half_a_step(messages: Sequence[Message]) -> list[Alert]:
            tenure.slot.engine.n = 999
            raise ZeroDivisionError

        await worker.work(to=12)  # moved since the checkpoint, so another one is due
        tenure.slot.engine.process = half_a_step
        with pytest.raises(ZeroDivisionError):
            await worker.work(to=20)
        await worker.save()
        again = Run(log)
        assert await again.start() == {0: 10}
        assert again.checkpointer.tenures[0].slot.engine.n == 10

    run(story())


def test_a_journal_that_lost_what_the_checkpoint_points_at_is_read_from_its_first_record(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        log = a_log()
        first = Run(log)
        await first.start()
        await first.work(to=10)
        await first.save()
        log.delete_before("app.journal", 0, 50)
        assert await Run(log).start() == {0: 50}
        assert "offset 10 is not there" in caplog.text

    run(story())


def test_a_checkpoint_is_due_after_its_time_or_fifty_thousand_rows() -> None:
    async def story() -> None:
        worker = Run(a_log())
        await worker.start()
        tenure = await worker.work(to=10)
        assert not tenure.due(10_000, now=tenure.saved_at + 9.9)
        assert tenure.due(10_000, now=tenure.saved_at + 10)
        tenure.slot.rows = 50_000
        assert tenure.due(10_000, now=tenure.saved_at)
        await worker.save()
        assert not tenure.due(10_000, now=tenure.saved_at + 100)  # nothing has moved

    run(story())
