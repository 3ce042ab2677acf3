"""What the order of frequency does to bets on categories, and what is done about it.

The values of a categorical subject are in the order in which the reference saw them most. Where k values are about as frequent, its
errors alone decide their order, and so they all point along it: the first were seen too often, the last too seldom. As a shift of
location that is sqrt((k - 1)/m), not the 1/sqrt(m) that bets pay for, and bins that merge neighbours keep it. With 50 even values
and 10 000 rows there were 100 times as many false alarms as asked for. Therefore

- smooth bets take values that the reference can hardly tell apart in turn from either end, so that such errors cancel out: `bet_order`;
- plug-in bets, which can go along the order too, pay for what can be learnt of them: `sorted_errors`.

False alarms as a multiple of those asked for, one in 10⁶ values; 40 references each, 8 million values:

==================  =================  =======  ====
values              rows of reference  without  with
==================  =================  =======  ====
12 even             2000               10       .5
24 even             10 000             17       1.0
50 even             2000               510      1.0
50 even             10 000             100      .9
64 even             10 000             180      .6
50, Zipf's law      2000               5        .4
==================  =================  =======  ====

A change of the most frequent values, or towards the rare ones, is found as fast as without from 10 000 rows of reference on. One value
of 50 that doubles is mostly not found, and one that rises fivefold is, in some 600 rows.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from detectors.base import FloatArray
from detectors.histogram import Bins

__all__ = ["bet_order", "sorted_errors"]

#: Values are told apart by so many standard deviations of the more frequent one's count: 64 even values span 4.8.
_APART = 5.0
#: Counts that vary so many times as much as by chance do so for another reason as well.
_BY_CHANCE = 1.5


def bet_order(bins: Bins) -> NDArray[np.intp]:
    """Return the order in which smooth bets take the bins of a categorical subject; those without rows come last.

    It is the order of frequency as far as the reference is sure of it.

    Examples
    --------
    >>> edges = np.arange(5) + 0.5
    >>> bet_order(Bins(edges, np.array([900, 500, 300, 100, 30, 0]), 0, categorical=True)).tolist()
    [0, 1, 2, 3, 4, 5]
    >>> bet_order(Bins(edges, np.array([110, 105, 100, 95, 90, 0]), 0, categorical=True)).tolist()
    [0, 4, 3, 1, 2, 5]
    """
    return np.concatenate([*map(_from_both_ends, _groups(bins)), np.flatnonzero(bins.counts == 0)])


def sorted_errors(bins: Bins) -> float:
    """Return the sum of (count - expected)²/expected that errors in the order of frequency come to, on average.

    It is k - 1 for k values that are alike, and less for those whose counts vary by more than chance.

    Examples
    --------
    >>> edges = np.arange(5) + 0.5
    >>> sorted_errors(Bins(edges, np.array([900, 500, 300, 100, 30, 0]), 0, categorical=True))
    0.0
    >>> sorted_errors(Bins(edges, np.array([110, 105, 100, 95, 90, 0]), 0, categorical=True))
    4.0
    """
    values = _values(bins)
    return math.fsum(_errors(bins.counts[group], values[group]) for group in _groups(bins) if len(group) > 1)


def _errors(rows: NDArray[np.int64], values: FloatArray) -> float:
    expected = rows.sum() * values / values.sum()
    spread = float(((rows - expected) ** 2 / expected).sum())
    by_chance = float(values.sum()) - 1
    return by_chance * min(1.0, _BY_CHANCE * by_chance / max(spread, by_chance))


def _groups(bins: Bins) -> list[NDArray[np.intp]]:
    """Split the bins with rows, in order of frequency, where the reference is sure that values are rarer than the group's first."""
    seen = np.flatnonzero(bins.counts)
    starts, least = [], math.inf
    for i, rows in enumerate((bins.counts[seen] / _values(bins)[seen]).tolist()):
        if rows < least:
            starts.append(i)
            least = rows - _APART * math.sqrt(rows)
    return np.split(seen, starts[1:])


def _values(bins: Bins) -> FloatArray:
    """How many values share each bin: its edges lie between their indices."""
    return np.append(np.diff(bins.edges + 0.5, prepend=0.0), 1.0)


def _from_both_ends(group: NDArray[np.intp]) -> NDArray[np.intp]:
    """First, last; last but one, second; third, last but two; and so on."""
    pairs = np.stack([group, group[::-1]], axis=1)
    pairs[1::2] = pairs[1::2, ::-1].copy()
    return pairs.reshape(-1)[: len(group)]
