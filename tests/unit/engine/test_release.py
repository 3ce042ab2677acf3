"""What the sequencer hands over, and what it tells of itself."""

from __future__ import annotations

import pytest

from schemas.errors import InvariantError
from schemas.events import Source
from streams.engine.sequencer import Progress
from tests.unit.engine.logs import GRACE, block, drain, sequencer, tick

A, B, C = Source("features", 0), Source("features", 1), Source("labels", 0)


def test_a_block_that_goes_in_steps_is_one_slice_of_one_release() -> None:
    s = sequencer(A, B)
    s.push(block(A, [10, 20, 30, 40]))
    for i, stamp in enumerate((10, 20, 30)):
        s.push(block(B, [stamp], start=i))
    release = s.release()
    assert release is not None
    assert [(p.block.source, p.lo, p.hi) for p in release.pieces] == [(A, 0, 3), (B, 0, 1), (B, 0, 1), (B, 0, 1)]


def test_rows_are_numbered_over_all_releases() -> None:
    s = sequencer(A)
    s.push(block(A, [10, 20]))
    drain(s)
    s.push(block(A, [30], start=2))
    release = s.release()
    assert release is not None
    assert release.first_row == 2


def test_progress_says_how_far_each_source_has_come() -> None:
    s = sequencer(A, B, C)
    s.push(block(A, [1_010, 2_020], start=5))
    s.push(block(B, [1_015]))
    s.push(tick(C, 9, idle_ms=GRACE))
    assert (s.counts.released, s.held) == (2, 1)
    assert s.progress() == (
        Progress(A, cursor=7, clock=2_020, held=1, rows=1, idle=False, stalled=False, ended=False),
        Progress(B, cursor=1, clock=1_015, held=0, rows=1, idle=False, stalled=False, ended=False),
        Progress(C, cursor=9, clock=None, held=0, rows=0, idle=True, stalled=False, ended=False),
    )


def test_state_is_refused_while_rows_would_be_lost() -> None:
    s = sequencer(A)
    s.push(block(A, [10]))
    with pytest.raises(InvariantError, match=r"1 rows were not handed over"):
        s.state()
