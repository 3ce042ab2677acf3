"""Checkpoints of a state that is mostly sealed: written once, shared, restored exactly, deleted when nobody needs it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from schemas.errors import BrokerError
from schemas.snapshot import sealed_in
from streams.live import checkpoints, state_topic
from tests.unit.live.life import Run, a_log, run
from tests.unit.live.memory_log import MemoryLog
from tests.unit.live.sealing import SealingEngine, part_keys_there, parts_there, parts_written


@pytest.fixture(autouse=True)
def sealing_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "Engine", SealingEngine)


def engine_of(worker: Run) -> Any:
    return worker.checkpointer.tenures[0].slot.engine


def names_in(worker: Run) -> set[str]:
    return set(sealed_in(engine_of(worker).snapshot()))


def uninterrupted(to: int) -> dict[int, Any]:
    engine = SealingEngine(None, None)
    engine.process([None] * to)  # type: ignore[list-item]
    return engine.columns()


async def started(log: MemoryLog, name: str = "w") -> Run:
    worker = Run(log, name)
    await worker.start()
    return worker


async def saved(worker: Run, *ends: int) -> None:
    for end in ends:
        await worker.work(to=end)
        await worker.save()


def test_each_part_is_written_once_and_comes_back_exactly() -> None:
    async def story() -> None:
        log = a_log()
        first = await started(log)
        await saved(first, 15, 25, 38, 41)
        assert len(parts_written(log)) == len(set(parts_written(log)))
        second = await started(log)
        assert second.checkpointer.tenures[0].slot.next_offset == 41
        assert engine_of(second).columns() == uninterrupted(41)
        assert len(engine_of(second).columns()) == 4

    run(story())


def test_a_checkpoint_holds_only_what_changed() -> None:
    async def story() -> None:
        log = a_log()
        worker = await started(log)
        await saved(worker, 48)
        before, state = len(log.written), worker.checkpointer.tenures[0].snapshot_bytes
        await saved(worker, 49)
        assert sum(len(w.value or b"") for w in log.written[before:]) < 5_000
        assert worker.checkpointer.tenures[0].snapshot_bytes > 4 * 50_000
        assert abs(worker.checkpointer.tenures[0].snapshot_bytes - state) < 100

    run(story())


def test_large_parts_are_cut_into_chunks_that_a_broker_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.live.state_parts.CHUNK_BYTES", 9_000)
    monkeypatch.setattr(state_topic, "CHUNK_BYTES", 9_000)

    async def story() -> None:
        log = a_log()
        await saved(await started(log), 25, 60)
        assert all(len(w.value or b"") <= 9_000 for w in log.written if w.topic == "app.state")
        assert engine_of(await started(log)).columns() == uninterrupted(60)

    run(story())


def test_a_new_owner_writes_nothing_again_that_the_former_one_wrote() -> None:
    async def story() -> None:
        log = a_log()
        await saved(await started(log), 30, 42)
        n = len(parts_written(log))
        second = await started(log)
        await saved(second, 44, 46, 48)
        assert len(parts_written(log)) == n
        third = await started(log)
        assert engine_of(third).columns() == uninterrupted(48)
        assert parts_there(log) == names_in(third)

    run(story())


def test_parts_are_deleted_once_neither_of_the_two_newest_checkpoints_has_them() -> None:
    async def story() -> None:
        log = a_log()
        worker = await started(log)
        await saved(worker, 30)
        with_version_0 = names_in(worker)
        await saved(worker, 45)  # chunk 1 was written to
        assert "fraud/chunk/1/labels/1" in with_version_0
        assert parts_there(log) == with_version_0 | names_in(worker)
        before = names_in(worker)
        await saved(worker, 47)
        assert parts_there(log) == before | names_in(worker)
        assert "fraud/chunk/1/labels/1" not in parts_there(log)
        await saved(worker, 90, 91)
        assert parts_there(log) == names_in(worker)

    run(story())


@pytest.mark.parametrize("which", ["fraud/chunk/4/0", "fraud/chunk/4/labels/0/0"])
def test_a_damaged_part_makes_it_fall_back_to_the_checkpoint_before(which: str, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        log = a_log()
        first = await started(log)
        await saved(first, 35, 45)
        log.damage("app.state", 0, f"0/{first.checkpointer.tenures[0].token}/part/{which}".encode())
        with caplog.at_level(logging.WARNING):
            second = await started(log)
        assert f"passing over a checkpoint: part '{which.rpartition('/')[0]}'" in caplog.text
        assert second.checkpointer.tenures[0].slot.next_offset == 35
        await saved(second, 45, 46)
        assert engine_of(await started(log)).columns() == uninterrupted(46)

    run(story())


def test_a_missing_part_makes_it_fall_back_too(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        log = a_log()
        first = await started(log)
        await saved(first, 35, 45)
        log.append("app.state", 0, f"0/{first.checkpointer.tenures[0].token}/part/fraud/chunk/4/0".encode(), None)
        with caplog.at_level(logging.WARNING):
            assert await Run(log).start() == {0: 35}
        assert "part 'fraud/chunk/4': 1 of 1 chunks are missing" in caplog.text

    run(story())


def test_parts_far_before_the_checkpoint_are_found() -> None:
    async def story() -> None:
        log = a_log(journal=400)
        worker = await started(log)
        await saved(worker, 10)
        engine_of(worker)._fill = lambda uid: None  # nothing changes for long
        engine_of(worker)._write = lambda uid: None
        await saved(worker, *range(11, 400))
        again = await started(log)
        assert again.checkpointer.tenures[0].slot.next_offset == 399
        assert engine_of(again).columns() == uninterrupted(10)

    run(story())


def test_in_a_copied_topic_whose_offsets_are_others_the_parts_are_found() -> None:
    async def story() -> None:
        log, copy = a_log(), a_log()
        log.append("app.state", 0, b"of long ago", b"")
        for _ in range(500):
            log.append("app.state", 0, b"of long ago", None)
        await saved(await started(log), 30, 41)
        for record in await log.read("app.state", 0, 501, 10_000):
            copy.append("app.state", 0, record.key or b"", record.value)
        assert engine_of(await started(copy)).columns() == uninterrupted(41)

    run(story())


def test_what_a_killed_owner_wrote_without_a_checkpoint_is_not_trusted_and_goes() -> None:
    async def story() -> None:
        log = a_log()
        first = await started(log)
        await saved(first, 15)
        engine_of(first).flavour = 7  # its batches ended elsewhere
        await first.work(to=35)
        log.refuse_keys = b"/manifest"
        with pytest.raises(ConnectionError):
            await first.save()
        log.refuse_keys = None
        assert "fraud/chunk/3" in parts_there(log)
        second = await started(log)
        await saved(second, 35, 36, 37)
        third = await started(log)
        assert engine_of(third).columns() == uninterrupted(37)
        assert parts_there(log) == names_in(third)
        assert len(part_keys_there(log)) == len(names_in(third))  # none twice, under another token

    run(story())


def test_an_engine_that_begins_anew_under_the_same_names_is_not_given_the_content_of_old(monkeypatch: pytest.MonkeyPatch) -> None:
    class Anew(SealingEngine):
        flavour = 3

        def __init__(self, config: Any, references: Any, *, state: Any = None, arrays: Any = None) -> None:
            super().__init__(config, references)
            self.n = 0 if state is None else state["n"]

    async def story() -> None:
        log = a_log()
        await saved(await started(log), 21, 31)
        monkeypatch.setattr(checkpoints, "Engine", Anew)
        second = await started(log)
        engine_of(second).n = 0
        await saved(second, 52, 53)  # 22 messages: chunks 1 and 2 again
        expected = engine_of(second).columns()
        assert list(expected) == [1, 2]
        monkeypatch.setattr(checkpoints, "Engine", SealingEngine)
        third = await started(log)
        assert engine_of(third).columns() == expected
        assert parts_there(log) == names_in(third)
        assert len(part_keys_there(log)) == len(names_in(third))

    run(story())


def test_a_crash_before_the_deletion_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        log = a_log()
        first = await started(log)
        await saved(first, 30, 45)
        for _ in range(200):
            log.append("app.state", 0, b"something else", b"")  # what will be unneeded lies before all that a restore reads
        write = first.checkpointer._write

        async def no_deletion(tenure: Any, records: Any) -> int:
            if [value for _, value in records] and all(value is None for _, value in records):
                raise BrokerError("killed here")
            return await write(tenure, records)

        monkeypatch.setattr(first.checkpointer, "_write", no_deletion)
        await saved(first, 90, 91)  # chunks 1 to 4 are unneeded
        assert "fraud/chunk/1" in parts_there(log)
        second = await started(log)
        await saved(second, 92)
        assert parts_there(log) == names_in(second)

    run(story())


def test_what_others_deleted_is_written_again() -> None:
    async def story() -> None:
        log = a_log()
        await saved(await started(log), 35)
        owner = await started(log)
        await saved(owner, 36)
        key = next(key for key in parts_written(log) if b"/part/fraud/chunk/2/0" in key)
        log.append("app.state", 0, key, None)  # a frozen owner's last act
        await saved(owner, 37)
        assert engine_of(await started(log)).columns() == uninterrupted(37)

    run(story())


def test_small_sealed_columns_stay_in_the_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "PART_FROM", 10**6)

    async def story() -> None:
        log = a_log()
        await saved(await started(log), 35)
        assert parts_written(log) == []
        assert engine_of(await started(log)).columns() == uninterrupted(35)

    run(story())
