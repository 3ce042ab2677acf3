"""A chunk: up to some ten thousand entries of one cohort, row by row, so that what is read of one entry lies side by side."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from schemas.snapshot import Sealed
from streams.engine.join.keys import Keys

__all__ = ["KEY", "Array", "Arrays", "Chunk", "Layout"]

Array: TypeAlias = NDArray[Any]

#: Names of the two columns that hold an entry's key.
KEY = ("key_0", "key_1")

_KEY_DTYPE = np.dtype("<u8")
_SEALED_ROWS = 1_024  # fewer are not worth a part of their own
_FIRST_ROWS = 64  # a chunk begins small: a cohort may have three entries


class Arrays(Protocol):
    """Where arrays are kept that need not lie in memory."""

    def place(self, name: str, columns: Mapping[str, Array]) -> Mapping[str, Array]:
        """Return arrays of the same content that lie elsewhere, and may be written to; what had this name before stays readable."""

    def drop(self, name: str) -> None:
        """Forget what was placed under a name; its room is free when the last of its arrays is gone."""


class Layout:
    """How an entry's columns lie in memory: those that never change beside one another, and so those that are written later.

    Parameters
    ----------
    columns : mapping of str to str
        dtype of each column.
    mutable : collection of str
        Those that are written later.
    """

    def __init__(self, columns: Mapping[str, str], mutable: Collection[str]) -> None:
        if unknown := set(mutable) - set(columns):
            raise ValueError(f"mutable: found {sorted(unknown)}, expected names out of {sorted(columns)}")
        self.columns = {name: np.dtype(given) for name, given in columns.items()}
        kept = dict.fromkeys(KEY, _KEY_DTYPE) | {name: dtype for name, dtype in self.columns.items() if name not in mutable}
        self.rows = _aligned(kept)
        self.written = _aligned({name: dtype for name, dtype in self.columns.items() if name in mutable})

    def dtype(self, name: str) -> np.dtype[Any]:
        """Return the dtype of a column, those of the key among them."""
        return self.columns.get(name, _KEY_DTYPE)


def _aligned(columns: Mapping[str, np.dtype[Any]]) -> np.dtype[Any]:
    # The widest first: no gaps between them. Numbers that are not aligned cost numpy several times as much.
    return np.dtype(sorted(columns.items(), key=lambda column: -column[1].itemsize), align=True)


class Chunk:
    """Entries of one cohort, in the order of adding.

    Parameters
    ----------
    layout : Layout
        The columns.
    uid : int
        How many entries the store had been given before the first of these; no other chunk ever has this number.
    cohort : int
        The cohort of the entries.
    number : int
        The chunk's part of the handles; given to another one when this is gone.
    """

    __slots__ = ("_arrays", "_layout", "_name", "_rows", "_shared", "_written", "cohort", "fields", "number", "size", "uid", "version")

    def __init__(self, layout: Layout, uid: int, cohort: int, number: int) -> None:
        self.uid, self.cohort, self.number = uid, cohort, number
        self.size = 0
        self.version = 0  # values written since: another one whenever something else is there
        self._layout = layout
        self._arrays: Arrays | None = None  # where it is kept, when not in memory
        self._name = ""
        self._shared = False  # somebody has a state, in which what is written must stay as it was
        self._keep(np.zeros(0, layout.rows), np.zeros(0, layout.written))

    @property
    def in_memory(self) -> bool:
        """Whether it was not placed elsewhere."""
        return self._arrays is None

    def append(self, keys: Keys, values: Mapping[str, Array], most: int) -> None:
        """Add entries. The room grows by doubling, up to `most` rows; what lay elsewhere is in memory again when it grows."""
        begin, end = self.size, self.size + len(keys)
        if end > len(self._rows):
            self._grow(min(most, max(end, 2 * len(self._rows), _FIRST_ROWS)))
        for half, name in enumerate(KEY):
            self.fields[name][begin:end] = keys[:, half]
        for name in self._layout.columns:
            self.fields[name][begin:end] = values[name]
        self.size = end

    def write(self, name: str, rows: NDArray[np.int64], values: Array) -> None:
        """Set a column at rows that are distinct."""
        if self._shared:
            self._keep(
                self._rows, self._written.copy() if self._arrays is None else self._elsewhere(self._arrays, "written", self._written)
            )
            self._shared = False
        self.fields[name][rows] = values
        self.version += len(rows)

    def keys(self) -> Keys:
        """Return the keys of all entries, (size, 2)."""
        return np.stack([self.column(name) for name in KEY], axis=1)

    def column(self, name: str) -> Array:
        """Return one column of all entries, (size,)."""
        return self.fields[name][: self.size]

    def place(self, arrays: Arrays, name: str) -> None:
        """Move to where `arrays` keeps them, under names that begin so."""
        self._name = name
        rows, written = (array[: self.size] for array in (self._rows, self._written))
        self._keep(self._elsewhere(arrays, "rows", rows), self._elsewhere(arrays, "written", written))
        self._arrays, self._shared = arrays, False

    def drop(self) -> None:
        """Give back what it takes elsewhere."""
        if self._arrays is not None:
            for part in ("rows", "written"):
                self._arrays.drop(f"{self._name}/{part}")
            self._arrays = None

    def state(self, name: str) -> dict[str, Any]:
        """Return what `restore` makes the same chunk of; sealed under names that begin so, unless it is small.

        Entries are only ever added to a chunk, so their number tells all states of what never changes apart; of what is written
        later, `version` does.
        """
        self._shared = True
        rows = {column: self.column(column) for column in self._layout.rows.names or ()}
        written = {column: self.column(column) for column in self._layout.written.names or ()}
        large = self.size >= _SEALED_ROWS
        return {
            "uid": self.uid,
            "cohort": self.cohort,
            "version": self.version,
            "rows": Sealed(f"{name}/rows/{self.size}", rows) if large else rows,
            "written": Sealed(f"{name}/written/{self.size}/{self.version}", written) if large else written,
        }

    @classmethod
    def restore(cls, layout: Layout, number: int, state: Mapping[str, Any]) -> Chunk:
        """Make a chunk of its state."""
        chunk = cls(layout, state["uid"], state["cohort"], number)
        columns = {**state["rows"], **state["written"]}
        keys = np.stack([columns[name] for name in KEY], axis=1)
        chunk.append(keys, columns, len(keys))
        chunk.version = state["version"]
        return chunk

    def _elsewhere(self, arrays: Arrays, part: str, array: Array) -> Array:
        return arrays.place(f"{self._name}/{part}", {part: array})[part]

    def _grow(self, rows: int) -> None:
        kept, written = np.zeros(rows, self._layout.rows), np.zeros(rows, self._layout.written)
        kept[: self.size] = self._rows[: self.size]
        written[: self.size] = self._written[: self.size]
        self.drop()
        self._keep(kept, written)
        self._shared = False

    def _keep(self, rows: Array, written: Array) -> None:
        self._rows, self._written = rows, written
        self.fields = {name: array[name] for array in (rows, written) for name in array.dtype.names or ()}
