"""Predictions that wait for their labels: found by key, kept by cohort, forgotten a cohort at a time.

Entries lie in chunks, each of one cohort. A chunk only grows at its end and goes as a whole, so a cohort is forgotten in as many
steps as it has chunks, and what a snapshot has of a chunk is right for ever but for the columns that are written later. A handle
is the chunk's number and the row in it. The index from keys to handles is no part of the state: it is made again of the keys.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streams.engine.join.chunk import KEY, Array, Arrays, Chunk, Layout
from streams.engine.join.index import KeyIndex
from streams.engine.join.keys import Keys

__all__ = ["Pending", "Places"]

Int64Array: TypeAlias = NDArray[np.int64]

_ROW_BITS = 16
_ROW = (1 << _ROW_BITS) - 1
_FEW = 16  # chunks with less than this part of their rows stay in memory: a file each would cost more than it saves


class Pending:
    """Entries by key and by cohort.

    Parameters
    ----------
    columns : mapping of str to str
        dtype of each column that an entry has besides its key, such as ``{"time": "<i8", "label": "<i2"}``.
    mutable : collection of str
        Columns that are written later.
    arrays : Arrays, optional
        Where chunks go when there are too many entries in memory; without it all stay.
    in_memory : int
        Entries in memory above which the oldest chunks go to `arrays`.
    name : str
        Prefix of the names of what is placed or sealed: who it is of, where several stores share a place.
    rows : int
        Entries of a full chunk, 1 to 65 536.
    state : mapping, optional
        What `state` returned of a store with the same columns.

    Examples
    --------
    >>> pending = Pending({"score": "<f8", "label": "<i2"}, mutable=["label"])
    >>> keys = np.array([[1, 2], [3, 4]], np.uint64)
    >>> handles = pending.add(np.array([7, 7]), keys, {"score": np.array([0.2, 0.9]), "label": np.array([-1, -1])})
    >>> found = pending.find(keys[1:])
    >>> pending.write(found, "label", np.array([1]))
    >>> pending.cohort(7)
    {'score': array([0.2, 0.9]), 'label': array([-1,  1], dtype=int16)}
    >>> pending.drop(7), len(pending)
    (2, 0)
    """

    def __init__(
        self,
        columns: Mapping[str, str],
        *,
        mutable: Collection[str] = (),
        arrays: Arrays | None = None,
        in_memory: int = 2_000_000,
        name: str = "",
        rows: int = 1 << _ROW_BITS,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        if not 1 <= rows <= 1 << _ROW_BITS:
            raise ValueError(f"rows: found {rows}, expected 1 to {1 << _ROW_BITS}")
        self._layout = Layout(columns, mutable)
        self._arrays, self._in_memory, self._name, self._most = arrays, in_memory, name, rows
        self._chunks: list[Chunk | None] = [None]  # by number; 0 is nobody's, so no handle is 0
        self._free: list[int] = []  # numbers that the index does not know
        self._gone: list[int] = []  # numbers of chunks that are no more, which the index still knows
        self._cohorts: dict[int, list[Chunk]] = {}
        self._added = self._size = self._rows_in_memory = 0
        self._index = KeyIndex(0)
        if state is not None:
            self._restore(state)

    def __len__(self) -> int:
        return self._size

    @property
    def nbytes_index(self) -> int:
        """Size of the index, in bytes."""
        return self._index.nbytes

    def find(self, keys: Keys) -> Int64Array:
        """Return the handle of each key, -1 where there is none; (n,).

        A handle holds until its cohort is dropped.
        """
        return self._index.find(keys, self._holds)

    def at(self, handles: Int64Array) -> Places:
        """Return the places of entries, where several of their columns are read or written: cheaper than one by one."""
        return Places(self._chunks, self._layout, handles)

    def read(self, handles: Int64Array, name: str) -> Array:
        """Return a column of entries, (n,)."""
        return self.at(handles).read(name)

    def write(self, handles: Int64Array, name: str, values: Array) -> None:
        """Set a column of entries that are distinct."""
        self.at(handles).write(name, values)

    def add(self, cohorts: Int64Array, keys: Keys, values: Mapping[str, Array]) -> Int64Array:
        """Add entries.

        Parameters
        ----------
        cohorts : NDArray
            int64 (n,).
        keys : NDArray
            uint64 (n, 2), distinct, and none of them there already.
        values : mapping of str to NDArray
            (n,) of each column.

        Returns
        -------
        NDArray
            int64 (n,): handle of each.
        """
        if not self._index.has_room(len(keys)):
            self._build_index(len(keys))
        handles = np.empty(len(keys), np.int64)
        order = np.argsort(cohorts, kind="stable")
        for run in filter(len, np.split(order, np.flatnonzero(np.diff(cohorts[order])) + 1)):
            begin = 0
            while begin < len(run):
                chunk = self._open(int(cohorts[run[0]]), self._added + int(run[begin]))
                some = run[begin : begin + self._most - chunk.size]
                handles[some] = (chunk.number << _ROW_BITS) + np.arange(chunk.size, chunk.size + len(some))
                self._append(chunk, keys[some], {name: values[name][some] for name in self._layout.columns})
                begin += len(some)
        self._added += len(keys)
        self._index.insert(keys, handles)
        self._size += len(keys)
        self._relieve()
        return handles

    def cohorts(self) -> list[int]:
        """Return the cohorts that have entries, sorted."""
        return sorted(self._cohorts)

    def cohort(self, k: int) -> dict[str, Array]:
        """Return all columns of a cohort's entries, each (n,), in the order of adding."""
        chunks = self._cohorts.get(k, [])
        return {
            name: np.concatenate([np.empty(0, dtype), *(c.column(name) for c in chunks)]) for name, dtype in self._layout.columns.items()
        }

    def drop(self, k: int) -> int:
        """Forget a cohort's entries, and say how many there were."""
        chunks = self._cohorts.pop(k, [])
        for chunk in chunks:
            self._rows_in_memory -= chunk.size * chunk.in_memory
            chunk.drop()
            self._chunks[chunk.number] = None
            self._gone.append(chunk.number)
        dropped = sum(chunk.size for chunk in chunks)
        self._size -= dropped
        return dropped

    def state(self) -> dict[str, Any]:
        """Return what makes a store with the same entries. Nothing that happens later changes the arrays in it."""
        chunks = sorted((chunk for of_cohort in self._cohorts.values() for chunk in of_cohort), key=lambda chunk: chunk.uid)
        return {"added": self._added, "chunks": [chunk.state(self._name_of(chunk)) for chunk in chunks]}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._added = state["added"]
        for given in state["chunks"]:
            chunk = Chunk.restore(self._layout, len(self._chunks), given)
            self._chunks.append(chunk)
            self._cohorts.setdefault(chunk.cohort, []).append(chunk)
            self._size += chunk.size
            self._rows_in_memory += chunk.size
            self._relieve()
        self._build_index(0)

    def _open(self, cohort: int, uid: int) -> Chunk:
        """Return the cohort's chunk that has room, a new one if need be."""
        chunks = self._cohorts.setdefault(cohort, [])
        if not chunks or chunks[-1].size >= self._most:
            if not self._free:
                self._free.append(len(self._chunks))
                self._chunks.append(None)
            chunks.append(Chunk(self._layout, uid, cohort, self._free.pop()))
            self._chunks[chunks[-1].number] = chunks[-1]
        return chunks[-1]

    def _append(self, chunk: Chunk, keys: Keys, values: Mapping[str, Array]) -> None:
        self._rows_in_memory -= chunk.size * chunk.in_memory
        chunk.append(keys, values, self._most)
        self._rows_in_memory += chunk.size * chunk.in_memory

    def _relieve(self) -> None:
        """Move the oldest chunks out of memory while there is too much of them."""
        if self._arrays is None or self._rows_in_memory <= self._in_memory:
            return
        movable = [c for c in self._chunks if c is not None and c.in_memory and c.size * _FEW >= self._most]
        for chunk in sorted(movable, key=lambda chunk: chunk.uid):
            if self._rows_in_memory <= self._in_memory:
                return
            chunk.place(self._arrays, self._name_of(chunk))
            self._rows_in_memory -= chunk.size

    def _name_of(self, chunk: Chunk) -> str:
        return f"{self._name}/chunk/{chunk.uid}"

    def _holds(self, handles: Int64Array, keys: Keys) -> NDArray[np.bool_]:
        """Say which of these handles have an entry, and that with the key beside it: the index also knows handles of what is gone."""
        places = Places(self._chunks, self._layout, handles)
        same: NDArray[np.bool_] = places.there & (places.read(KEY[0]) == keys[:, 0]) & (places.read(KEY[1]) == keys[:, 1])
        return same

    def _build_index(self, more: int) -> None:
        """Make an index that knows what is there, with room for so many more."""
        self._index = KeyIndex(self._size + more)
        for chunk in filter(None, self._chunks):
            self._index.insert(chunk.keys(), (chunk.number << _ROW_BITS) + np.arange(chunk.size))
        self._free += self._gone
        self._gone = []


class Places:
    """Where some entries are, by chunk, so that each column of them is read and written a chunk at a time."""

    def __init__(self, chunks: Sequence[Chunk | None], layout: Layout, handles: Int64Array) -> None:
        numbers = handles >> _ROW_BITS
        self._order = np.argsort(numbers.astype(np.uint16) if len(chunks) <= 1 << 16 else numbers, kind="stable")  # 16 bits: a radix sort
        numbers, self._rows = numbers[self._order], (handles & _ROW)[self._order]
        begins = np.flatnonzero(np.diff(numbers, prepend=-1))
        ends = np.append(begins[1:], len(numbers))
        self._runs = [
            (chunks[number], slice(begin, end))
            for number, begin, end in zip(numbers[begins].tolist(), begins.tolist(), ends[: len(begins)].tolist(), strict=True)
        ]
        self._layout = layout

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which of the entries are there, (n,); the others read as 0."""
        there = np.empty(len(self._rows), bool)
        for chunk, run in self._runs:
            there[self._order[run]] = chunk is not None
        return there

    def read(self, name: str) -> Array:
        """Return a column, (n,)."""
        sorted_ = np.zeros(len(self._rows), self._layout.dtype(name))
        for chunk, run in self._runs:
            if chunk is not None:
                sorted_[run] = chunk.fields[name][self._rows[run]]
        values = np.empty_like(sorted_)
        values[self._order] = sorted_
        return values

    def write(self, name: str, values: Array) -> None:
        """Set a column of entries that are distinct."""
        sorted_ = values[self._order]
        for chunk, run in self._runs:
            if chunk is None:
                raise KeyError(f"{name}: entries of a cohort that was dropped")
            chunk.write(name, self._rows[run], sorted_[run])
