"""What a checkpoint saves, and when none may be written."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from schemas.alerts import Alert
from schemas.events import Message
from streams.live import checkpoints
from streams.live.state_topic import claim_key
from tests.unit.live.life import CountingEngine, Run, a_log, run, sent


@pytest.fixture(autouse=True)
def counting_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "Engine", CountingEngine)


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
