"""What e-SR stakes on each bin: log-bets, learnt from the reference once and never changed.

A *component* bets on one kind of change: a shift of size θ along a direction of `detectors.scores`, more missing values, values
never seen. Its log-bet for a row in bin b is

    (θ φ(b) - ψ(θ) - |θ| ε) / τ - ¾ ln(A) / m,        ψ(θ) = ln Σ p_b exp(θ φ(b)),

so that exp(θ φ - ψ) has mean 1 under the reference p. ε is the tolerated shift, τ the inflation of the direction by
autocorrelation. The last term pays for knowing p from m rows only: an error of the reference multiplies the false-alarm rate by
exp(2 ln(A)² / (θ² m)) on average, and losing ln(A)/m per row takes that back for every θ; ¾ is enough, because S overshoots A.
Categories are a matter of their own: see `detectors.esr_categories`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from detectors.base import FloatArray
from detectors.esr_categories import bet_order, sorted_errors
from detectors.histogram import ESR_PERCENTS, Bins, category_bins, number_bins
from detectors.scores import scores
from schemas.reference import NumericProfile, Profile

__all__ = ["BLOCK", "TILE", "Direction", "Table", "build_table", "esr_bins", "log_threshold", "on_grid"]

Direction: TypeAlias = Literal["both", "up"]

#: Rows to a decision, and rows between refreshes of the plug-in bets; both counted from the stream's start.
BLOCK, TILE = 5, 50
#: (direction's index, θ, weight)
_BOTH = (
    *((0, sign * shift, weight) for sign in (1, -1) for shift, weight in ((0.125, 0.03), (0.25, 0.0625), (0.5, 0.0625), (1.0, 0.095))),
    *((1, shift, 0.05) for shift in (0.2, 0.4, -0.25, -0.5)),
    *((2, shift, 0.02) for shift in (0.25, -0.25)),
    *((3, shift, 0.04) for shift in (0.2, -0.2)),
)
#: At an error rate of 4 %, these bet that the odds of an error are 1.4, 1.9, 3.6, 13 and 160 times as high. With the first of them a rise
#: of 4.3 % to 6 % is found in half as many rows, from a reference of 20 000. False alarms are then half the budget, as they are without it
#: (Bernoulli .035 to .3, references of 5000 to 20 000 rows, budgets of 10⁵ and 10⁶: .5 on average, .8 in the worst of 24 cases), but single
#: references stray further: the worst of 100 has up to 18 times the budget, from 7 times.
_UP = ((0, 0.0625, 0.15), (0, 0.125, 0.2), (0, 0.25, 0.25), (0, 0.5, 0.25), (0, 1.0, 0.15))
#: A special bin's share p is bet to have risen to max(least, factor · p).
_SPECIAL_SHARES, _SPECIAL_WEIGHT = ((0.01, 2.0), (0.1, 4.0)), 0.02
_LARGEST_SPECIAL_SHARE = 0.9
_PENALTY, _PLUG_IN_PENALTY = 0.75, 1.5
#: Components that the reference is too small to support are dropped: 2 ln(A)/|θ| · sqrt(τ/m), the spread of their log rate, is above this.
#: Upward bets are few and have no plug-ins beside them: at 4 they still keep half the budget (Bernoulli, 2 million rows of 100 references
#: each), and a rise of 3.5 % to 5.8 % is found from 5000 rows of reference after 2000 rows instead of 6000 to 15 000.
_MOST_SPREAD: dict[Direction, float] = {"both": 2.5, "up": 4.0}
#: Memories of the plug-in bets in rows, weight of all of them together, and rows of reference that each must have per row of memory.
_MEMORIES, _MEMORIES_WEIGHT, _ROWS_PER_MEMORY = (50.0, 100.0, 400.0), 0.1, 3
#: Log-bets are multiples of this: a matrix product of row counts and log-bets is then exact, so it can't depend on how rows were batched.
_GRID = 2.0**-36


def on_grid(log_bets: FloatArray) -> FloatArray:
    """Round to multiples of 2⁻³⁶: sums of up to 2¹⁷ such numbers below 1 are exact in any order."""
    return np.asarray(np.rint(log_bets / _GRID) * _GRID, np.float64)


def esr_bins(profile: Profile) -> Bins:
    """The bins e-SR uses; rare values of a categorical subject share bins of 4 %."""
    if isinstance(profile, NumericProfile):
        return number_bins(profile, ESR_PERCENTS)
    return category_bins(profile, least_percent=4)


def log_threshold(arl0: float) -> float:
    """ln A, where A = `arl0` in blocks: S reaches A once in at least A blocks, on average, while nothing changes."""
    return math.log(max(arl0 / BLOCK, 2.0))


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What one stream's statistic needs to know.

    Parameters
    ----------
    bins : Bins
        Its bins.
    shares : float64 (bins + 1,)
        p: share of each bin in the reference, the missing last.
    log_bets : float64 (bins + 1, components)
        Per value; multiples of 2⁻³⁶.
    memories : float64 (k,)
        Rows that each plug-in bet remembers; empty for none.
    weights : float64 (components + k,)
        Add up to 1.
    inflation : float
        The largest τ: plug-in bets may go in all directions.
    penalty : float
        Taken from plug-in bets, per value.
    log_threshold : float
        ln A.
    tolerance : float
        ε.
    """

    bins: Bins
    shares: FloatArray
    log_bets: FloatArray
    memories: FloatArray
    weights: FloatArray
    inflation: float
    penalty: float
    log_threshold: float
    tolerance: float


def build_table(
    bins: Bins, *, arl0: float, direction: Direction = "both", tolerance: float = 0.0, inflation: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
) -> Table:
    """Set up the bets of one stream.

    Parameters
    ----------
    bins : Bins
        Bins and counts of the reference.
    arl0 : float
        Wanted mean number of values between false alarms. > 0.
    direction : {"both", "up"}
        ``up`` bets on a higher location only: for losses, where fewer errors are no alarm.
    tolerance : float
        ε, in reference standard deviations. >= 0.
    inflation : tuple of float
        τ of each direction. >= 1.
    """
    log_a = log_threshold(arl0)
    rows = max(bins.rows, 1)
    shares = bins.shares()
    stake = _PENALTY * log_a / rows
    if bins.categorical:
        inflation = (max(inflation),) * len(inflation)  # learnt in the order of frequency, not in that of the bets
    smooth, smooth_weights = _smooth_bets(bins, shares, direction, log_a, tolerance, inflation)
    special, special_weights = _special_bets(bins, shares)
    errors = sorted_errors(bins) if bins.categorical else 0.0
    columns, weights = smooth + special, smooth_weights + special_weights
    memories: FloatArray = np.zeros(0)
    if direction == "both":
        memories = np.array([n for n in _MEMORIES if n * _ROWS_PER_MEMORY <= rows] or _MEMORIES[:1])
        weights = weights + [_MEMORIES_WEIGHT / len(memories)] * len(memories)
    return Table(
        bins=bins,
        shares=shares,
        log_bets=on_grid(np.array(columns).reshape(-1, len(shares)).T - stake),
        memories=memories,
        weights=np.array(weights) / sum(weights),
        inflation=max(inflation),
        penalty=_PLUG_IN_PENALTY * (log_a + errors / 2) / rows + tolerance * tolerance / 2,
        log_threshold=log_a,
        tolerance=tolerance,
    )


_Bets: TypeAlias = tuple[list[FloatArray], list[float]]


def _smooth_bets(
    bins: Bins,
    shares: FloatArray,
    direction: Direction,
    log_a: float,
    tolerance: float,
    inflation: tuple[float, ...],
) -> _Bets:
    """Bets along the directions; when the reference is too small for all of one-sided bets, the coarsest stays."""
    directions = _directions(bins)
    columns, weights, spreads = [], [], []
    for k, shift, weight in _BOTH if direction == "both" else _UP:
        score = np.append(directions[k], 0.0)  # a missing value says nothing about the direction
        if not score.any():
            continue
        normaliser = math.log(float((shares * np.exp(shift * score)).sum()))  # ψ(θ)
        columns.append((shift * score - normaliser - abs(shift) * tolerance) / inflation[k])
        weights.append(weight)
        spreads.append(2 * log_a / abs(shift) * math.sqrt(inflation[k] / max(bins.rows, 1)))
    kept = [i for i, spread in enumerate(spreads) if spread <= _MOST_SPREAD[direction]]
    if not kept and direction == "up" and spreads:
        kept = [spreads.index(min(spreads))]
    return [columns[i] for i in kept], [weights[i] for i in kept]


def _directions(bins: Bins) -> FloatArray:
    """Scores of the bins in the directions, (4, bins)."""
    if not bins.categorical:
        return scores(bins.counts)
    order = bet_order(bins)
    return scores(bins.counts[order])[:, np.argsort(order)]


def _special_bets(bins: Bins, shares: FloatArray) -> _Bets:
    """Bets that the missing, and the values never seen, have become more frequent."""
    missing = np.arange(len(shares)) == len(shares) - 1
    unseen = np.append(bins.counts == 0, False)
    columns, weights = [], []
    for special in (missing, unseen):
        now = float(shares[special].sum())
        for least, factor in _SPECIAL_SHARES:
            then = max(least, factor * now)
            if special.any() and then < _LARGEST_SPECIAL_SHARE:
                columns.append(np.where(special, math.log(then / now), math.log((1 - then) / (1 - now))))
                weights.append(_SPECIAL_WEIGHT)
    return columns, weights
