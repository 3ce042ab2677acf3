"""Where ADWIN may cut a window in two, and which cut speaks loudest.

**The buckets depend on the count alone.** ADWIN keeps the window as an exponential histogram: buckets of 1, 2, 4, … values, at most M of
a size; when there are M + 1 the two oldest of that size become one of twice the size. Cuts are tested at every border between buckets.
The window starts again from nothing after each detection, so what has reached size 2ʲ or more, in units of 2ʲ, follows from the count of
values t: of mⱼ units M - 1 or M stay, and the others go on in pairs. ::

    m₀ = t,  mⱼ₊₁ = max(0, ⌊(mⱼ - M + 1) / 2⌋)      hence      mⱼ = max(0, ⌊(t + M - 1) / 2ʲ⌋ - M + 1)

What went on is older. So the buckets of size 2ʲ end at the multiples 2 mⱼ₊₁ + 1, …, mⱼ of 2ʲ, the borders of level j. They are the last M
multiples up to mⱼ, or the last M - 1, and then the one before them is the last border of the next level, so that the last M are borders in
either case. All are among the last 2 M - 1 multiples of 2ʲ up to t. ::

    t = 13, M = 2:   m = 13, 6, 2, 0     borders at 4, 8 (level 2), 10, 12 (level 1), 13 (level 0)     buckets of 4 4 2 2 1

**The test.** With n₀ values before the cut and n₁ after it, means u₀ and u₁, the variance σ² of the window and δ' = ln(2 ln t / δ)::

    |u₀ - u₁| > √(2 σ² δ' w) + ⅔ δ' w        w = 1 / (n₀ - μ + 1) + 1 / (n₁ - μ + 1)

for n₀, n₁ ≥ μ, the smallest window (river's form of the bound). As h = n₀ n₁ / t turns a difference of means into S(n₀) - n₀ S(t) / t,
the deviation of the sum before the cut from its share, and h w ≥ 1, every cut that passes has a squared deviation of more than 2 σ² δ' h.
This takes no root and no division, so all cuts of all windows are sifted by it and only the few that remain are tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from detectors.base import FloatArray
from detectors.restarting import Workspace
from schemas.events import Int64Array

__all__ = ["Checks", "CutTest", "Cuts", "Lines"]

_ROUNDING = 1.0 - 1e-9  # so that sifting, which rounds differently, loses no cut
_AT_ONCE = 1 << 16  # cuts: their arrays stay in the cache, and below the size at which memory is given back to the system


@dataclass(frozen=True, slots=True)
class Checks:
    """Windows to be tested; arrays (checks,).

    Parameters
    ----------
    row : array of int
        Which row of the `Lines` the window belongs to.
    count : array of int
        Values in the window, t.
    total, variance : array of float
        Sum and variance of these values.
    """

    row: Int64Array
    count: Int64Array
    total: FloatArray
    variance: FloatArray

    def part(self, which: slice | Int64Array) -> Checks:
        """Some of the checks."""
        return Checks(self.row[which], self.count[which], self.total[which], self.variance[which])


@dataclass(frozen=True, slots=True)
class Lines:
    """Sums of the first values of each window, at consecutive multiples of each power of two.

    The sum of the first ``unit << levels[j]`` values of row r is ``sums[r, offsets[j] + unit - starts[r, j]]``.

    Parameters
    ----------
    sums : array (rows, width), C-contiguous
        0 where `unit` is not positive.
    levels, offsets : array of int (levels,)
        Consecutive levels, and where in a row of `sums` their lines begin.
    starts : array of int (rows, levels)
        Multiple with which a line begins.
    """

    sums: FloatArray
    levels: Int64Array
    offsets: Int64Array
    starts: Int64Array

    def lowest(self, levels: int) -> Lines:
        """The first so many levels."""
        return Lines(self.sums, self.levels[:levels], self.offsets[:levels], self.starts[:, :levels])


@dataclass(frozen=True, slots=True)
class Cuts:
    """Cuts and how loud they speak; arrays (cuts,).

    Parameters
    ----------
    check : array of int
        Index into the `Checks`.
    level, unit : array of int
        The cut lies after the first ``unit << level`` values.
    total : array of float
        Sum of the values before the cut.
    ratio : array of float
        Difference of the means over its bound: above 1 the window has changed.
    """

    check: Int64Array
    level: Int64Array
    unit: Int64Array
    total: FloatArray
    ratio: FloatArray

    @property
    def length(self) -> Int64Array:
        """Values before the cut."""
        return self.unit * (1 << self.level)


@dataclass(frozen=True, slots=True)
class CutTest:
    """ADWIN's test of every cut of a window; see the top of this file.

    Parameters
    ----------
    delta : float
        δ, in (0, 1).
    max_buckets : int
        M, >= 2.
    min_window : int
        μ, >= 1.

    Examples
    --------
    The window 0 0 0 0 0 0 0 5 5 5, in buckets of 4 2 2 1 1 values:

    >>> test = CutTest(delta=0.2, max_buckets=2, min_window=1)
    >>> sums = np.array([[0, 0, 0, 0, 0, 0, 0, 0, 5, 10, 15.0] + [0, 0, 0, 0, 5, 15] + [0, 0, 0, 5]])
    >>> lines = Lines(sums, levels=np.arange(3), offsets=np.array([0, 11, 17]), starts=np.array([[0, 0, -1]]))
    >>> window = Checks(row=np.array([0]), count=np.array([10]), total=np.array([15.0]), variance=np.array([5.25]))
    >>> cuts = test.evaluate(window, lines, Workspace(), all_cuts=True)
    >>> sorted(set(zip(cuts.length.tolist(), cuts.ratio.round(2).tolist())))
    [(4, 0.55), (6, 0.82), (8, 0.75), (9, 0.46)]
    """

    delta: float
    max_buckets: int
    min_window: int

    @property
    def lowest_level(self) -> int:
        """Level 0 or 1: borders of level 0 leave fewer than M values after them, which may be fewer than `min_window`."""
        return int(self.min_window >= self.max_buckets)

    @property
    def slots(self) -> int:
        """Multiples of a power of two, up to the count, that can be borders."""
        return 2 * self.max_buckets - 1

    def evaluate(self, checks: Checks, lines: Lines, workspace: Workspace, *, all_cuts: bool = False) -> Cuts:
        """Return the cuts of each window with their ratios, some of them twice.

        Parameters
        ----------
        checks : Checks
            Windows of at least ``2 * min_window`` values.
        lines : Lines
            From `lowest_level` up to the level of the largest bucket or more, each with the last `slots` multiples up to the count.
        all_cuts : bool
            Whether those with a ratio below 1 are wanted: by default most of them are left out.
        """
        largest = int(checks.count.max(initial=0))
        lines = lines.lowest(max(0, ((largest + self.max_buckets - 1) // self.max_buckets).bit_length() - self.lowest_level))
        size = max(1, _AT_ONCE // max(1, len(lines.levels) * self.max_buckets))
        parts = (slice(start, start + size) for start in range(0, len(checks.count), size))
        return _joined([self._some(checks.part(part), lines, part.start, workspace, all_cuts=all_cuts) for part in parts])

    def _some(self, checks: Checks, lines: Lines, offset: int, workspace: Workspace, *, all_cuts: bool) -> Cuts:
        """Evaluate some of the checks, numbered from `offset`; axes are level, border of the level, check."""
        log_term = np.log(2.0 * np.log(checks.count) / self.delta)
        sieve = np.zeros(len(log_term)) if all_cuts else 2.0 * _ROUNDING * checks.variance * log_term / checks.count
        levels, steps = lines.levels[:, None], np.arange(self.max_buckets)[:, None]
        shape = len(levels), self.max_buckets, len(checks.count)
        length, total, deviation, limit = (workspace.take(f"cuts{i}", shape) for i in range(4))

        oldest = np.maximum(0, ((checks.count + self.max_buckets - 1) >> levels) - self.max_buckets + 1) - self.max_buckets + 1
        place = oldest + (lines.offsets[:, None] - lines.starts.T[:, checks.row] + checks.row * lines.sums.shape[1])
        np.take(lines.sums, np.add(place[:, None], steps, out=limit.view(np.int64)), out=total, mode="clip")
        np.add((oldest * np.exp2(levels))[:, None], steps * np.exp2(levels)[:, None], out=length)
        # The highest level reaches back to before the window's first value: there length and sum are 0, which passes no test.
        np.maximum(length, 0.0, out=length)

        np.multiply(length, checks.total / checks.count, out=deviation)
        np.subtract(total, deviation, out=deviation)
        deviation *= deviation
        np.subtract(checks.count.astype(float), length, out=limit)
        limit *= length
        limit *= sieve
        passing = deviation > limit
        if not passing.any():
            return _joined([])
        passing &= (length >= self.min_window) & (length <= checks.count - self.min_window)
        level, step, check = np.nonzero(passing)
        sums = total[level, step, check]
        ratio = self._ratios(checks.part(check), length[level, step, check], sums, log_term[check])
        return Cuts(check + offset, lines.levels[level], oldest[level, check] + step, sums, ratio)

    def _ratios(self, checks: Checks, before: FloatArray, total: FloatArray, log_term: FloatArray) -> FloatArray:
        after = checks.count - before
        weight = 1.0 / (before - self.min_window + 1) + 1.0 / (after - self.min_window + 1)
        bound = np.sqrt(2.0 * checks.variance * log_term * weight) + 2.0 / 3.0 * log_term * weight
        ratio: FloatArray = np.abs(total / before - (checks.total - total) / after) / bound
        return ratio


def _joined(parts: Sequence[Cuts]) -> Cuts:
    if not parts:
        nothing = np.zeros(0, dtype=np.int64)
        return Cuts(nothing, nothing, nothing, np.zeros(0), np.zeros(0))
    return Cuts(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Cuts)))
