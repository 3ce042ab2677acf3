"""Labels that wait for their prediction (R5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.events import Int64Array
from streams.engine.join.batches import Labels
from streams.engine.join.entries import MAX_LABELS
from streams.engine.join.keys import Keys
from streams.engine.join.ranks import groups, ranks

__all__ = ["MAX_WAITING", "Orphans"]

#: Labels that wait, at most; beyond, those that have waited longest are dropped.
MAX_WAITING = 200_000


class Orphans:
    """Labels in the order of their log, found by key.

    Rows are appended and marked as gone; a sorted copy of the first words of the keys finds them. New rows are merged into it
    when somebody asks, and rows that are gone are swept out when they are the greater part.
    """

    def __init__(self, wait: int, counts: Counter[str], state: Mapping[str, NDArray[Any]] | None = None) -> None:
        self._wait = wait
        self._counts = counts
        self._rows = _EMPTY if state is None else Labels(*(np.array(state[name]) for name in Labels._fields))
        self._waits = np.ones(len(self._rows.times), bool)
        self._alive = len(self._rows.times)
        self._sorted = np.zeros(0, np.uint64)
        self._order = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return self._alive

    def add(self, labels: Labels) -> None:
        """Let labels wait; at most 100 of one id, at most 200 000 in all."""
        before = len(self._rows.times)
        self._rows = _joined(self._rows, labels)
        self._waits = np.concatenate([self._waits, np.ones(len(labels.times), bool)])
        rows = np.arange(before, before + len(labels.times))
        excess = rows[self._place(labels.keys) >= MAX_LABELS]
        self._counts["excess_label"] += len(excess)
        self._waits[excess] = False
        self._alive += len(rows) - len(excess)
        if self._alive > MAX_WAITING:
            oldest = np.flatnonzero(self._waits)[: self._alive - MAX_WAITING]
            self._counts["orphans_dropped"] += len(oldest)
            self._forget(oldest)
        self._sweep()

    def take(self, keys: Keys) -> tuple[Int64Array, Labels]:
        """Return the labels that wait for these (distinct) keys, of each in log order, with the index of its key; they wait no longer."""
        if not self._alive:
            return np.zeros(0, np.int64), _EMPTY
        rows, index = self._find(keys)
        taken = self._rows.at(rows)
        self._forget(rows)
        self._sweep()
        return index, taken

    def expire(self, pi: int) -> None:
        """Give up labels that no prediction can meet any more: `pi` is beyond their clock + O."""
        if not self._alive:
            return
        over = np.flatnonzero(self._waits & (self._rows.clocks < pi - self._wait))
        self._counts["unmatched_label"] += len(over)
        self._forget(over)
        self._sweep()

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on."""
        return self._rows.at(np.flatnonzero(self._waits))._asdict()

    def _place(self, keys: Keys) -> Int64Array:
        """How many labels of the same id wait before each of these, which are the last rows."""
        index, firsts = groups(keys)
        rows, of = self._find(keys[firsts])
        before = of[rows < len(self._waits) - len(keys)]
        return np.bincount(before, minlength=len(firsts))[index] + ranks(index)

    def _find(self, keys: Keys) -> tuple[Int64Array, Int64Array]:
        """Rows that wait for these keys, of each in log order, and the index of the key of each."""
        self._merge()
        first = np.ascontiguousarray(keys[:, 0])
        low = np.searchsorted(self._sorted, first, "left")
        many = np.searchsorted(self._sorted, first, "right") - low
        index = np.repeat(np.arange(len(keys)), many)
        if not len(index):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        within = np.arange(len(index)) - np.repeat(np.cumsum(many) - many, many)
        rows = self._order[low[index] + within]
        right = self._waits[rows] & (self._rows.keys[rows, 1] == keys[index, 1])
        return rows[right], index[right]

    def _merge(self) -> None:
        known = len(self._order)
        if known == len(self._waits):
            return
        fresh = self._rows.keys[known:, 0]
        order = np.argsort(fresh, kind="stable")
        at = np.searchsorted(self._sorted, fresh[order], "right")
        self._sorted = np.insert(self._sorted, at, fresh[order])
        self._order = np.insert(self._order, at, order + known)

    def _forget(self, rows: Int64Array) -> None:
        self._waits[rows] = False
        self._alive -= len(rows)

    def _sweep(self) -> None:
        if len(self._waits) - self._alive <= max(self._alive, 1_000):
            return
        self._rows = self._rows.at(np.flatnonzero(self._waits))
        self._waits = np.ones(self._alive, bool)
        self._sorted, self._order = np.zeros(0, np.uint64), np.zeros(0, np.int64)


_EMPTY = Labels(
    np.zeros((0, 2), np.uint64),
    np.zeros(0, np.int64),
    np.zeros(0, np.int64),
    np.zeros(0),
    np.zeros(0, np.int64),
    np.zeros(0, np.int16),
)


def _joined(old: Labels, new: Labels) -> Labels:
    columns: list[Any] = [np.concatenate([a, b]) for a, b in zip(old, new, strict=True)]
    return Labels(*columns)
