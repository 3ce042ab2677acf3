"""Directions in which a histogram can change: location, scale, skew, tails; and how strongly rows depend on their past.

Each direction is a score per bin: Hermite polynomials of the bin's normal score, made orthonormal under the reference. Working on
ranks, they mean the same for every continuous subject. They are the smooth alternatives of Neyman's test.

References
----------
J. Neyman (1937), "Smooth test" for goodness of fit, Skandinavisk Aktuarietidskrift 20.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from detectors.base import FloatArray

__all__ = ["DIRECTIONS", "inflation", "scores"]

DIRECTIONS = ("location", "scale", "skew", "tails")
#: A direction is dropped when the bins can show less than this of it (on two values only location is left). Location never is, so that
#: a rare error that becomes less rare is seen.
_LEAST_NORMS = tuple(least * math.sqrt(math.factorial(k + 1)) for k, least in enumerate((1e-3, 0.15, 0.15, 0.15)))
_LONGEST_MEMORY = 30
_MOST_INFLATION = 1000.0


def scores(counts: NDArray[np.int64]) -> FloatArray:
    """Score of each bin in each direction, (4, bins); a direction that the bins can't show is all zero.

    Parameters
    ----------
    counts : int64 (bins,)
        Rows of the reference per bin. A bin without rows takes the scores of the nearest bin with rows below it (or above it).

    Examples
    --------
    >>> scores(np.array([50, 50])).tolist()
    [[-1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """
    out = np.zeros((len(DIRECTIONS), len(counts)))
    held = counts > 0
    if not held.any():
        return out
    share = counts[held] / counts.sum()
    nearest = np.clip(np.cumsum(held) - 1, 0, len(share) - 1)
    normal = NormalDist()
    z = np.array([normal.inv_cdf(min(max(level, 1e-12), 1 - 1e-12)) for level in np.cumsum(share)[:-1]])
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    basis = [np.ones_like(share)]
    # the integral of He_k φ between two normal scores is the difference of He_(k-1) φ at them
    for k, (hermite, least) in enumerate(zip((np.ones_like(z), z, z * z - 1, z**3 - 3 * z), _LEAST_NORMS, strict=True)):
        integral = np.concatenate([[0.0], hermite * density, [0.0]])
        score = (integral[:-1] - integral[1:]) / share
        for _ in range(2):  # Gram-Schmidt; the second time for what rounding left
            for other in basis:
                score = score - (share * score * other).sum() * other
        norm = math.sqrt(float((share * score * score).sum()))
        if norm >= least:
            score = score / norm
            basis.append(score)
            out[k] = score[nearest]
    return out


def inflation(series: FloatArray) -> float:
    """Long-run variance of a series divided by its variance: 1 when rows are independent, (1 + ρ)/(1 - ρ) for AR(1).

    A sum over n rows varies as if there were n / inflation of them. An autoregressive model is fitted by Levinson-Durbin, its
    order up to 30 chosen by BIC.

    Parameters
    ----------
    series : float64 (n,)
        In order of time.

    Returns
    -------
    float
        In [1, 1000].
    """
    n = len(series)
    if n < 2:
        return 1.0
    centred = series - series.mean()
    variance = float((centred * centred).mean())
    if variance <= 1e-12:
        return 1.0
    spectrum = np.fft.rfft(centred, 2 * n)
    correlation = np.fft.irfft(spectrum * np.conj(spectrum))[: _LONGEST_MEMORY + 1] / n / variance
    coefficients: FloatArray = np.zeros(0)
    residual = 1.0  # variance of the one-step prediction error, in units of the variance
    least, best = 0.0, 1.0
    for order in range(1, min(_LONGEST_MEMORY, n // 20) + 1):
        partial = float(correlation[order] - coefficients @ correlation[order - 1 : 0 : -1]) / residual
        coefficients = np.append(coefficients - partial * coefficients[::-1], partial)
        residual *= 1 - partial * partial
        if residual <= 1e-6:
            return _MOST_INFLATION
        bic = n * math.log(residual) + order * math.log(n)
        if bic < least:
            least, best = bic, residual / max(1 - float(coefficients.sum()), 1e-3) ** 2
    return min(max(best, 1.0), _MOST_INFLATION)
