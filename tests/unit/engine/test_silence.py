"""Rule Q10: a source is silent by the clocks of released rows, wherever the releases were cut."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.events import Source, Tick
from streams.engine.release import Piece, Release, merge
from streams.engine.silence import SilenceWatch
from tests.worlds import block_of

A, B = Source("t", 0), Source("t", 1)
MINUTE = 60_000


def pieces(source: Source, minutes: list[float]) -> Piece:
    stamps = np.array([int(m * MINUTE) for m in minutes])
    return Piece(block_of(source, {}, stamps=stamps), 0, len(stamps), stamps)


def release(a: list[float], b: list[float]) -> Release:
    return merge([[p for p in (pieces(A, a), pieces(B, b)) if len(p)]], 0)


def changes(releases: list[Release], state: bool = False) -> list[tuple[str, bool, int]]:
    watch, out = SilenceWatch(15 * MINUTE), []
    for r in releases:
        out += [("A" if c.source == A else "B", c.silent, int(r.clocks[c.row]) // MINUTE) for c in watch.released(r, r.clocks)]
        if state:
            watch = SilenceWatch(15 * MINUTE, watch.state())
    return out


EVERY = [float(m) for m in range(200)]
GAP = [m for m in EVERY if not 60 < m < 120]


def test_a_gap_longer_than_the_limit_is_silence_until_the_source_is_heard():
    # one row a minute: 20 usual gaps are 20 minutes, which is more than the 15 configured
    assert changes([release(GAP, EVERY)]) == [("A", True, 81), ("A", False, 120)]


@pytest.mark.parametrize("at", [30, 61, 80, 81, 82, 100, 119, 120, 121, 150])
def test_releases_cut_anywhere_say_the_same(at):
    before = release([m for m in GAP if m < at], [m for m in EVERY if m < at])
    after = release([m for m in GAP if m >= at], [m for m in EVERY if m >= at])
    assert changes([before, after], state=True) == [("A", True, 81), ("A", False, 120)]


def test_a_source_with_few_rows_is_not_judged():
    assert changes([release([0.0, 1.0, 2.0], EVERY)]) == []


def test_a_slow_source_may_be_quiet_for_twenty_of_its_gaps():
    slow = [float(m) for m in range(0, 300, 10)]
    fast = [float(m) for m in range(470)]
    assert changes([release(slow, fast)]) == []
    assert changes([release(slow, [float(m) for m in range(520)])]) == [("A", True, 491)]


def test_that_all_are_silent_is_known_by_ticks_only():
    watch = SilenceWatch(15 * MINUTE)
    watch.hear(pieces(A, EVERY).block)
    watch.hear(pieces(B, EVERY).block)
    watch.hear(Tick("fraud", A, 10, 20 * MINUTE))
    assert not watch.all_silent()
    watch.hear(Tick("fraud", B, 10, 16 * MINUTE))
    assert watch.all_silent()
    watch.hear(pieces(B, [300.0]).block)
    assert not watch.all_silent()
