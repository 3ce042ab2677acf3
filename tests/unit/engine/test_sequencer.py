"""The rules of order, each by tests of its name."""

from __future__ import annotations

import pytest

from schemas.errors import InvariantError
from schemas.events import End, Message, Source
from streams.engine.sequencer import STALLED_AFTER, Gap, Resumed, Sequencer, Stalled
from tests.unit.engine.logs import GRACE, MODEL, Row, announce, block, drain, sequencer, tick

A, B, C = Source("features", 0), Source("features", 1), Source("labels", 0)


def clocks(rows: list[Row]) -> list[int]:
    return [row.clock for row in rows]


def test_q1_the_clock_is_the_running_maximum_of_a_sources_timestamps() -> None:
    s = sequencer(A)
    s.push(block(A, [10, 30, 20]))
    s.push(block(A, [25, 40], start=3))
    assert clocks(drain(s)) == [10, 30, 30, 30, 40]


def test_q2_a_row_goes_when_no_other_source_can_send_a_lower_key() -> None:
    s = sequencer(A, B)
    s.push(block(A, [10, 20, 30]))
    assert drain(s) == []
    s.push(block(B, [20]))
    assert drain(s) == [Row(10, A, 0), Row(20, A, 1), Row(20, B, 0)]  # B may yet send 20, but not before A's 20
    s.push(block(B, [29], start=1))
    assert drain(s) == [Row(29, B, 1)]


def test_q2_at_equal_clocks_the_later_source_waits_for_the_earlier() -> None:
    s = sequencer(A, B)
    s.push(block(B, [20]))
    s.push(block(A, [20]))
    assert drain(s) == [Row(20, A, 0)]  # A may send another 20, which would come before B's
    s.push(block(A, [20, 21], start=1))
    assert drain(s) == [Row(20, A, 1), Row(20, B, 0)]


def test_q2_a_single_source_is_never_held_back() -> None:
    s = sequencer(A)
    s.push(block(A, [10, 20]))
    release = s.release()
    assert release is not None
    assert release.order is None
    (piece,) = release.pieces
    assert (piece.lo, piece.hi) == (0, 2)


def test_q3_before_the_announcement_everything_is_held() -> None:
    s = Sequencer(grace_ms=GRACE, max_hold=1_000)
    s.push(block(A, [10]))
    assert drain(s) == []
    s.push(announce(A))
    assert clocks(drain(s)) == [10]


def test_q3_a_source_that_has_sent_nothing_holds_back_all_others_also_when_announced_later() -> None:
    s = sequencer(A)
    s.push(announce(A, B))
    s.push(block(A, [10]))
    assert drain(s) == []
    s.push(block(B, [15]))
    assert clocks(drain(s)) == [10]


def test_q3_an_announcement_forgets_no_source_and_rows_announce_theirs() -> None:
    s = sequencer(A, B)
    s.push(announce(A))
    s.push(block(A, [10]))
    assert drain(s) == []
    s.push(block(C, [5]))
    s.push(block(B, [20]))
    assert drain(s) == [Row(5, C, 0)]


def test_q4_a_block_above_the_cursor_is_a_gap() -> None:
    s = sequencer(A)
    assert s.push(block(A, [10, 20], start=100)) == []
    assert s.push(block(A, [30], start=105)) == [Gap(A, expected=102, found=105)]
    assert s.counts.gaps == 1
    assert [row.offset for row in drain(s)] == [100, 101, 105]


def test_q4_rows_below_the_cursor_are_duplicates() -> None:
    s = sequencer(A)
    s.push(block(A, [10, 20, 30]))
    s.push(block(A, [10, 20], start=0))
    s.push(block(A, [20, 30, 40, 50], start=1))
    assert [row.offset for row in drain(s)] == [0, 1, 2, 3, 4]
    assert s.counts.duplicates == 4
    assert s.counts.gaps == 0


def test_q4_offsets_without_a_row_are_covered_by_their_block() -> None:
    s = sequencer(A)
    s.push(block(A, [10], start=0, offsets=[3], end=10))
    assert s.push(block(A, [20], start=10)) == []
    assert [row.offset for row in drain(s)] == [3, 10]


def test_q4_a_tick_moves_the_cursor_and_is_no_gap() -> None:
    s = sequencer(A)
    s.push(block(A, [10]))
    assert s.push(tick(A, 50)) == []
    assert s.push(block(A, [20], start=50)) == []
    assert s.push(block(A, [30], start=40)) == []
    assert (s.counts.gaps, s.counts.duplicates) == (0, 1)


def test_q5_a_tick_of_a_source_that_is_not_idle_lets_nothing_go() -> None:
    s = sequencer(A, B)
    s.push(block(A, [10]))
    s.push(tick(B, 0, idle_ms=GRACE - 1))
    assert drain(s) == []


def test_q5_a_tick_from_below_the_cursor_says_nothing_about_the_end() -> None:
    s = sequencer(A, B)
    s.push(block(A, [10, 2_000, 5_000]))
    s.push(block(B, [10], start=7))
    assert clocks(drain(s)) == [10, 10]
    s.push(tick(B, 7, idle_ms=60_000))
    assert drain(s) == []


def test_q6_an_idle_source_follows_the_others_a_grace_behind() -> None:
    s = sequencer(A, B)
    s.push(tick(B, 0, idle_ms=GRACE))
    s.push(block(A, [10, 4_000, 5_000]))
    assert clocks(drain(s)) == [10, 4_000]
    s.push(block(A, [5_001, 6_000], start=3))
    assert clocks(drain(s)) == [5_000]


def test_q6_idleness_never_takes_a_frontier_back() -> None:
    s = sequencer(A, B)
    s.push(block(B, [4_800]))
    s.push(tick(B, 1, idle_ms=GRACE))
    s.push(block(A, [4_700, 5_000]))
    assert clocks(drain(s)) == [4_700, 4_800]


def test_q6_rows_or_a_shorter_tick_end_idleness() -> None:
    for wakes in (block(B, [10]), tick(B, 0, idle_ms=0)):
        s = sequencer(A, B)
        s.push(tick(B, 0, idle_ms=GRACE))
        s.push(wakes)
        s.push(block(A, [20, 5_000]))
        assert drain(s) == ([Row(10, B, 0)] if wakes.end else [])


def test_q6_when_all_are_idle_everything_goes() -> None:
    s = sequencer(A, B, C)
    s.push(block(A, [10, 20]))
    s.push(block(B, [15]))
    for source, end in ((A, 2), (B, 1)):
        s.push(tick(source, end, idle_ms=GRACE))
        assert drain(s) == []
    s.push(tick(C, 0, idle_ms=GRACE))
    assert clocks(drain(s)) == [10, 15, 20]


def test_q6_data_may_be_years_old_ticks_drag_no_clock() -> None:
    s = sequencer(A, B)
    s.push(tick(B, 0, idle_ms=3_600_000))
    s.push(block(A, [10]))
    s.push(tick(A, 1, idle_ms=3_600_000))
    s.push(block(B, [11]))
    s.push(block(A, [12], start=1))
    assert [row.late for row in drain(s)] == [False, False]


def test_q7_a_row_below_what_has_gone_goes_at_once_marked_and_counted() -> None:
    s = sequencer(A, B)
    s.push(tick(B, 0, idle_ms=GRACE))
    s.push(block(A, [1_000, 5_000]))
    assert drain(s) == [Row(1_000, A, 0)]
    s.push(block(B, [900, 1_000, 1_001]))
    assert drain(s) == [Row(900, B, 0, late=True), Row(1_000, B, 1), Row(1_001, B, 2)]  # (1000, B) comes after (1000, A)
    assert s.counts.late == 1


def test_q7_at_equal_clocks_the_earlier_source_is_late() -> None:
    s = sequencer(A, B)
    s.push(tick(A, 0, idle_ms=GRACE))
    s.push(block(B, [1_000, 5_000]))
    s.push(block(A, [1_000, 1_001]))
    assert drain(s) == [Row(1_000, B, 0), Row(1_000, A, 0, late=True), Row(1_001, A, 1)]


def test_q8_a_record_refused_by_stage_1_moves_no_clock() -> None:
    s = sequencer(A, B)
    s.push(block(A, [10, 30], start=0, offsets=[0, 2], end=3))  # offset 1 was stamped with next year: a dead letter
    s.push(block(B, [20]))
    assert clocks(drain(s)) == [10, 20]
    assert s.counts.gaps == 0


def test_q9_beyond_max_hold_rows_go_in_key_order_and_are_counted() -> None:
    s = sequencer(A, B, C, max_hold=3)
    s.push(block(A, [10, 20, 30]))
    assert drain(s) == []
    s.push(block(B, [5, 20, 20]))
    assert drain(s) == [Row(5, B, 0), Row(10, A, 0), Row(20, A, 1)]
    assert (s.counts.forced, s.held) == (3, 3)
    s.push(block(C, [7, 50]))
    assert drain(s) == [Row(7, C, 0, late=True), Row(20, B, 1), Row(20, B, 2)]
    assert s.counts.late == 1


def test_q9_what_is_forced_breaks_ties_by_source_and_offset_too() -> None:
    s = sequencer(A, B, C, max_hold=700)
    for source in (B, A):
        s.push(block(source, [10] * 300 + [11] * 300))
    assert drain(s) == [Row(10, A, i) for i in range(300)] + [Row(10, B, i) for i in range(200)]


def test_q9_max_hold_holds_before_the_announcement_too() -> None:
    s = Sequencer(grace_ms=GRACE, max_hold=1)
    s.push(block(A, [10, 20, 30]))
    assert clocks(drain(s)) == [10, 20]


def test_q9_a_source_not_heard_of_for_30_beats_is_stalled_until_it_is() -> None:
    s = sequencer(A, B)
    s.push(block(A, [10, 5_000]))
    for _ in range(STALLED_AFTER):
        assert s.push(tick(A, 2)) == []
    assert drain(s) == []
    assert s.push(tick(A, 2)) == [Stalled(B, row=0)]
    assert clocks(drain(s)) == [10]
    assert s.push(tick(A, 2)) == []
    assert s.push(block(B, [4_500])) == [Resumed(B, row=1)]
    assert clocks(drain(s)) == [4_500]
    s.push(block(A, [9_000], start=2))
    assert drain(s) == []


def test_q9_many_ticking_sources_make_a_beat_no_shorter() -> None:
    ticking = [Source("features", i) for i in range(50)]
    s = sequencer(*ticking, C)
    facts = [fact for _ in range(STALLED_AFTER) for source in ticking for fact in s.push(tick(source, 0))]
    assert facts == []
    assert s.push(tick(ticking[0], 0)) == [Stalled(C, row=0)]


def test_q9_a_tick_that_begins_a_beat_belongs_to_it() -> None:
    s = sequencer(A, B)
    s.push(tick(B, 0))
    s.push(tick(B, 0))  # begins beat 1
    facts = [fact for _ in range(STALLED_AFTER) for fact in s.push(tick(A, 0))]
    assert facts == []
    assert s.push(tick(A, 0)) == [Stalled(B, row=0)]


def test_q10_released_clocks_tell_when_a_source_was_last_heard() -> None:
    def heard(messages: list[Message]) -> list[tuple[int, Source]]:
        s = sequencer(A, C)
        for message in messages:
            s.push(message)
        return [(row.clock, row.source) for row in drain(s)]

    rows: list[Message] = [block(C, [10]), block(A, [20, 90_000])]
    end: list[Message] = [End(MODEL, A), End(MODEL, C)]
    ticks: list[Message] = [tick(C, 1, idle_ms=90_000)]
    assert heard(rows + ticks + end) == heard(rows[::-1] + end) == [(10, C), (20, A), (90_000, A)]


def test_q11_a_source_that_has_ended_holds_back_nothing() -> None:
    s = sequencer(A, B)
    s.push(block(A, [10, 20]))
    s.push(End(MODEL, B))
    assert clocks(drain(s)) == [10, 20]
    s.push(End(MODEL, A))
    assert s.push(block(A, [10], start=1)) == []  # seen before
    with pytest.raises(InvariantError, match="from offset 2 on, expected none after its end"):
        s.push(block(A, [30], start=2))


def test_q11_a_source_that_has_ended_is_not_stalled() -> None:
    s = sequencer(A, B)
    s.push(End(MODEL, B))
    assert [fact for _ in range(2 * STALLED_AFTER) for fact in s.push(tick(A, 0))] == []
