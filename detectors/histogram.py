"""Histograms whose bins are frozen in the reference: the one picture of the data that PSI and e-SR share.

A profile holds one *fine* histogram per subject. A bank coarsens it: it picks the edges it wants and adds the counts between
them. Bins that follow the current data instead would hide what we look for: one outlier stretches them all.

- Bin i of a numeric subject holds edges[i-1] <= x < edges[i]. Edges lie at quantiles of the reference, so that the law of the
  counts does not depend on the units or the shape of the data; an *atom*, a single value that many rows share, has a bin of its own.
- A categorical subject arrives as the index of its value in the reference's vocabulary, most frequent first; rare neighbours
  share a bin. The index after the last is for values never seen.
- Missing values have a bin of their own, the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detectors.base import FloatArray
from schemas.reference import CategoricalProfile, NumericProfile

__all__ = ["ESR_PERCENTS", "OTHER", "Binning", "Bins", "Codes", "FineHistogram", "category_bins", "fine_histogram", "number_bins"]

Codes = NDArray[np.uint8]
Counts = NDArray[np.int64]

#: Levels of e-SR's edges in percent, finer in the tails: twelve equal bins keep half the information on a change of spread, these 79 %.
ESR_PERCENTS = (1, 4, 10, 20, 35, 50, 65, 80, 90, 96, 99)
_FINE_PERCENTS = tuple(sorted({*ESR_PERCENTS, *range(5, 100, 5)}))
#: Rows that must lie beyond an edge on either side.
_ROWS_BEYOND = 8
_ATOM_PERCENT, _ATOM_ROWS, _ATOMS = 2, 5, 12

#: Stands in a vocabulary, always last, for all values that are not listed, known or not: there were too many, or some were so rare
#: that more unseen ones are to be expected. A vocabulary without it is complete, and any other value is *unseen*.
OTHER = "(other values)"


@dataclass(frozen=True, slots=True, eq=False)
class FineHistogram:
    """What `schemas.reference.NumericProfile` keeps: edges (k,), rows per bin (k + 1,) and the atoms among the edges."""

    edges: FloatArray
    counts: Counts
    atoms: FloatArray


def fine_histogram(present: FloatArray) -> FineHistogram:
    """Bin values at every level that a bank may want, and around atoms.

    Parameters
    ----------
    present : float64 (n,)
        Finite values, in increasing order.

    Examples
    --------
    >>> h = fine_histogram(np.repeat([0.0, 1.0], [900, 100]))
    >>> h.atoms.tolist(), h.counts.tolist()
    ([0.0, 1.0], [0, 900, 0, 100, 0])
    """
    n = len(present)
    levels = [present[_rank(n, percent)] for percent in _FINE_PERCENTS if _usable(n, percent)]
    atoms = _atoms(present)
    after = np.nextafter(atoms[atoms < np.finfo(np.float64).max], np.inf)
    edges = np.unique(np.concatenate([levels, atoms, after])) + 0.0  # + 0.0: no negative zero
    below = np.searchsorted(present, edges, side="left")
    return FineHistogram(edges, np.diff(below, prepend=0, append=n), atoms)


def _usable(n: int, percent: int) -> bool:
    return min(percent, 100 - percent) * n >= _ROWS_BEYOND * 100


def _rank(n: int, percent: int) -> int:
    """Index, among n sorted values, of the smallest one with at least `percent` of them at or below it."""
    return -(-n * percent // 100) - 1


def _atoms(present: FloatArray) -> FloatArray:
    values, counts = np.unique(present, return_counts=True)
    often = counts >= max(len(present) * _ATOM_PERCENT / 100, _ATOM_ROWS)
    values, counts = values[often] + 0.0, counts[often]
    return np.sort(values[np.argsort(-counts, kind="stable")[:_ATOMS]])


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """The bins of one stream as a bank wants them, with the reference's rows in each.

    Parameters
    ----------
    edges : float64 (k,)
        Increasing.
    counts : int64 (k + 1,)
        Rows of the reference per bin; 0 for a bin of values never seen.
    missing : int
        Rows of the reference without a value.
    categorical : bool
        Whether the bins are categories, which have no order.
    """

    edges: FloatArray
    counts: Counts
    missing: int
    categorical: bool

    @property
    def rows(self) -> int:
        """Rows of the reference, missing ones included."""
        return int(self.counts.sum()) + self.missing

    def shares(self) -> FloatArray:
        """Share of each bin, then of the missing: counts + 1/2, so that no bin is impossible. They add up to 1."""
        counts = np.append(self.counts, self.missing)
        smoothed = (counts + 0.5) / (self.rows + 0.5 * len(counts))
        return np.asarray(smoothed / smoothed.sum(), np.float64)


def number_bins(profile: NumericProfile, percents: Sequence[int], *, atom_percent: float = 0.0) -> Bins:
    """Coarsen the histogram of a numeric subject.

    Parameters
    ----------
    profile : NumericProfile
        The reference.
    percents : sequence of int
        Levels wanted, in percent; one that the profile does not hold is replaced by the next lower edge.
    atom_percent : float
        Atoms that hold at least so many percent of the rows keep their bin.
    """
    fine = np.array(profile.edges)
    counts = np.array(profile.counts, np.int64)
    n = int(counts.sum())
    below = np.cumsum(counts)[:-1]  # rows below each fine edge
    wanted = np.zeros(len(fine), bool)
    for percent in percents:
        if _usable(n, percent) and len(fine):
            # the quantile is the greatest edge with fewer rows below it than its rank asks for
            wanted[max(int(np.searchsorted(below, _rank(n, percent), side="right")) - 1, 0)] = True
    for atom in profile.atoms:
        at = int(np.searchsorted(fine, atom))
        if counts[at + 1] * 100 >= atom_percent * n:
            wanted[at : at + 2] = True  # its own value, and the next float
    return Bins(fine[wanted], _merged(counts, np.flatnonzero(wanted) + 1), profile.missing, categorical=False)


def category_bins(profile: CategoricalProfile, *, least_percent: float) -> Bins:
    """Bin the values of a categorical subject, in order of frequency: neighbours share a bin until it holds `least_percent` of the rows.

    All other values (`OTHER`) and values never seen have a bin each.
    """
    counts = np.array(profile.counts[: len(profile.vocabulary)], np.int64)
    known = len(counts) - (OTHER in profile.vocabulary)
    least = counts.sum() * least_percent / 100
    starts, held = [], least
    for value in range(known):
        if held >= least:
            starts.append(value)
            held = 0
        held += counts[value]
    starts += list(range(known, len(counts) + 1))
    return Bins(
        np.array(starts[1:]) - 0.5, _merged(np.append(counts, 0), np.array(starts[1:], np.int64)), profile.missing, categorical=True
    )


def _merged(counts: Counts, starts: NDArray[np.int64]) -> Counts:
    """Add up counts between `starts`, the first bin of each coarse bin but the first."""
    total = np.concatenate([[0], np.cumsum(counts)])
    return np.asarray(np.diff(total[np.concatenate([[0], starts, [len(counts)]])]), np.int64)


class Binning:
    """Tells the bin of every value of many streams, each with its own edges.

    Parameters
    ----------
    bins : sequence of Bins
        One per stream.

    Attributes
    ----------
    width : int
        Number of codes: the bins of the widest stream, and one for the missing.
    missing : int
        Code of the missing: width - 1, for every stream.
    """

    def __init__(self, bins: Sequence[Bins]) -> None:
        most = max((len(b.edges) for b in bins), default=0)
        self.width = most + 2
        self.missing = most + 1
        if self.width > 256:
            raise ValueError(f"{most} edges; expected at most 254")
        self._rows = len(bins)
        held = np.array([len(b.edges) for b in bins], np.int64)
        #: (streams that have these edges, edges (k, streams, 1)): one wide stream must not make all others pay
        self._steps: list[tuple[NDArray[np.int64], FloatArray]] = []
        for first, last in pairwise([0, *np.unique(held[held > 0]).tolist()]):
            having = np.flatnonzero(held > first)
            self._steps.append((having, np.stack([bins[row].edges[first:last] for row in having.tolist()], axis=1)[:, :, None]))

    def codes(self, values: FloatArray) -> Codes:
        """Return the bin of each value, uint8 (rows, n); not a number is missing.

        Comparing with one edge after the other beats a binary search as long as edges are few: it runs at memory speed.
        """
        codes = np.zeros(values.shape, np.uint8)
        for having, edges in self._steps:
            if len(having) == self._rows:
                _add_edges(values, edges, codes)
            else:
                part = codes[having]
                _add_edges(values[having], edges, part)
                codes[having] = part
        finite = np.isfinite(values)
        if not finite.all():
            codes[~finite] = self.missing
        return codes

    def laid_out(self, per_bin: FloatArray, *, fill: float) -> FloatArray:
        """Lay out one stream's numbers per bin, the missing last, over all codes; codes that it does not use get `fill`."""
        out = np.full((self.width, *per_bin.shape[1:]), fill)
        out[: len(per_bin) - 1] = per_bin[:-1]
        out[-1] = per_bin[-1]
        return out


def _add_edges(values: FloatArray, edges: FloatArray, codes: Codes) -> None:
    """Add to `codes` the number of `edges` at or below each value."""
    above = np.empty(values.shape, bool)
    ones = above.view(np.uint8)
    for edge in edges:
        np.greater_equal(values, edge, out=above)
        np.add(codes, ones, out=codes)
