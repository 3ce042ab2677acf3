"""ADWIN's cuts are the borders of its exponential histogram, and its parameters are checked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from detectors.adwin import Adwin
from detectors.adwin_cuts import Checks, CutTest, Lines
from detectors.restarting import Workspace
from detectors.testing import STANDARD_NORMAL
from detectors.thresholds import adwin_delta


class Histogram:
    """The exponential histogram as the paper tells it: a value is a bucket, and of too many buckets the two oldest are merged."""

    def __init__(self, max_buckets: int) -> None:
        self.max_buckets = max_buckets
        self.levels: list[int] = [0]  # how many buckets of 1, 2, 4, … values

    def add(self) -> None:
        self.levels[0] += 1
        for level, buckets in enumerate(self.levels):
            if buckets > self.max_buckets:
                self.levels[level] -= 2
                if level + 1 == len(self.levels):
                    self.levels.append(0)
                self.levels[level + 1] += 1

    def borders(self) -> list[int]:
        sizes = [1 << level for level, buckets in reversed(list(enumerate(self.levels))) for _ in range(buckets)]
        return np.cumsum(sizes).tolist()


@pytest.mark.parametrize("max_buckets", [2, 3, 5, 8])
@pytest.mark.parametrize("min_window", [1, 2, 5, 30])
def test_cuts_are_the_borders_between_buckets(max_buckets: int, min_window: int) -> None:
    n = 700
    test = CutTest(0.1, max_buckets, min_window)
    levels = np.arange(test.lowest_level, n.bit_length())
    sums = np.concatenate([[0.0], np.cumsum(np.random.default_rng(1).normal(size=n))])
    pad = np.zeros(test.slots)
    lines = [np.concatenate([pad, sums[:: 1 << level]]) for level in levels]
    offsets = np.cumsum([0, *(len(line) for line in lines[:-1])])
    known = Lines(np.concatenate(lines)[None, :], levels, offsets, np.full((1, len(levels)), -test.slots))
    histogram = Histogram(max_buckets)
    for count in range(1, n + 1):
        histogram.add()
        if count < max(2, 2 * min_window):
            continue
        window = Checks(np.zeros(1, np.int64), np.array([count]), sums[[count]], np.ones(1))
        cuts = test.evaluate(window, known, Workspace(), all_cuts=True)
        expected = [border for border in histogram.borders() if min_window <= border <= count - min_window]
        assert sorted(set(cuts.length.tolist())) == expected


def test_sifting_loses_no_cut_that_passes() -> None:
    rng = np.random.default_rng(5)
    bank = Adwin(delta=0.5, clock=1).build([STANDARD_NORMAL] * 50, arl0=1e6)
    slow = Adwin(delta=0.5, clock=10_000).build([STANDARD_NORMAL] * 50, arl0=1e6)
    values = rng.normal(size=(50, 400))
    first = {f.row: f for f in reversed(bank.update(values))}
    for at in range(400):
        slow.update(values[:, at : at + 1])
        for row in range(50):
            if at < (first[row].index if row in first else 400):
                assert not slow.reading(row).breached
    assert len(first) > 5


def test_delta_follows_from_the_budget_unless_given() -> None:
    values = np.random.default_rng(0).normal(size=(1, 4000))
    values[0, 2000:] += 0.35
    by_budget = Adwin().build([STANDARD_NORMAL], arl0=1e5).update(values)
    assert by_budget == Adwin(delta=adwin_delta(1e5)).build([STANDARD_NORMAL], arl0=1.0).update(values)
    assert by_budget[0].index < Adwin().build([STANDARD_NORMAL], arl0=1e12).update(values)[0].index


def test_memory_grows_with_the_logarithm_of_the_window() -> None:
    bank = Adwin(delta=1e-9).build([STANDARD_NORMAL], arl0=1e6)
    sizes = []
    for _ in range(3):
        for _ in range(40):
            bank.update(np.random.default_rng(0).normal(size=(1, 1000)))
        sizes.append(sum(array.nbytes for array in bank.state()["arrays"].values()))
    assert sizes[0] <= sizes[1] <= sizes[2] < 3000


@pytest.mark.parametrize(
    "wrong", [{"delta": 0.0}, {"delta": 1.0}, {"clock": 0}, {"max_buckets": 1}, {"min_window_length": 0}, {"grace_period": -1}, {"d": 1}]
)
def test_parameters_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Adwin(**wrong)
