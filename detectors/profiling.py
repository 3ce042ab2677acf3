"""Learns the reference: what each subject looks like while all is well.

Decisions, so that a stream is never left unwatched and never turns into a warning or an infinity:

- a subject is of the type that most of its present values have; its values of the other type count as missing;
- a subject without any value is numeric, with one bin and all rows missing: the first value it gets is a change;
- a constant has a bin of its own, so any other value is one never seen;
- any finite number is fine, ±1e308 too; integers beyond 2^53 are the nearest float.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.base import FloatArray
from detectors.calibration import tolerances
from detectors.esr_tables import esr_bins
from detectors.histogram import OTHER, Binning, fine_histogram
from detectors.scores import inflation, scores
from schemas.events import Codes, Int32Array, Int64Array
from schemas.reference import CategoricalProfile, NumericProfile, Profile, Reference, Tolerance

__all__ = ["Moments", "build_reference", "moments", "profile_categories", "profile_numbers", "vocabulary_index"]

#: Values listed in a vocabulary, at most; and how often one must have been seen to be listed.
MOST_VALUES, LEAST_SEEN = 64, 2
#: A segment with fewer rows gets no profile of its own.
LEAST_SEGMENT_ROWS = 100
_IQR_OF_NORMAL = 1.349


def profile_numbers(values: FloatArray) -> NumericProfile:
    """Learn the profile of a numeric subject.

    Parameters
    ----------
    values : float64 (n,)
        In order of time; NaN is missing.

    Examples
    --------
    >>> profile = profile_numbers(np.array([0.0, 0.0, 1.0, np.nan] * 250))
    >>> profile.missing, profile.atoms, round(profile.mean, 3)
    (250, (0.0, 1.0), 0.333)
    """
    profile = _numbers(values)
    return profile.model_copy(update={"tolerance": _tolerances([profile], [values])[0]})


def profile_categories(codes: Int32Array, values: Sequence[str]) -> CategoricalProfile:
    """Learn the profile of a categorical subject.

    Parameters
    ----------
    codes : int (n,)
        Index into `values`, in order of time; -1 is missing.
    values : sequence of str
        The distinct values.

    Examples
    --------
    >>> profile = profile_categories(np.array([0, 1, 1, -1] * 250), ("de", "fr"))
    >>> profile.vocabulary, profile.counts, profile.missing
    (('fr', 'de'), (500, 250), 250)
    """
    profile = _categories(codes, values)
    return profile.model_copy(update={"tolerance": _tolerances([profile], [_indices(profile, codes, values)])[0]})


def vocabulary_index(profile: CategoricalProfile) -> tuple[dict[str, int], int]:
    """Return the index of each listed value, and the index of every other one: that of `OTHER` where it is listed, else one past the last.

    Examples
    --------
    >>> vocabulary_index(profile_categories(np.array([0] * 200 + [1] * 100 + [2]), ("a", "b", "c")))
    ({'a': 0, 'b': 1, '(other values)': 2}, 2)
    """
    index = {value: i for i, value in enumerate(profile.vocabulary)}
    return index, index.get(OTHER, len(index))


def build_reference(
    *,
    model: str,
    version: str,
    origin: str,
    times: Int64Array,
    number_names: Sequence[str] = (),
    numbers: FloatArray | None = None,
    category_names: Sequence[str] = (),
    categories: Sequence[Codes] = (),
    segments: Mapping[str, Int64Array] | None = None,
) -> Reference:
    """Learn the profiles of all subjects of one model version.

    Parameters
    ----------
    times : int64 (n,)
        Event times, ms since the epoch.
    number_names, numbers : sequence of str, float64 (len(number_names), n)
        Numeric columns; NaN is missing.
    category_names, categories : sequence of str, sequence of Codes
        String columns. A name may be in both: see the top of this file.
    segments : mapping of str to int64 array
        Rows of each segment, such as ``country=DE``; those with fewer than 100 are left out.
    """
    matrix = np.zeros((0, len(times))) if numbers is None else numbers
    columns: dict[str, FloatArray | Codes] = dict(zip(number_names, matrix, strict=True))
    numeric_cells = dict(zip(number_names, np.isfinite(matrix).sum(axis=1), strict=True))
    for name, strings in zip(category_names, categories, strict=True):
        if np.count_nonzero(strings.codes >= 0) > numeric_cells.get(name, -1):
            columns[name] = strings
    chosen = {name: rows for name, rows in sorted((segments or {}).items()) if len(rows) >= LEAST_SEGMENT_ROWS}
    return Reference(
        model=model,
        version=version,
        origin=origin,
        rows=len(times),
        from_ms=int(times.min()) if len(times) else 0,
        to_ms=int(times.max()) if len(times) else 0,
        profiles=_profiles(columns, None),
        segments={name: _profiles(columns, rows) for name, rows in chosen.items()},
    )


def _profiles(columns: Mapping[str, FloatArray | Codes], rows: Int64Array | None) -> dict[str, Profile]:
    profiles: list[Profile] = []
    values = []
    names = sorted(columns)
    for name in names:
        column = columns[name]
        if isinstance(column, Codes):
            codes = column.codes if rows is None else column.codes[rows]
            profile = _categories(codes, column.values)
            values.append(_indices(profile, codes, column.values))
            profiles.append(profile)
        else:
            values.append(column if rows is None else column[rows])
            profiles.append(_numbers(values[-1]))
    found = zip(profiles, _tolerances(profiles, values), strict=True)
    return {name: p.model_copy(update={"tolerance": t}) for name, (p, t) in zip(names, found, strict=True)}


def _numbers(values: FloatArray) -> NumericProfile:
    present = np.sort(values[np.isfinite(values)]) + 0.0
    fine = fine_histogram(present)
    found = moments(present)
    profile = NumericProfile(
        n=len(values),
        missing=len(values) - len(present),
        counts=tuple(fine.counts.tolist()),
        edges=tuple(fine.edges.tolist()),
        atoms=tuple(fine.atoms.tolist()),
        mean=found.mean,
        sd=found.sd,
        median=found.median,
        spread=found.spread,
        minimum=float(present[0]) if len(present) else 0.0,
        maximum=float(present[-1]) if len(present) else 0.0,
    )
    return profile.model_copy(update={"inflation": _inflations(profile, values)})


class Moments(NamedTuple):
    """Where numbers lie and how far they spread; `spread` is the interquartile range / 1.349."""

    mean: float
    sd: float
    median: float
    spread: float


def moments(present: FloatArray) -> Moments:
    """Mean and spread of values, computed at a power-of-two scale and about the median, so that nothing overflows or cancels.

    Parameters
    ----------
    present : float64 (n,)
        Finite values, in increasing order; all is 0 when there are none.

    Examples
    --------
    >>> moments(np.array([1.5e308, 1.7e308])).mean
    1.6e+308
    """
    if not len(present):
        return Moments(0.0, 0.0, 0.0, 0.0)
    exponent = int(np.frexp(max(-present[0], present[-1]))[1])
    scaled = np.ldexp(present, -exponent)  # in [-1, 1]
    low, median, high = (float(q) for q in np.quantile(scaled, (0.25, 0.5, 0.75)))
    apart = scaled - median
    found = (median + float(apart.mean()), float(apart.std()), median, (high - low) / _IQR_OF_NORMAL)
    largest = 1.0 - 2.0**-53
    return Moments(*(math.ldexp(min(max(x, -largest), largest), exponent) for x in found))


def _categories(codes: NDArray[np.integer], values: Sequence[str]) -> CategoricalProfile:
    seen = np.bincount(codes[codes >= 0], minlength=len(values)).tolist()
    held = {value: n for value, n in zip(values, seen, strict=True) if n}
    rest = held.pop(OTHER, 0)
    frequent = sorted(held, key=lambda value: (-held[value], value))
    listed = [value for value in frequent[:MOST_VALUES] if held[value] >= LEAST_SEEN]
    rest += sum(held.values()) - sum(held[value] for value in listed)
    counts = [held[value] for value in listed]
    if rest:
        listed, counts = [*listed, OTHER], [*counts, rest]
    profile = CategoricalProfile(n=len(codes), missing=len(codes) - sum(counts), counts=tuple(counts), vocabulary=tuple(listed))
    return profile.model_copy(update={"inflation": _inflations(profile, _indices(profile, codes, values))})


def _indices(profile: CategoricalProfile, codes: NDArray[np.integer], values: Sequence[str]) -> FloatArray:
    """Values as a bank gets them: float index into the vocabulary, NaN where missing."""
    index, other = vocabulary_index(profile)
    table = np.array([*(index.get(value, other) for value in values), np.nan])
    return np.asarray(table[codes], np.float64)  # code -1 is the last entry


def _inflations(profile: Profile, values: FloatArray) -> tuple[float, ...]:
    bins = esr_bins(profile)
    codes = Binning([bins]).codes(values[np.isfinite(values)][None, :])[0]
    return tuple(inflation(score[codes]) for score in scores(bins.counts))


def _tolerances(profiles: Sequence[Profile], values: Sequence[FloatArray]) -> list[tuple[Tolerance, ...]]:
    if not profiles:
        return []
    return tolerances([esr_bins(p) for p in profiles], [p.inflation for p in profiles], np.stack(values))
