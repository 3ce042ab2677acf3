"""How large a shift a subject's own reference shows: found by replaying the reference through its own detector.

A season that the reference has seen should not raise an alarm. e-SR gives up |θ| ε per row to tolerate shifts of ε; the ε found here
is the least at which the reference itself, played in order, stays quiet. It is 0 for independent and for merely autocorrelated rows.
It knows what the reference shows and no more: two days hold the wave of the day, not that of the week.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors.base import FloatArray
from detectors.esr_statistic import Statistic
from detectors.esr_tables import BLOCK, Table, build_table
from detectors.histogram import Bins
from schemas.reference import Tolerance

__all__ = ["CALIBRATED_ARL0", "EPSILONS", "nearest_tolerance", "tolerances"]

CALIBRATED_ARL0 = (1e5, 1e6, 1e7, 1e8)
EPSILONS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
#: S may come this near to what a quiet reference gives: its expectation is the number of blocks, and by Ville's inequality it exceeds
#: fifty times that with a probability of 2 %.
_QUIET_FACTOR = 50
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class _Trial:
    stream: int
    arl0: float


def tolerances(bins: Sequence[Bins], inflations: Sequence[tuple[float, ...]], values: FloatArray) -> list[tuple[Tolerance, ...]]:
    """Find each stream's tolerated shift at several budgets.

    Parameters
    ----------
    bins : sequence of Bins
        One per stream.
    inflations : sequence of tuple of float
        τ of each stream's directions.
    values : float64 (streams, n)
        The rows of the reference, in order.
    """
    open_trials = [_Trial(stream, arl0) for stream in range(len(bins)) for arl0 in CALIBRATED_ARL0]
    found: dict[_Trial, float] = {}
    for epsilon in EPSILONS:
        tables = [build_table(bins[t.stream], arl0=t.arl0, tolerance=epsilon, inflation=inflations[t.stream]) for t in open_trials]
        peaks = _peaks(tables, values, [t.stream for t in open_trials])
        for trial, table, peak in zip(open_trials, tables, peaks, strict=True):
            if peak < min(math.exp(table.log_threshold), _QUIET_FACTOR * values.shape[1] / BLOCK) or epsilon == EPSILONS[-1]:
                found[trial] = epsilon
        open_trials = [t for t in open_trials if t not in found]
    return [tuple(Tolerance(arl0=a, epsilon=found[_Trial(s, a)]) for a in CALIBRATED_ARL0) for s in range(len(bins))]


def _peaks(tables: Sequence[Table], values: FloatArray, streams: Sequence[int]) -> FloatArray:
    """Greatest S over the replay of each of `streams`."""
    statistic = Statistic(tables)
    peaks = np.zeros(len(tables))
    whole = values.shape[1] - values.shape[1] % BLOCK
    for start in range(0, whole if tables else 0, _CHUNK):
        codes = statistic.binning.codes(values[streams, start : min(start + _CHUNK, whole)])
        for _, _, levels in statistic.run(statistic.counts(codes)):
            np.maximum(peaks, levels.max(axis=0), out=peaks)
    return peaks


def nearest_tolerance(known: Sequence[Tolerance], arl0: float) -> float:
    """The tolerated shift at the budget nearest to `arl0`, by ratio; 0 when none is known.

    Examples
    --------
    >>> nearest_tolerance([Tolerance(arl0=1e5, epsilon=0.1), Tolerance(arl0=1e6, epsilon=0.2)], 4e5)
    0.2
    """
    if not known:
        return 0.0
    return min(known, key=lambda t: abs(math.log(t.arl0 / arl0))).epsilon
