"""What a worker that takes over finds, against a log in memory and with an engine that counts."""

from __future__ import annotations

import logging

import pytest

from streams.live import checkpoints
from tests.unit.live.life import CountingEngine, Run, a_log, run, sent


@pytest.fixture(autouse=True)
def counting_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "Engine", CountingEngine)


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


def test_a_claim_that_falls_into_a_checkpoint_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        log = a_log()
        frozen, other = Run(log, "frozen"), Run(log, "other")
        await frozen.start()
        tenure = await frozen.work(to=10)
        look = frozen.checkpointer._look_for_claims

        async def look_and_freeze(tenure: checkpoints.Tenure) -> None:
            await look(tenure)
            await other.start()
            await other.work(to=20)
            await other.save()

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(frozen.checkpointer, "_look_for_claims", look_and_freeze)
            await frozen.save()  # its records lie behind the other's claim
        assert not tenure.superseded
        assert await frozen.start() == {0: 20}
        assert tenure.superseded

    run(story())
