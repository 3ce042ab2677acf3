"""Where the entry of a key is: an open-addressing hash table over numpy, asked and filled for a batch of keys at a time.

The table is one array of 8-byte slots, in buckets of a cache line: 24 bits of the key's hash (its mark) and the 40 bits of the
entry's handle. A key lies in the bucket that its hash names, or, where that is full, in one of the next. A slot whose mark is
right is a candidate; whether it is the key is told by the entry itself. Nothing is taken out: an entry that is no more is told
by its handle, and its slot is free again when the owner builds a new table.

Who chooses the ids may choose UUIDs that all fall into one bucket. So a key looks through `_PROBES` buckets, which no table of
honest keys comes near to, and what finds no room there goes to a dict, whose hash is secret.

References: D. Knuth, The Art of Computer Programming 3, §6.4 (open addressing with buckets).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from streams.engine.join.keys import Keys

__all__ = ["KeyIndex"]

Handles: TypeAlias = NDArray[np.int64]

#: A handle is a number in [1, 2^40).
_HANDLE_BITS = 40

_HANDLE = np.uint64((1 << _HANDLE_BITS) - 1)
_SLOTS = 8  # of a bucket: 64 bytes
_PROBES = 32
_MOST = 0.6  # of the slots may be used: above, buckets overflow often
_AFTER_BUILD = 0.4  # of them are used by what a new table is built for; the rest is room to grow


class KeyIndex:
    """A table from keys to handles.

    Parameters
    ----------
    entries : int
        For how many keys it is built; it takes half as many more.

    Examples
    --------
    >>> index = KeyIndex(2)
    >>> keys = np.array([[1, 2], [3, 4]], np.uint64)
    >>> index.insert(keys, np.array([10, 11]))
    >>> index.find(np.array([[3, 4], [5, 6]], np.uint64), lambda handles, asked: (keys[handles - 10] == asked).all(axis=1))
    array([11, -1])
    """

    def __init__(self, entries: int) -> None:
        self._buckets = max(8, int(entries / _AFTER_BUILD / _SLOTS) + 1)
        if self._buckets >= 1 << 32:
            raise ValueError(f"entries: found {entries}, expected fewer than 10^10")
        self._table = np.zeros((self._buckets + _PROBES) * _SLOTS, np.uint64)  # the last bucket, too, has so many next ones
        self._filled = np.zeros(self._buckets + _PROBES, np.uint8)  # slots of each bucket that are used: the first ones
        self._elsewhere: dict[bytes, int] = {}
        self._used = 0

    @property
    def nbytes(self) -> int:
        """Size of the table, in bytes."""
        return self._table.nbytes + self._filled.nbytes

    def has_room(self, entries: int) -> bool:
        """Say whether so many more keys may be inserted."""
        return self._used + entries <= _MOST * _SLOTS * self._buckets

    def insert(self, keys: Keys, handles: Handles) -> None:
        """Add keys that are distinct and not in the table, each with its handle; the caller has asked `has_room`."""
        buckets, entries = self._hash(keys)
        entries |= handles.astype(np.uint64)
        # Keys that want the same bucket stand side by side: the first takes its first free slot, the next the one after.
        order = np.argsort(buckets)
        at, entries = buckets[order], entries[order]
        for _ in range(_PROBES):
            if not len(at):
                break
            begins = np.flatnonzero(np.diff(at, prepend=-1))
            wanted = np.diff(begins, append=len(at))
            used = self._filled[at[begins]].astype(np.int64)
            slot = np.arange(len(at)) - np.repeat(begins - used, wanted)
            fits = slot < _SLOTS
            self._table[at[fits] * _SLOTS + slot[fits]] = entries[fits]
            self._filled[at[begins]] = np.minimum(used + wanted, _SLOTS)
            at, entries, order = at[~fits] + 1, entries[~fits], order[~fits]
        for i in order.tolist():
            self._elsewhere[keys[i].tobytes()] = int(handles[i])
        self._used += len(keys)

    def find(self, keys: Keys, holds: Callable[[Handles, Keys], NDArray[np.bool_]]) -> Handles:
        """Look keys up.

        Parameters
        ----------
        keys : NDArray
            uint64 (n, 2).
        holds : callable
            Says of each handle whether its entry is still there and has the key beside it.

        Returns
        -------
        NDArray
            int64 (n,): handle of each key, -1 where there is none.
        """
        found = np.full(len(keys), -1, np.int64)
        buckets, marks = self._hash(keys)
        asked = np.arange(len(keys))
        for _ in range(_PROBES):
            if not len(asked):
                return found
            slots = self._table.reshape(-1, _SLOTS)[buckets]
            row, column = np.nonzero((slots ^ marks[:, None]) <= _HANDLE)
            self._settle(found, keys, asked[row], (slots[row, column] & _HANDLE).astype(np.int64), holds)
            go_on = (slots[:, -1] != 0) & (found[asked] < 0)
            asked, marks, buckets = asked[go_on], marks[go_on], buckets[go_on] + 1
        if self._elsewhere:
            handles = np.array([self._elsewhere.get(keys[i].tobytes(), 0) for i in asked.tolist()], np.int64)
            self._settle(found, keys, asked[handles > 0], handles[handles > 0], holds)
        return found

    @staticmethod
    def _settle(
        found: Handles, keys: Keys, asked: Handles, candidates: Handles, holds: Callable[[Handles, Keys], NDArray[np.bool_]]
    ) -> None:
        if len(asked):
            true = holds(candidates, keys[asked])
            found[asked[true]] = candidates[true]

    def _hash(self, keys: Keys) -> tuple[Handles, NDArray[np.uint64]]:
        """Return the bucket and the mark of keys; every bit of a key has its part in both."""
        mixed = keys[:, 0] * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
        mixed += keys[:, 1]
        for factor in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):  # the finaliser of splitmix64
            mixed ^= mixed >> np.uint64(30)
            mixed *= np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
        buckets = ((mixed >> np.uint64(32)) * np.uint64(self._buckets)) >> np.uint64(32)  # D. Lemire (2019), doi 10.1145/3230636
        return buckets.astype(np.int64), mixed << np.uint64(_HANDLE_BITS)
