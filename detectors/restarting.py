"""Banks that start again from nothing after each alarm, as river's detectors do: what they have in common.

A subclass advances some rows up to the first alarm of each; what follows the alarm is fed to it again, as a block in which the values up
to the alarm are missing. `detectors.episodes` says what an alarm means.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.base import BankState, Finding, FloatArray
from detectors.episodes import Alarm, Episodes, Milestone
from schemas.errors import InvariantError
from schemas.events import Int64Array

__all__ = ["BoolArray", "RestartingBank", "RowArrays", "Workspace", "add_up"]

BoolArray: TypeAlias = NDArray[np.bool_]

Number = TypeVar("Number", np.float64, np.complex128)

#: Columns and numbers taken at once, at most: what is in work stays in the cache, and an alarm costs no more than a block.
_COLUMNS, _NUMBERS = 1024, 1 << 16


@dataclass(slots=True)
class RowArrays:
    """Arrays with one entry per row: what a detector knows of each stream. A subclass adds its own; zeros are a fresh start."""

    start: Int64Array  # index of the last value before the window

    def restart(self, rows: Int64Array, after: Int64Array) -> None:
        """Start these rows again from nothing after the values at the absolute indices `after`."""
        for field in fields(self):
            getattr(self, field.name)[rows] = 0
        self.start[rows] = after

    def copies(self) -> dict[str, Any]:
        """Return a copy of each array, by name."""
        return {field.name: getattr(self, field.name).copy() for field in fields(self)}

    def restore(self, state: BankState) -> None:
        """Take over what `copies` returned."""
        for field in fields(self):
            setattr(self, field.name, np.array(state[field.name], dtype=getattr(self, field.name).dtype))


class Workspace:
    """Large arrays by name, used again from block to block: fresh memory would cost a page fault every 512 numbers."""

    def __init__(self) -> None:
        self._buffers: dict[str, FloatArray] = {}

    def take(self, name: str, shape: tuple[int, ...]) -> FloatArray:
        """Return an array of this shape; its content is what was left there."""
        size = math.prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = np.empty(size)
        return buffer[:size].reshape(shape)


class RestartingBank(ABC):
    """Common part of banks that restart after an alarm; a subclass brings the arithmetic.

    Parameters
    ----------
    levels : array (rows,)
        Mean of each row's values under the reference: what *home* means.
    state : mapping, optional
        What `state` returned.
    """

    def __init__(self, levels: FloatArray, arrays: RowArrays, state: BankState | None) -> None:
        self._rows = len(levels)
        self._arrays = arrays
        self._workspace = Workspace()
        if state is None:
            self._seen, self._episodes = 0, Episodes(levels)
            return
        if (rows := len(state["arrays"]["start"])) != self._rows:
            raise InvariantError(f"a state of {rows} rows was given to a bank of {self._rows}")
        self._seen, self._episodes = int(state["seen"]), Episodes(levels, state["episodes"])
        arrays.restore(state["arrays"])

    def update(self, values: FloatArray) -> list[Finding]:
        """Take the next n values of every stream, shape (rows, n), NaN where there is none; return findings sorted by (index, row)."""
        if len(values) != self._rows:
            raise InvariantError(f"a bank of {self._rows} rows was given values of {len(values)}")
        findings: list[Finding] = []
        columns = max(1, min(_COLUMNS, _NUMBERS // max(1, len(values))))
        for start in range(0, values.shape[1], columns):
            findings += self._block(values[:, start : start + columns], self._seen + start)
        self._seen += values.shape[1]
        return sorted(findings)

    def reset(self, rows: Sequence[int]) -> None:
        """Forget everything about these streams but their count of values."""
        which = np.asarray(rows, dtype=np.int64)
        self._episodes.reset(which)
        self._arrays.restart(which, np.full(len(which), self._seen - 1))

    def state(self) -> BankState:
        """Return everything needed to go on; arrays are copies."""
        return {"seen": self._seen, "episodes": self._episodes.state(), "arrays": self._arrays.copies()}

    @abstractmethod
    def _advance(self, rows: Int64Array, values: FloatArray, first: int) -> tuple[list[Alarm], list[Milestone]]:
        """Take values (len(rows), n) up to the first alarm of each row.

        Where a row has an alarm its values after it are left alone. The column of index `first` comes first; NaN is skipped.
        Return at most one alarm per row, and the milestones passed before it.
        """

    def _block(self, values: FloatArray, first: int) -> Iterator[Finding]:
        rows = np.arange(len(values))
        while values.shape[1]:
            alarms, passed = self._advance(rows, values, first)
            yield from (finding for at in passed if (finding := self._episodes.milestone(at)) is not None)
            if not alarms:
                return
            yield from map(self._episodes.alarm, alarms)
            hit = np.array([alarm.row for alarm in alarms])
            at = np.array([alarm.index for alarm in alarms])
            self._arrays.restart(hit, at)
            start = int(at.min()) + 1
            values = values[np.searchsorted(rows, hit), start - first :]
            values[np.arange(start, start + values.shape[1]) <= at[:, None]] = np.nan
            rows, first = hit, start


def add_up(values: NDArray[Number], carry: NDArray[Number]) -> None:
    """Replace each row by its running sum, going on from `carry`; adding in order makes it independent of where a batch ends.

    Examples
    --------
    >>> values = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> add_up(values, np.array([10.0, 20.0]))
    >>> values
    array([[11., 13.],
           [23., 27.]])
    """
    values[:, 0] += carry
    np.cumsum(values, axis=1, out=values)
