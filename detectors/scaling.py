"""Values in units of the reference: what detectors of a mean are fed with. Scaling decides more than the detector.

ADWIN assumes values in about [0, 1] and Page-Hinkley's parameters are in units of its input, so the same 3 σ shift is found after 45
values, 4000 or never, depending on the unit. And one wild value moves a mean by as much as it likes. Three kinds of columns:

======================  ==========================================================================================================
numeric                 (x - median) / spread, clipped to ±3
numeric, on few values  when the spread is 0 or one value holds more than a quarter of the rows (zeros, flags, ratings): the normal
                        score Φ⁻¹ of the mid-rank of the value's bin in the reference, standardised, clipped to ±3
categorical             the surprise -ln p(category), p smoothed by ½ a row, standardised, clipped to ±3
======================  ==========================================================================================================

*Standardised*: mean 0 and standard deviation 1 under the reference, before clipping. A categorical shift between categories of equal
frequency leaves the surprise as it is: the histogram detectors see it. Missing stays missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from detectors.base import FloatArray
from schemas.reference import CategoricalProfile, NumericProfile, Profile

__all__ = ["LIMIT", "Scaler", "reference_level"]

LIMIT = 3.0
_LARGEST_ATOM = 0.25
_SMOOTHING = 0.5
_NARROW = 1e-9

_NORMAL = NormalDist()


class Scaler:
    """Brings many streams, one per row, into units of their references.

    Parameters
    ----------
    profiles : sequence of Profile
        Reference of each row.

    Examples
    --------
    >>> from schemas.reference import CategoricalProfile
    >>> amount = NumericProfile(n=4, missing=0, counts=(2, 2), edges=(10.0,), mean=10.0, sd=5.0, median=10.0, spread=4.0,
    ...                         minimum=5.0, maximum=15.0)
    >>> country = CategoricalProfile(n=99, missing=0, counts=(90, 9), vocabulary=("DE", "FR"))
    >>> Scaler([amount, country]).apply(np.array([[12.0, 99.0, np.nan], [0.0, 1.0, 2.0]])).round(2)
    array([[ 0.5 ,  3.  ,   nan],
           [-0.32,  2.7 ,  3.  ]])
    """

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self._centre = np.zeros((len(profiles), 1))
        self._spread = np.ones((len(profiles), 1))
        self._numeric_tables: list[tuple[int, FloatArray, FloatArray]] = []
        self._category_tables: list[tuple[int, FloatArray]] = []
        for row, profile in enumerate(profiles):
            if isinstance(profile, CategoricalProfile):
                self._category_tables.append((row, np.append(_table(profile), np.nan)))
            elif _on_few_values(profile):
                self._numeric_tables.append((row, np.array(profile.edges), _table(profile)))
            else:
                self._centre[row], self._spread[row] = profile.median, profile.spread

    def apply(self, values: FloatArray) -> FloatArray:
        """Return the values in units of the reference, in a new array.

        Parameters
        ----------
        values : array (rows, n)
            Numbers; of a categorical row, indices into its vocabulary, ``len(vocabulary)`` for a value never seen. NaN is missing.
        """
        with np.errstate(over="ignore"):  # a difference or quotient beyond the largest float is clipped as any other
            scaled = values - self._centre
            scaled /= self._spread
        np.clip(scaled, -LIMIT, LIMIT, out=scaled)
        for row, edges, table in self._numeric_tables:
            scores = table[np.searchsorted(edges, values[row], side="right")]
            scaled[row] = np.where(np.isnan(values[row]), np.nan, scores)
        for row, table in self._category_tables:
            missing = len(table) - 1
            scaled[row] = table[np.where(np.isnan(values[row]), missing, values[row]).astype(np.intp)]
        return scaled


def reference_level(profile: Profile) -> float:
    """Mean of the scaled values under the reference itself: exact for tables, else as if each bin were filled evenly.

    It is 0 for a symmetric column; for a skewed one the mean of what was centred by the median is not.
    """
    counts = _counts(profile)
    if not counts.any():
        return 0.0
    if isinstance(profile, CategoricalProfile) or _on_few_values(profile):
        means = _table(profile)
    else:
        bounds = np.array([profile.minimum, *profile.edges, profile.maximum])
        means = _clipped_means((np.maximum.accumulate(bounds) - profile.median) / profile.spread)
    return float(counts @ means / counts.sum())


def _on_few_values(profile: NumericProfile) -> bool:
    if profile.spread <= 0:
        return True
    counts = np.array(profile.counts)
    atoms = counts[np.searchsorted(profile.edges, profile.atoms, side="right")] if profile.atoms else counts[:0]
    return bool((atoms > _LARGEST_ATOM * counts.sum()).any())


def _counts(profile: Profile) -> FloatArray:
    """Rows per bin, the last of a categorical subject being for values never seen."""
    if isinstance(profile, CategoricalProfile):
        return np.array([*profile.counts[: len(profile.vocabulary)], 0.0])
    return np.array(profile.counts, dtype=float)


def _table(profile: Profile) -> FloatArray:
    """Scaled value of each bin."""
    counts = _counts(profile)
    if not counts.any():
        return np.zeros(len(counts))
    if isinstance(profile, CategoricalProfile):
        shares = (counts + _SMOOTHING) / (counts + _SMOOTHING).sum()
        scores = -np.log(shares)
    else:
        shares = counts / counts.sum()
        ends = _NORMAL.cdf(-LIMIT), _NORMAL.cdf(LIMIT)
        ranks = np.clip(np.cumsum(shares) - shares / 2, *ends)
        scores = np.array([_NORMAL.inv_cdf(rank) for rank in ranks])
    mean = shares @ scores
    sd = np.sqrt(shares @ (scores - mean) ** 2)
    # One value holds all rows: then there is nothing to divide by, and every other value is as far as it can be.
    standardised = (scores - mean) / sd if sd > _NARROW else scores
    clipped: FloatArray = np.clip(standardised, -LIMIT, LIMIT)
    return clipped


def _clipped_means(bounds: FloatArray) -> FloatArray:
    """Mean of clip(z) over each interval of `bounds`, z even within it."""
    low, high = bounds[:-1], bounds[1:]
    width = high - low
    narrow = width < _NARROW
    size = np.abs(bounds)
    integral = np.minimum(size, LIMIT) ** 2 / 2 + LIMIT * np.maximum(size - LIMIT, 0.0)  # of clip(z), from 0; the same on both sides
    means: FloatArray = np.where(narrow, np.clip(low, -LIMIT, LIMIT), np.diff(integral) / np.where(narrow, 1.0, width))
    return means
