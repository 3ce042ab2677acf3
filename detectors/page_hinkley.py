"""Page-Hinkley: has the mean moved by more than a tolerance? Exactly river's alarms, for many streams at once.

With x̄ₜ the running mean since the last alarm, one side sums what exceeds it by more than δ and compares with the sum's own minimum::

    Sₜ = α Sₜ₋₁ + (xₜ - x̄ₜ) - δ        alarm when  Sₜ - min S > λ  and at least `min_instances` values were seen

The other side is the same on the negated deviations. After an alarm the test starts again from nothing. Missing values are skipped.

Unrolled, S = D - G for one side and -D - G for the other, where D adds up the deviations and G = δ (1 + α + … + αⁿ⁻¹) depends on the
count alone. D runs along the batch with the state in front (`numpy.cumsum` adds in order), so no result depends on where a batch ends.
A missing value adds nothing to any sum. The running minimum, the dearest part, is only taken for rows that may alarm at all: within a
tile of 32 values the statistic is at most the tile's greatest S less the least S up to its end.

What river calls alpha, a fading of the sum, defaults to 1 here and not to river's 0.9999: the sum fades towards -δ / (1 - α) but the
minimum that it is compared with never fades, so the statistic must exceed any moderate threshold in time. On standard normal values a
threshold that gives a false alarm every 1 000 000 values with α = 1 gives one every 9 000 with α = 0.9999.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from detectors.base import BankState, DetectorConfig, FloatArray, Reading, register
from detectors.episodes import Alarm, Milestone, milestones
from detectors.restarting import BoolArray, RestartingBank, RowArrays, add_up
from detectors.scaling import reference_level
from detectors.thresholds import siegmund_threshold
from schemas.events import Int64Array
from schemas.reference import Profile

__all__ = ["PageHinkley", "PageHinkleyBank"]

_SIGNS: dict[str, tuple[int, ...]] = {"both": (1, -1), "up": (1,), "down": (-1,)}
_TILE = 32


@register
class PageHinkley(DetectorConfig):
    """Page-Hinkley test for a change of the mean.

    Parameters
    ----------
    delta : float
        Tolerated shift δ, in reference standard deviations. >= 0; best for shifts of twice this size.
    threshold : float, optional
        Alarm level λ, in reference standard deviations; larger is slower and quieter. > 0. By default it follows from the budget of
        false alarms (`detectors.thresholds.siegmund_threshold`).
    alpha : float
        Fading of the sum, in (0, 1]. 1 is the calibrated test; less is for comparison with river.
    min_instances : int
        Values since the last alarm before the first test. >= 1.
    mode : {"both", "up", "down"}
        Which moves of the mean are looked for.

    Examples
    --------
    >>> from detectors.testing import STANDARD_NORMAL
    >>> bank = PageHinkley(threshold=5.0).build([STANDARD_NORMAL], arl0=1e5)
    >>> step = np.repeat([[0.0, 1.0]], [100, 50], axis=1)
    >>> [(f.index, f.onset, f.cause) for f in bank.update(step)]
    [(107, 100, 'mean up')]

    References
    ----------
    E. S. Page (1954), Continuous inspection schemes, Biometrika 41; D. V. Hinkley (1971), Biometrika 58.
    """

    kind: ClassVar[str] = "page_hinkley"
    catches: ClassVar[str] = "a lasting shift of the mean, small ones too; the quickest at about twice its delta"
    cost_ns: ClassVar[int] = 25
    paper: ClassVar[str] = "E. S. Page (1954), Continuous inspection schemes, Biometrika 41"

    delta: float = Field(default=0.25, ge=0, allow_inf_nan=False, description="Tolerated shift, in reference standard deviations.")
    threshold: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Alarm level, in reference sd; from the budget when not given."
    )
    alpha: float = Field(default=1.0, gt=0, le=1, description="Fading of the sum; less than 1 breaks the calibration.")
    min_instances: int = Field(default=30, ge=1, description="Values since the last alarm before the first test.")
    mode: Literal["both", "up", "down"] = Field(default="both", description="Which moves of the mean are looked for.")

    def build(self, profiles: Sequence[Profile], *, arl0: float, state: BankState | None = None) -> PageHinkleyBank:
        """Make a bank with one row per profile; see `DetectorConfig.build`."""
        threshold = self.threshold or siegmund_threshold(arl0, self.delta, sides=len(_SIGNS[self.mode]))
        return PageHinkleyBank(self, threshold, np.array([reference_level(p) for p in profiles]), state)


@dataclass(slots=True)
class _Arrays(RowArrays):
    """What is known per row, and per side where there are two dimensions. A side's *low* is where its sum was smallest."""

    count: FloatArray  # values since the last alarm; a float, as it divides floats
    shift: FloatArray  # the first of them: all sums are about it, so that a large offset costs no precision
    total: FloatArray
    deviation: FloatArray  # D
    low: FloatArray
    low_count: FloatArray
    low_total: FloatArray
    low_index: Int64Array

    @classmethod
    def fresh(cls, rows: int, sides: int) -> Self:
        count, shift, total, deviation = np.zeros((4, rows))
        low, low_count, low_total = np.zeros((3, rows, sides))
        low_index = np.zeros((rows, sides), dtype=np.int64)
        return cls(np.full(rows, -1), count, shift, total, deviation, low, low_count, low_total, low_index)


@dataclass(frozen=True, slots=True)
class _Walk:
    """The test along a block: arrays (rows, n), one path of sums S per side."""

    first: int
    counts: FloatArray
    totals: FloatArray
    deviations: FloatArray
    paths: list[FloatArray]


class PageHinkleyBank(RestartingBank):
    """Page-Hinkley over many streams; see `PageHinkley`."""

    kind: ClassVar[str] = PageHinkley.kind
    inputs: ClassVar[Literal["values", "scaled"]] = "scaled"
    _arrays: _Arrays

    def __init__(self, config: PageHinkley, threshold: float, levels: FloatArray, state: BankState | None = None) -> None:
        self._config = config
        self._threshold = threshold
        self._signs = _SIGNS[config.mode]
        super().__init__(levels, _Arrays.fresh(len(levels), len(self._signs)), state)

    def reading(self, row: int) -> Reading:
        """Return the larger of the two sides' statistics; 0 until there are `min_instances` values."""
        now, n = self._arrays, int(self._arrays.count[row])
        tested = n >= self._config.min_instances
        sums = np.multiply(self._signs, now.deviation[row]) - self._tolerated(now.count[row])
        return Reading(float((sums - now.low[row]).max()) if tested else 0.0, self._threshold, n)

    def _advance(self, rows: Int64Array, values: FloatArray, first: int) -> tuple[list[Alarm], list[Milestone]]:
        missing = np.isnan(values)
        self._shift_fresh(rows, values, missing)
        walk = self._walk(rows, values, missing, first)
        alarms = [alarm for at in self._suspects(rows, walk) if (alarm := self._alarm(int(rows[at]), int(at), walk)) is not None]
        ends = {alarm.row: alarm.index - first for alarm in alarms}
        watched = self._episodes.watched(rows)
        passed = [m for at in watched for m in self._milestones(int(rows[at]), int(at), walk, ends.get(int(rows[at])))]
        self._commit(rows, walk)
        return alarms, passed

    def _shift_fresh(self, rows: Int64Array, values: FloatArray, missing: BoolArray) -> None:
        fresh = np.flatnonzero(self._arrays.count[rows] == 0)
        if fresh.size:
            there = values[fresh, missing[fresh].argmin(axis=1)]
            self._arrays.shift[rows[fresh]] = np.where(np.isnan(there), 0.0, there)

    def _walk(self, rows: Int64Array, values: FloatArray, missing: BoolArray, first: int) -> _Walk:
        now, gaps = self._arrays, bool(missing.any())
        counts, totals, deviations, scratch = (self._workspace.take(name, values.shape) for name in ("counts", "totals", "D", "G"))
        steps = np.cumsum(~missing, axis=1) if gaps else np.arange(1, values.shape[1] + 1)
        np.add(now.count[rows][:, None], steps, out=counts)
        np.subtract(values, now.shift[rows][:, None], out=totals)
        if gaps:
            totals[missing] = 0.0
        deviations[:] = totals
        add_up(totals, now.total[rows])
        deviations -= np.divide(totals, np.maximum(counts, 1.0) if gaps else counts, out=scratch)
        if gaps:
            deviations[missing] = 0.0
        self._add_up(deviations, now.deviation[rows], missing)
        tolerated = self._tolerated(counts, out=scratch)
        paths = []
        for sign in self._signs:
            path = np.multiply(deviations, sign, out=self._workspace.take(f"S{sign}", values.shape))
            path -= tolerated
            paths.append(path)
        return _Walk(first, counts, totals, deviations, paths)

    def _tolerated(self, counts: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """G of the top of the file."""
        alpha, delta = self._config.alpha, self._config.delta
        if alpha == 1.0:
            return np.multiply(counts, delta, out=out)
        return np.multiply(np.expm1(counts * math.log(alpha)), -delta / (1.0 - alpha), out=out)

    def _add_up(self, deviations: FloatArray, carry: FloatArray, missing: BoolArray) -> None:
        alpha = self._config.alpha
        if alpha == 1.0:
            add_up(deviations, carry)
            return
        # Any closed form of the fading sum would round differently with the batch: go column by column.
        fading = np.where(missing, 1.0, alpha)
        for column in range(deviations.shape[1]):
            carry = carry * fading[:, column] + deviations[:, column]
            deviations[:, column] = carry

    def _suspects(self, rows: Int64Array, walk: _Walk) -> Int64Array:
        """Positions in `rows` that may alarm; all that do are among them."""
        may = np.zeros(len(rows), dtype=bool)
        tiles = np.arange(0, walk.counts.shape[1], _TILE)
        for side, path in enumerate(walk.paths):
            least = np.minimum.accumulate(np.minimum.reduceat(path, tiles, axis=1), axis=1)
            np.minimum(least, self._arrays.low[rows, side][:, None], out=least)
            may |= (np.maximum.reduceat(path, tiles, axis=1) - least > self._threshold).any(axis=1)
        return np.flatnonzero(may & (walk.counts[:, -1] >= self._config.min_instances))

    def _alarm(self, row: int, at: int, walk: _Walk) -> Alarm | None:
        now = self._arrays
        lows = now.low[row]
        statistics = [path[at] - np.minimum(np.minimum.accumulate(path[at]), low) for path, low in zip(walk.paths, lows, strict=True)]
        over = (np.maximum.reduce(statistics) > self._threshold) & (walk.counts[at] >= self._config.min_instances)
        if not over.any():
            return None
        column = int(over.argmax())
        side = int(np.argmax([statistic[column] for statistic in statistics]))
        count, total = now.low_count[row, side], now.low_total[row, side]
        index = int(now.low_index[row, side] if count else now.start[row])
        lowest = int(walk.paths[side][at, : column + 1].argmin())
        if walk.paths[side][at, lowest] < lows[side]:
            count, total, index = walk.counts[at, lowest], walk.totals[at, lowest], walk.first + lowest
        n = walk.counts[at, column] - count
        level = now.shift[row] + (walk.totals[at, column] - total) / n
        return Alarm(
            row=row,
            index=walk.first + column,
            onset=index + 1,
            statistic=float(statistics[side][column]),
            threshold=self._threshold,
            level=float(level),
            n=int(n),
            up=self._signs[side] > 0,
        )

    def _milestones(self, row: int, at: int, walk: _Walk, end: int | None) -> Iterator[Milestone]:
        counts = walk.counts[at, :end]
        for n in milestones(int(self._arrays.count[row]), int(counts[-1]) if counts.size else 0):
            column = int(np.searchsorted(counts, n))
            yield Milestone(row, walk.first + column, n, float(walk.totals[at, column]), float(self._arrays.shift[row]))

    def _commit(self, rows: Int64Array, walk: _Walk) -> None:
        now, each = self._arrays, np.arange(len(rows))
        now.count[rows] = walk.counts[:, -1]
        now.total[rows] = walk.totals[:, -1]
        now.deviation[rows] = walk.deviations[:, -1]
        for side, path in enumerate(walk.paths):
            column = path.argmin(axis=1)
            lowest = path[each, column]
            lower = lowest < now.low[rows, side]
            better, at, column = rows[lower], each[lower], column[lower]
            now.low[better, side] = lowest[lower]
            now.low_count[better, side] = walk.counts[at, column]
            now.low_total[better, side] = walk.totals[at, column]
            now.low_index[better, side] = walk.first + column
