"""Learns a reference from the first rows of a stream; says nothing until it has them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from detectors.profiling import build_reference
from schemas.events import Codes, FloatArray, Int32Array, Int64Array
from schemas.reference import Reference
from streams.engine.rows import RoleRows

__all__ = ["Learner"]


class Learner:
    """The first `target` rows of one (version, segment, role), by column.

    Parameters
    ----------
    target : int
        How many rows make the reference.
    state : mapping, optional
        What `state` returned.
    """

    def __init__(self, target: int, state: Mapping[str, Any] | None = None) -> None:
        self._target = target
        self._times: Int64Array = np.zeros(target, np.int64)
        self._numbers: dict[str, FloatArray] = {}
        self._categories: dict[str, tuple[dict[str, int], Int32Array]] = {}
        self._taken = 0
        if state is not None:
            self._taken = int(state["taken"])
            self._times[: self._taken] = state["times"]
            for name, column in state["numbers"].items():
                self._number(name)[: self._taken] = column
            for name, (values, codes) in state["categories"].items():
                index, column = self._category(name)
                index.update({v: i for i, v in enumerate(values)})
                column[: self._taken] = codes

    @property
    def needs(self) -> int:
        """Rows still wanted."""
        return self._target - self._taken

    def take(self, rows: RoleRows, columns: Int64Array, times: Int64Array) -> None:
        """Take rows `columns` of `rows`, at most as many as are needed."""
        a, b = self._taken, self._taken + len(columns)
        self._times[a:b] = times
        if names := tuple(rows.number_names()):
            matrix = rows.numbers(names)[:, columns]
            for name, values in zip(names, matrix, strict=True):
                self._number(name)[a:b] = values
        for name in rows.category_names():
            column = rows.category(name)
            index, codes = self._category(name)
            for row, code in enumerate(column.codes[columns].tolist()):
                if code >= 0:
                    codes[a + row] = index.setdefault(column.values[code], len(index))
        self._taken = b

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

    def _number(self, name: str) -> FloatArray:
        if name not in self._numbers:
            self._numbers[name] = np.full(self._target, np.nan)
        return self._numbers[name]

    def _category(self, name: str) -> tuple[dict[str, int], Int32Array]:
        if name not in self._categories:
            self._categories[name] = ({}, np.full(self._target, -1, np.int32))
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
