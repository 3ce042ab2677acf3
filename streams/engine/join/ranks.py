"""Telling equal values apart by the order in which they come."""

from __future__ import annotations

import numpy as np

from schemas.events import Int64Array
from streams.engine.join.keys import Keys

__all__ = ["groups", "ranks"]


def ranks(values: Int64Array) -> Int64Array:
    """How many equal values stand before each.

    Examples
    --------
    >>> ranks(np.array([7, 3, 7, 7, 3])).tolist()
    [0, 0, 1, 2, 1]
    """
    n = len(values)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if n else np.zeros(0, np.intp)
    out = np.empty(n, np.int64)
    out[order] = np.arange(n) - np.repeat(starts, np.diff(np.append(starts, n)))
    return out


def groups(keys: Keys) -> tuple[Int64Array, Int64Array]:
    """Number the distinct keys: return the number of each row's key, and the first row of each number.

    Examples
    --------
    >>> groups(np.array([[5, 1], [2, 2], [5, 1]], np.uint64))
    (array([1, 0, 1]), array([1, 0]))
    """
    order = np.argsort(keys[:, 0], kind="stable")
    ordered = keys[order]
    if len(keys) and (ordered[1:, 0] == ordered[:-1, 0]).any():
        order = np.lexsort((keys[:, 1], keys[:, 0]))
        ordered = keys[order]
    new = np.ones(len(keys), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    numbers = np.empty(len(keys), np.int64)
    numbers[order] = np.cumsum(new) - 1
    return numbers, order[new]
