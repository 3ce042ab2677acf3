"""Learns a reference from the first rows of a stream; says nothing until it has them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from detectors.profiling import build_reference
from schemas.events import Codes, FloatArray, Int32Array, Int64Array
from schemas.reference import Reference
from streams.engine.rows import RoleRows

__all__ = ["MOST_SUBJECTS", "Learner"]

#: Columns learnt at most. A producer that writes an id as the name of a feature has a new column in every record.
MOST_SUBJECTS = 4096
_FIRST_ROWS = 1024


class Learner:
    """The first `target` rows of one (version, segment, role), by column.

    A column is learnt when one of these rows has a value in it. Memory grows with the rows taken.

    Parameters
    ----------
    target : int
        How many rows make the reference.
    state : mapping, optional
        What `state` returned.
    """

    def __init__(self, target: int, state: Mapping[str, Any] | None = None) -> None:
        self._target = target
        self._times: Int64Array = np.zeros(0, np.int64)
        self._numbers: dict[str, FloatArray] = {}
        self._categories: dict[str, tuple[dict[str, int], Int32Array]] = {}
        self._taken = 0
        if state is not None:
            self._taken = int(state["taken"])
            self._times = np.array(state["times"], np.int64)
            self._numbers = {name: np.array(column, np.float64) for name, column in state["numbers"].items()}
            self._categories = {
                name: ({value: i for i, value in enumerate(values)}, np.array(codes, np.int32))
                for name, (values, codes) in state["categories"].items()
            }

    @property
    def needs(self) -> int:
        """Rows still wanted."""
        return self._target - self._taken

    def take(self, rows: RoleRows, columns: Int64Array, times: Int64Array) -> int:
        """Take rows `columns` of `rows`, at most as many as are needed; return how many values are of columns beyond the cap."""
        a, b = self._taken, self._taken + len(columns)
        self._reserve(b)
        self._times[a:b] = times
        names, refused = self._admitted(rows, columns)
        if numeric := tuple(name for name in rows.number_names() if name in names):
            for name, values in zip(numeric, rows.numbers(numeric)[:, columns], strict=True):
                if np.isfinite(values).any():
                    self._number(name)[a:b] = values
        for name in rows.category_names():
            column = rows.category(name)
            taken = column.codes[columns]
            if name in names and (taken >= 0).any():
                index, codes = self._category(name)
                for row, code in enumerate(taken.tolist()):
                    if code >= 0:
                        codes[a + row] = index.setdefault(column.values[code], len(index))
        self._taken = b
        return refused

    def _admitted(self, rows: RoleRows, columns: Int64Array) -> tuple[set[str], int]:
        """Names of the columns to take, and how many values the others have."""
        known = self._numbers.keys() | self._categories.keys()
        found = {*rows.number_names(), *rows.category_names()}
        if len(known | found) <= MOST_SUBJECTS:
            return found, 0
        occurring = rows.occurring(columns)
        fresh = sorted((first, name) for name, (first, _) in occurring.items() if name not in known)
        names = known | {name for _, name in fresh[: MOST_SUBJECTS - len(known)]}
        return names, sum(n for name, (_, n) in occurring.items() if name not in names)

    def reference(self, model: str, version: str) -> Reference:
        """Make the reference of what was taken."""
        taken = slice(self._taken)
        return build_reference(
            model=model,
            version=version,
            origin=f"the first {self._taken} rows of the stream",
            times=self._times[taken],
            number_names=list(self._numbers),
            numbers=np.stack([column[taken] for column in self._numbers.values()]) if self._numbers else None,
            category_names=list(self._categories),
            categories=[Codes(tuple(index), codes[taken]) for index, codes in self._categories.values()],
        )

    def _reserve(self, rows: int) -> None:
        """Make room for so many rows, and for as many again up to the target."""
        room = len(self._times)
        if rows > room:
            more = min(max(rows, 2 * room, _FIRST_ROWS), self._target) - room
            self._times = np.pad(self._times, (0, more))
            self._numbers = {name: np.pad(column, (0, more), constant_values=np.nan) for name, column in self._numbers.items()}
            self._categories = {
                name: (index, np.pad(codes, (0, more), constant_values=-1)) for name, (index, codes) in self._categories.items()
            }

    def _number(self, name: str) -> FloatArray:
        if name not in self._numbers:
            self._numbers[name] = np.full(len(self._times), np.nan)
        return self._numbers[name]

    def _category(self, name: str) -> tuple[dict[str, int], Int32Array]:
        if name not in self._categories:
            self._categories[name] = ({}, np.full(len(self._times), -1, np.int32))
        return self._categories[name]

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        n = self._taken
        return {
            "taken": n,
            "times": self._times[:n].copy(),
            "numbers": {name: column[:n].copy() for name, column in self._numbers.items()},
            "categories": {name: [list(index), codes[:n].copy()] for name, (index, codes) in self._categories.items()},
        }
