"""Masked values are counted by subject; an id that became a feature's name does not become a metric for each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from schemas.events import Block, Fault, Faults, Source
from streams.engine import faults
from streams.engine.faults import OTHER_SUBJECTS, FaultCounts
from streams.engine.release import Piece, merge
from tests.worlds import block_of, cut


def masked(source: Source, names: list[str], stamps: np.ndarray) -> Block:
    """One null in each row, of the subject of that name."""
    subjects = tuple(sorted(set(names)))
    column = np.array([subjects.index(name) for name in names], np.int32)
    rows = np.arange(len(names), dtype=np.int32)
    reasons = np.full(len(names), Fault.NULL, np.uint8)
    return replace(block_of(source, {}, stamps=stamps), faults=Faults(subjects, column, rows, reasons))


def counted(logs: list[Block], cuts: list[int], top: int) -> dict[tuple[str, str], int]:
    """Counts when rows with stamps in [cut, next cut) are released together."""
    counts = FaultCounts()
    for a, b in zip([0, *cuts], [*cuts, top], strict=True):
        parts = [cut(log, *np.searchsorted(log.stamps, (a, b)).tolist()) for log in logs if ((log.stamps >= a) & (log.stamps < b)).any()]
        counts.take(merge([[Piece(p, 0, len(p), p.stamps) for p in parts]], 0))
        counts = FaultCounts(counts.state())
    return dict(counts.counts)


@pytest.mark.parametrize("cuts", [[], [7], [10, 11, 12, 50], list(range(1, 100))])
def test_the_first_subjects_by_row_have_a_name_and_the_rest_is_counted_together(cuts, monkeypatch):
    monkeypatch.setattr(faults, "MOST_NAMED", 10)
    # rows of two sources take turns; each row has a subject of its own, in an order that is not the alphabet's
    a = masked(Source("t", 0), [f"s{97 * i % 100:02}" for i in range(0, 100, 2)], np.arange(0, 100, 2))
    b = masked(Source("t", 1), [f"s{97 * i % 100:02}" for i in range(1, 100, 2)], np.arange(1, 100, 2))
    expected = {(f"s{97 * i % 100:02}", "null"): 1 for i in range(10)} | {(OTHER_SUBJECTS, "null"): 90}
    assert counted([a, b], cuts, 100) == expected


def test_few_subjects_are_all_counted_by_name():
    assert counted([masked(Source("t", 0), ["x", "y", "x"], np.arange(3))], [1], 3) == {("x", "null"): 2, ("y", "null"): 1}
