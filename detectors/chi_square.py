"""The chi-square distribution's far tail, without SciPy (which takes two seconds to import)."""

from __future__ import annotations

import math
from functools import lru_cache

__all__ = ["critical_value", "survival"]


def survival(x: float, freedom: int) -> float:
    """Probability that a chi-square variable with `freedom` degrees of freedom exceeds `x`.

    A finite sum of positive terms, hence as exact far out as near the middle (Abramowitz and Stegun 26.4.4, 26.4.5).

    Examples
    --------
    >>> round(survival(3.841458820694124, 1), 12)
    0.05
    """
    if x <= 0:
        return 1.0
    half = x / 2
    log_half = math.log(half)
    start, total = (0.0, 0.0) if freedom % 2 == 0 else (0.5, math.erfc(math.sqrt(half)))
    powers = (start + i for i in range(freedom // 2))
    return total + sum(math.exp(power * log_half - half - math.lgamma(power + 1)) for power in powers)


@lru_cache(maxsize=4096)
def critical_value(p: float, freedom: int) -> float:
    """The value that a chi-square variable exceeds with probability `p`.

    Parameters
    ----------
    p : float
        In (0, 1).
    freedom : int
        Degrees of freedom. >= 1.

    Examples
    --------
    >>> round(critical_value(0.05, 1), 9)
    3.841458821
    """
    if not 0 < p < 1:
        raise ValueError(f"p is {p}; expected a number between 0 and 1")
    low, high = 0.0, 1.0
    while survival(high, freedom) > p:
        low, high = high, 2 * high
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if survival(middle, freedom) > p else (low, middle)
    return (low + high) / 2
