"""ADWIN: is there a point in the recent past before and after which the means differ? Exactly river's alarms, for many streams at once.

The window grows until some cut through it has means that differ by more than chance; then a change is announced and the window starts
again from nothing. Which cuts there are, and the test, stand in `detectors.adwin_cuts`; what is kept of a window, and how it passes
through a batch, in `detectors.adwin_windows`. All checks that fall into a batch, of all rows, are made at once. Missing values are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from detectors.adwin_cuts import Checks, Cuts, CutTest, Lines
from detectors.adwin_windows import Block, Windows
from detectors.base import BankState, DetectorConfig, FloatArray, Reading, register
from detectors.episodes import Alarm, Milestone, milestones
from detectors.restarting import RestartingBank
from detectors.scaling import reference_level
from detectors.thresholds import adwin_delta
from schemas.events import Int64Array
from schemas.reference import Profile

__all__ = ["Adwin", "AdwinBank"]

_THRESHOLD = 1.0  # of a ratio


@register
class Adwin(DetectorConfig):
    """ADWIN, adaptive windowing: a change of the mean at any scale of time.

    Parameters
    ----------
    delta : float, optional
        Significance δ of a cut, in (0, 1); smaller is slower and quieter. It is not a false-alarm rate. By default it follows from the
        budget of false alarms (`detectors.thresholds.adwin_delta`; below .002 that is extrapolated).
    clock : int
        Values between checks. >= 1.
    max_buckets : int
        Buckets of a size, M: the more, the finer the choice of cuts. >= 2.
    min_window_length : int
        Values on either side of a cut. >= 1.
    grace_period : int
        Values before the first check. >= 0.

    Examples
    --------
    >>> from detectors.testing import STANDARD_NORMAL
    >>> bank = Adwin(delta=0.002).build([STANDARD_NORMAL], arl0=1e6)
    >>> step = np.repeat([[0.0, 1.0, 0.0]], [300, 200, 200], axis=1)
    >>> [(f.change, f.index, f.onset, f.cause) for f in bank.update(step)]
    [('change', 319, 300, 'mean up'), ('back', 543, 496, 'mean down')]

    References
    ----------
    A. Bifet, R. Gavaldà (2007), Learning from time-changing data with adaptive windowing, SIAM Data Mining.
    """

    kind: ClassVar[str] = "adwin"
    catches: ClassVar[str] = "a change of the mean, sudden or slow, without choosing a size or a window"
    cost_ns: ClassVar[int] = 35
    paper: ClassVar[str] = "A. Bifet, R. Gavaldà (2007), Learning from time-changing data with adaptive windowing, SIAM Data Mining"

    delta: float | None = Field(default=None, gt=0, lt=1, description="Significance of a cut; from the budget when not given.")
    clock: int = Field(default=32, ge=1, description="Values between checks.")
    max_buckets: int = Field(default=5, ge=2, description="Buckets of a size: the more, the finer the choice of cuts.")
    min_window_length: int = Field(default=5, ge=1, description="Values on either side of a cut.")
    grace_period: int = Field(default=10, ge=0, description="Values before the first check.")

    def build(self, profiles: Sequence[Profile], *, arl0: float, state: BankState | None = None) -> AdwinBank:
        """Make a bank with one row per profile; see `DetectorConfig.build`."""
        return AdwinBank(self, self.delta or adwin_delta(arl0), np.array([reference_level(p) for p in profiles]), state)


class AdwinBank(RestartingBank):
    """ADWIN over many streams; see `Adwin`."""

    kind: ClassVar[str] = Adwin.kind
    inputs: ClassVar[Literal["values", "scaled"]] = "scaled"
    _arrays: Windows

    def __init__(self, config: Adwin, delta: float, levels: FloatArray, state: BankState | None = None) -> None:
        self._clock = config.clock
        self._shortest = max(config.grace_period + 1, 2 * config.min_window_length)
        self._test = CutTest(delta, config.max_buckets, config.min_window_length)
        super().__init__(levels, Windows.fresh(len(levels), self._test.slots), state)

    def reading(self, row: int) -> Reading:
        """Return the greatest ratio over the cuts of the window as it is now, between two checks too; 1 is the threshold."""
        now, count = self._arrays, self._arrays.count[row : row + 1]
        if count[0] < self._shortest:
            return Reading(0.0, _THRESHOLD, int(count[0]))
        total, squares = now.total[row : row + 1], now.squares[row : row + 1]
        checks = Checks(np.zeros(1, dtype=np.int64), count, total, _variance(count, total, squares))
        cuts = self._test.evaluate(checks, now.ladder(row, self._levels_upto(count)), self._workspace, all_cuts=True)
        return Reading(float(cuts.ratio.max(initial=0.0)), _THRESHOLD, int(count[0]))

    def state(self) -> BankState:
        """Return everything needed to go on; arrays are copies, the ladder without unused levels."""
        state, levels = super().state(), len(self._levels_upto(self._arrays.count))
        arrays = state["arrays"]
        return {**state, "arrays": {**arrays, **{name: arrays[name][:, :levels].copy() for name in ("sums", "places")}}}

    def _levels_upto(self, counts: Int64Array) -> Int64Array:
        """Levels of which a window of one of these counts has seen a multiple."""
        return np.arange(self._test.lowest_level, int(counts.max(initial=0)).bit_length())

    def _advance(self, rows: Int64Array, values: FloatArray, first: int) -> tuple[list[Alarm], list[Milestone]]:
        block = self._arrays.take(rows, values, first, self._workspace)
        if not block.moments.size:
            return [], []
        lines = self._arrays.lines(block, self._levels_upto(block.after), self._workspace)
        alarms = self._alarms(block, lines)
        ends = {alarm.row: alarm.index for alarm in alarms}
        passed = [mark for at in self._episodes.watched(rows) for mark in self._milestones(block, int(at))]
        self._arrays.commit(block, lines)
        return alarms, [mark for mark in passed if mark.index < ends.get(mark.row, math.inf)]

    def _checks(self, block: Block) -> Checks:
        """Counts at which a row's window is looked at: multiples of the clock."""
        passed = block.before // self._clock
        ticks = np.arange(1, int((block.after // self._clock - passed).max()) + 1)
        counts = (passed[:, None] + ticks) * self._clock
        row, tick = np.nonzero((counts <= block.after[:, None]) & (counts >= self._shortest))
        count = counts[row, tick]
        moments = block.moments[row, count - block.before[row] - 1]
        return Checks(row, count, moments.real, _variance(count, moments.real, moments.imag))

    def _alarms(self, block: Block, lines: Lines) -> list[Alarm]:
        checks = self._checks(block)
        cuts = self._test.evaluate(checks, lines, self._workspace)
        loud = np.flatnonzero(cuts.ratio > _THRESHOLD)
        if not loud.size:
            return []
        row, count = checks.row[cuts.check[loud]], checks.count[cuts.check[loud]]
        # Of each row the first check that found a cut, of its cuts the loudest.
        order = np.lexsort((cuts.length[loud], -cuts.ratio[loud], count, row))
        best = loud[order[np.unique(row[order], return_index=True)[1]]]
        return [self._alarm(block, checks, cuts, int(cut)) for cut in best]

    def _alarm(self, block: Block, checks: Checks, cuts: Cuts, cut: int) -> Alarm:
        now, check = self._arrays, cuts.check[cut]
        at, count, total = int(checks.row[check]), int(checks.count[check]), float(checks.total[check])
        row, length, level = int(block.rows[at]), int(cuts.length[cut]), int(cuts.level[cut])
        before = int(block.before[at])
        rung = int(cuts.unit[cut]) - (before >> level) + self._test.slots - 1
        place = block.index(at, length) if length > before else int(now.places[row, level - self._test.lowest_level, rung])
        mean_before, mean_after = cuts.total[cut] / length, (total - cuts.total[cut]) / (count - length)
        return Alarm(
            row=row,
            index=block.index(at, count),
            onset=place + 1,
            statistic=float(cuts.ratio[cut]),
            threshold=_THRESHOLD,
            level=float(now.shift[row] + mean_after),
            n=count - length,
            up=bool(mean_after > mean_before),
        )

    def _milestones(self, block: Block, at: int) -> Iterator[Milestone]:
        row = int(block.rows[at])
        for n in milestones(int(block.before[at]), int(block.after[at])):
            total = float(block.moments[at, n - block.before[at] - 1].real)
            yield Milestone(row, block.index(at, n), n, total, float(self._arrays.shift[row]))


def _variance(count: Int64Array, total: FloatArray, squares: FloatArray) -> FloatArray:
    variance: FloatArray = np.maximum(0.0, (squares - total * total / count) / count)
    return variance
