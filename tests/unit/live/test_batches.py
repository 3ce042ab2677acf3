from __future__ import annotations

from dataclasses import dataclass

from faust.types import TP

from streams.live.batches import BatchScheduler, RecordBatch, Run

FEATURES = TP("features", 0)
LABELS = TP("labels", 1)


@dataclass(frozen=True)
class Record:
    offset: int
    value: bytes | None = b"x"
    timestamp: int = 0
    timestamp_type: int = 0


def run(*offsets: int, after: int | None = None, size: int = 1) -> Run:
    made = Run(Record(o, bytes(size)) for o in offsets)
    made.after = offsets[0] if after is None else after
    return made


def cut(records: dict[TP, list[Record]], **limits: int) -> list[tuple[TP, int, list[int]]]:
    scheduler = BatchScheduler()
    for name, value in limits.items():
        setattr(scheduler, name, value)
    return [(tp, message.value.after, [r.offset for r in message.value.records]) for tp, message in scheduler.iterate(records)]


def test_what_was_fetched_of_a_partition_is_one_batch() -> None:
    assert cut({FEATURES: run(5, 6, 9, after=3)}) == [(FEATURES, 3, [5, 6, 9])]


def test_long_runs_are_cut_by_number_and_partitions_take_turns() -> None:
    assert cut({FEATURES: run(1, 2, 3), LABELS: run(7, 8)}, max_records=2) == [
        (FEATURES, 1, [1, 2]),
        (LABELS, 7, [7, 8]),
        (FEATURES, 3, [3]),
    ]


def test_long_runs_are_cut_by_size_but_a_large_record_is_a_batch() -> None:
    assert [offsets for _, _, offsets in cut({FEATURES: run(1, 2, 3, size=60)}, max_bytes=100)] == [[1], [2], [3]]
    assert [offsets for _, _, offsets in cut({FEATURES: run(1, 2, 3, size=50)}, max_bytes=100)] == [[1, 2], [3]]


def test_a_record_without_a_value_has_no_size() -> None:
    assert len(cut({FEATURES: [Record(1, None), Record(2, None)]})) == 1


def test_the_message_that_faust_sees_has_the_offset_of_the_last_record() -> None:
    [(_, message)] = BatchScheduler().iterate({FEATURES: run(5, 6, 9)})
    assert message.offset == 9


def test_what_was_read_before_is_cut_off() -> None:
    batch = RecordBatch("features", 0, [Record(5), Record(6), Record(9)], after=5)
    assert batch.from_offset(5) is batch
    rest = batch.from_offset(7)
    assert rest is not None
    assert (rest.after, rest.first_offset, rest.next_offset) == (7, 9, 10)
    assert batch.from_offset(10) is None
