"""95 % confidence intervals from counts and sums, so that they need no rows and no resampling.

They hold for one cohort of independent outcomes. Customers with many predictions each make them too narrow.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from schemas.events import FloatArray, Int64Array

__all__ = [
    "ece_interval",
    "f1_interval",
    "macro_f1_interval",
    "mean_interval",
    "pr_auc_interval",
    "ratio_interval",
    "roc_auc_interval",
    "wilson",
    "wilson_ends",
]

Interval: TypeAlias = tuple[float, float]
Numbers = TypeVar("Numbers", float, FloatArray)

_Z = NormalDist().inv_cdf(0.975)


def wilson(hits: int, n: int, *, errors: float = _Z) -> Interval:
    """Interval of a proportion, `hits` of `n` > 0, so many standard errors to either side.

    Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22: it stays within [0, 1] and is right
    for rare events, where the textbook's p ± z·se is not.

    >>> low, high = wilson(0, 50)
    >>> low, round(high, 3)
    (0.0, 0.071)
    """
    low, high = _wilson(hits / n, float(n), errors)
    return 0.0 if hits == 0 else low, 1.0 if hits == n else high


def wilson_ends(hits: Int64Array, n: Int64Array) -> tuple[FloatArray, FloatArray]:
    """Return the lower and the upper ends of Wilson's intervals of many proportions at once."""
    low, high = _wilson(hits / n, n.astype(np.float64), _Z)
    return np.where(hits == 0, 0.0, low), np.where(hits == n, 1.0, high)


def _wilson(p: Numbers, n: Numbers, errors: float) -> tuple[Numbers, Numbers]:
    z2 = errors * errors
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = errors * (p * (1 - p) / n + z2 / (4 * n * n)) ** 0.5 / (1 + z2 / n)
    return centre - half, centre + half


def mean_interval(mean: float, variance: float, n: int, *, least: float = -math.inf) -> Interval:
    """Interval of a mean of `n` rows with that variance by the central limit theorem, not below `least`."""
    half = _Z * math.sqrt(max(variance, 0.0) / n)
    return max(mean - half, least), mean + half


def ece_interval(ece: float, squares: FloatArray, n: int) -> Interval:
    """Interval of the expected calibration error.

    The error is a sum of sizes, |surplus| of each bin, so chance makes it greater: a perfect model has an error too. The upper end is that
    of a mean, since with the signs of their bins the rows average to the error. The lower end takes off what all bins' chance may
    add up to, each a half-normal of mean √(2/π)·s and variance (1 - 2/π)·s²; it is 0 for as long as chance can explain the error.

    Parameters
    ----------
    squares : float64 (bins,)
        Sum over the bin's rows of the square of score - outcome, over `n`.
    n : int
        Rows.
    """
    chance = squares / n  # s² of each bin
    excess = math.sqrt(2 / math.pi) * float(np.sqrt(chance).sum()) + _Z * math.sqrt((1 - 2 / math.pi) * float(chance.sum()))
    return max(ece - excess, 0.0), mean_interval(ece, float(squares.sum()) - ece * ece, n)[1]


def ratio_interval(a: float, a_variance: float, b: float, b_variance: float, n: int) -> Interval:
    """Interval of a / b, two means of `n` rows, by the delta method; as if rows with a large a had no larger b, so rather too wide."""
    # Spread by mean and then squared: the square of a mean may be too small for a float.
    half = _Z * abs(a / b) * math.hypot(math.sqrt(a_variance) / a if a else 0.0, math.sqrt(b_variance) / b) / math.sqrt(n)
    return a / b - half, a / b + half


def f1_interval(hits: int, missed: int, wrong: int) -> Interval:
    """Interval of F1 from true positives, false negatives and false positives, of which there must be any.

    F1 = 2J / (1 + J) of the Jaccard index J = hits / (hits + missed + wrong). Given how many rows the three make together, the hits are
    binomial, so J has Wilson's interval, and F1 that one's image: unlike the delta method it has a width at F1 = 0 and 1.

    >>> low, high = f1_interval(0, 10, 0)
    >>> low, round(high, 2)
    (0.0, 0.43)
    """
    low, high = wilson(hits, hits + missed + wrong)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def macro_f1_interval(was: Int64Array, said: Int64Array, hit: NDArray[np.bool_], rows: Int64Array, value: float) -> Interval:
    """Interval of the mean F1 over classes by the delta method.

    Takahashi, Yamamoto, Kuchiba, Koyama (2022), Confidence interval for micro-averaged F1 and macro-averaged F1 scores, Applied
    Intelligence 52: the cells of the confusion matrix are multinomial, and macro-F1 is a smooth function of their shares. Too narrow
    when a class has fewer than about 20 rows.

    Parameters
    ----------
    was, said : int64 (cells,)
        Classes of each cell that is not empty.
    hit : bool (cells,)
        Whether they are the same.
    rows : int64 (cells,)
        Rows of the cell.
    value : float
        Macro-F1.
    """
    n = int(rows.sum())
    shares = rows / n
    size = np.bincount(np.concatenate([was, said]), np.concatenate([shares, shares]))
    half_f1 = np.bincount(was[hit], shares[hit], minlength=len(size)) / np.where(size > 0, size, 1.0)
    slope = (hit / size[was] - half_f1[was] / size[was] - half_f1[said] / size[said]) * 2 / np.count_nonzero(size)
    low, high = mean_interval(value, float(shares @ slope**2 - (shares @ slope) ** 2), n)
    return max(low, 0.0), min(high, 1.0)


def roc_auc_interval(auc: float, positives: int, negatives: int) -> Interval:
    """Interval of the area under the ROC curve.

    Hanley, McNeil (1982), The meaning and use of the area under a ROC curve, Radiology 143. Its standard error is 0 at an area of 0
    or 1, so it is taken at half a row of the smaller class away from them.
    """
    a = _inner(auc, min(positives, negatives))
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + (positives - 1) * (q1 - a * a) + (negatives - 1) * (q2 - a * a)) / (positives * negatives)
    half = _Z * math.sqrt(max(variance, 0.0))
    return max(auc - half, 0.0), min(auc + half, 1.0)


def pr_auc_interval(area: float, positives: int) -> Interval:
    """Interval of the area under the precision-recall curve, by the logit method.

    Boyd, Eng, Page (2013), Area under the precision-recall curve: point estimates and confidence intervals, ECML PKDD. Its width is
    taken at half a positive away from 0 and 1.
    """
    a = _inner(area, positives)
    centre, half = math.log(a / (1 - a)), _Z / math.sqrt(positives * a * (1 - a))
    return min(_expit(centre - half), area), max(_expit(centre + half), area)


def _inner(share: float, n: int) -> float:
    return min(max(share, 0.5 / n), 1 - 0.5 / n)


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0
