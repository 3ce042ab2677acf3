"""What moved, in words: the closed set of causes that a finding on a histogram may name."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

import numpy as np

from detectors.base import FloatArray
from detectors.histogram import Bins
from detectors.scores import scores

__all__ = ["CAUSES", "Cause", "cause_of"]

Cause: TypeAlias = Literal[
    "mean up",
    "mean down",
    "spread up",
    "spread down",
    "skew",
    "tails",
    "shape",
    "missing values",
    "unseen values",
    "category shares",
]
#: - ``mean up``, ``mean down``, ``spread up``, ``spread down``: most rows moved up or down, or away from or towards the middle;
#: - ``skew``, ``tails``: one tail, or both, became heavier or lighter;
#: - ``shape``: something else about the distribution of a number;
#: - ``missing values``: their share changed;
#: - ``unseen values``: values that the reference does not know at all;
#: - ``category shares``: known categories became more or less frequent.
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)

_UP_AND_DOWN: tuple[tuple[Cause, Cause], ...] = (
    ("mean up", "mean down"),
    ("spread up", "spread down"),
    ("skew", "skew"),
    ("tails", "tails"),
)
_SHIFTS = np.array([sign * 2.0**power for power in range(-3, 4) for sign in (1, -1)])
#: A cause is named when it alone explains this share of all that is different.
_ENOUGH = 0.5
#: Of causes that explain as much as the best one, but for this factor, the simplest is named: far out all directions are alike.
_NEARLY = 0.7


def cause_of(bins: Bins, counts: FloatArray) -> Cause:
    """Name what is different about recent rows.

    Each cause is given its best explanation of the rows (the greatest log-likelihood ratio against the reference); the simplest of
    the best is named, unless even that leaves half of the total difference unexplained.

    Parameters
    ----------
    bins : Bins
        The reference.
    counts : float64 (bins + 1,)
        Recent rows per bin, the missing last.
    """
    shares = bins.shares()
    unseen = np.append(bins.counts == 0, False)
    missing = np.arange(len(shares)) == len(bins.counts)
    gains: list[tuple[float, Cause]] = [
        (_share_gain(counts, shares, missing), "missing values"),
        (_share_gain(counts, shares, unseen), "unseen values"),
    ]
    if not bins.categorical:
        gains += _direction_gains(bins, counts[:-1], shares[:-1])
    best = max(gain for gain, _ in gains)
    if best >= _ENOUGH * _total_gain(counts, shares):
        return next(cause for gain, cause in gains if gain >= _NEARLY * best)
    return "category shares" if bins.categorical else "shape"


def _share_gain(counts: FloatArray, shares: FloatArray, special: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    n, k = float(counts.sum()), float(counts[special].sum())
    p = float(shares[special].sum())
    return _weighted_log(k, k / max(n, 1.0), p) + _weighted_log(n - k, 1 - k / max(n, 1.0), 1 - p)


def _weighted_log(k: float, share: float, reference: float) -> float:
    return k * float(np.log(share / reference)) if k > 0 else 0.0


def _direction_gains(bins: Bins, counts: FloatArray, shares: FloatArray) -> list[tuple[float, Cause]]:
    """Best exponential tilt of the reference along each direction, among rows that are not missing."""
    log_shares = np.log(shares / shares.sum())
    gains: list[tuple[float, Cause]] = []
    for score, (up, down) in zip(scores(bins.counts), _UP_AND_DOWN, strict=True):
        tilts = _SHIFTS[:, None] * score
        exponents = tilts + log_shares
        peak = exponents.max(axis=1)
        normalisers = peak + np.log(np.exp(exponents - peak[:, None]).sum(axis=1))
        gained = tilts @ counts - normalisers * counts.sum()
        best = int(gained.argmax())
        gains.append((float(gained[best]), up if _SHIFTS[best] > 0 else down))
    return gains


def _total_gain(counts: FloatArray, shares: FloatArray) -> float:
    """Log-likelihood ratio of the rows' own histogram, less what it would be by chance."""
    n = float(counts.sum())
    held = counts > 0
    by_chance = (np.count_nonzero(held) - 1) / 2
    return float((counts[held] * np.log(counts[held] / n / shares[held])).sum()) - by_chance
