"""Banks that start again from nothing after each alarm, as river's detectors do: what they have in common.

Such a detector announces an instant and forgets. Two things are added, so that it can also decide about an episode.

**Change or back.** A row is *home* until its first alarm and *away* after it. Each alarm is exactly one finding: ``back`` when the row
was away and the mean of the values since the estimated onset lies within ``max(.1, 3 / sqrt(n))`` of the reference's, else ``change``.
Three standard errors is generous for a short stretch: that the level has just left a level that was away speaks for home.

**Back without an alarm.** A false alarm, a change that ended before its detection or fades away slowly, one whose end a one-sided test
cannot see: none is followed by a second alarm. So while a row is away, each time the count of values since the alarm reaches 1024, 2048,
4096, …, the mean of those since the last such count is held against the same band. The stretches grow so that a small shift is not
taken for home by trying often. The finding carries the distance and the band: its statistic is the smaller, that of an alarm the larger.

Both rules count values from the alarm, so they are blind to batch edges.
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
from schemas.errors import InvariantError

__all__ = ["Alarm", "BoolArray", "IntArray", "Milestone", "RestartingBank", "RowArrays", "Workspace", "add_up", "milestones"]

IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

Number = TypeVar("Number", np.float64, np.complex128)

_COLUMNS = 1024
_BLOCK = 1 << 16
_BAND = 0.1
_STANDARD_ERRORS = 3.0
_FIRST_MILESTONE = 1024


@dataclass(frozen=True, slots=True)
class Alarm:
    """A detector's alarm: which row, where, and what the values since the onset look like.

    Parameters
    ----------
    row : int
        Row of the bank.
    index, onset : int
        Absolute indices of the deciding value and of the first one of the new law.
    statistic, threshold : float
        What was compared, statistic > threshold.
    level : float
        Mean of the values from `onset` to `index`.
    n : int
        How many values that is; >= 1.
    up : bool
        Whether the mean went up.
    """

    row: int
    index: int
    onset: int
    statistic: float
    threshold: float
    level: float
    n: int
    up: bool


@dataclass(frozen=True, slots=True)
class Milestone:
    """The mean of the n values of a row since its last milestone or alarm, at the absolute index of the last of them."""

    row: int
    index: int
    level: float
    n: int


@dataclass(slots=True)
class RowArrays:
    """Arrays with one entry per row: what a detector knows of each stream. A subclass adds its own; zeros are a fresh start."""

    start: IntArray  # index of the last value before the window
    mark: FloatArray  # sum of the window's values up to the last milestone; kept while the row is away

    def restart(self, rows: IntArray, after: IntArray) -> None:
        """Start these rows again from nothing after the values at the absolute indices `after`."""
        for field in fields(self):
            getattr(self, field.name)[rows] = 0
        self.start[rows] = after

    def copies(self) -> dict[str, Any]:
        """Return a copy of each array, by name."""
        return {field.name: getattr(self, field.name).copy() for field in fields(self)}


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
        self._levels = levels
        self._arrays = arrays
        self._workspace = Workspace()
        self._seen = 0
        self._away: BoolArray = np.zeros(len(levels), dtype=bool)
        if state is not None:
            self._restore(state)

    def update(self, values: FloatArray) -> list[Finding]:
        """Take the next n values of every stream, shape (rows, n), NaN where there is none; return findings sorted by (index, row)."""
        if len(values) != len(self._levels):
            raise InvariantError(f"a bank of {len(self._levels)} rows was given values of {len(values)}")
        findings: list[Finding] = []
        columns = max(1, min(_COLUMNS, _BLOCK // max(1, len(values))))
        for start in range(0, values.shape[1], columns):
            findings += self._block(values[:, start : start + columns], self._seen + start)
        self._seen += values.shape[1]
        return sorted(findings)

    def reset(self, rows: Sequence[int]) -> None:
        """Forget everything about these streams but their count of values."""
        which = np.asarray(rows, dtype=np.int64)
        self._away[which] = False
        self._arrays.restart(which, np.full(len(which), self._seen - 1))

    def state(self) -> BankState:
        """Return everything needed to go on; arrays are copies."""
        return {"seen": self._seen, "away": self._away.copy(), **self._arrays.copies()}

    def _restore(self, state: BankState) -> None:
        self._seen = int(state["seen"])
        self._away = np.array(state["away"], dtype=bool)
        if len(self._away) != len(self._levels):
            raise InvariantError(f"a state of {len(self._away)} rows was given to a bank of {len(self._levels)}")
        for field in fields(self._arrays):
            fresh = getattr(self._arrays, field.name)
            setattr(self._arrays, field.name, np.array(state[field.name], dtype=fresh.dtype))

    @abstractmethod
    def _advance(self, rows: IntArray, values: FloatArray, first: int) -> tuple[list[Alarm], list[Milestone]]:
        """Take values (len(rows), n) up to the first alarm of each row.

        Where a row has an alarm its values after it are left alone. The column of index `first` comes first; NaN is skipped.
        Return at most one alarm per row, and the milestones passed before it.
        """

    def _block(self, values: FloatArray, first: int) -> Iterator[Finding]:
        rows = np.arange(len(values))
        while values.shape[1]:
            alarms, passed = self._advance(rows, values, first)
            yield from self._quiet_returns(passed)
            if not alarms:
                return
            yield from map(self._finding, alarms)
            hit = np.array([alarm.row for alarm in alarms])
            at = np.array([alarm.index for alarm in alarms])
            self._arrays.restart(hit, at)
            start = int(at.min()) + 1
            values = values[np.searchsorted(rows, hit), start - first :]
            values[np.arange(start, start + values.shape[1]) <= at[:, None]] = np.nan
            rows, first = hit, start

    def _milestone(self, row: int, index: int, count: int, total: float, shift: float) -> Milestone:
        """Pass a milestone at which the window's `count` values, less `shift`, add up to `total`."""
        n = count - count // 2 if count > _FIRST_MILESTONE else count
        level = shift + (total - float(self._arrays.mark[row])) / n
        self._arrays.mark[row] = total
        return Milestone(row, index, level, n)

    def _finding(self, alarm: Alarm) -> Finding:
        home = bool(self._away[alarm.row]) and self._distance(alarm.row, alarm.level) < _band(alarm.n)
        self._away[alarm.row] = not home
        cause = "mean up" if alarm.up else "mean down"
        return Finding(alarm.index, alarm.row, "back" if home else "change", alarm.statistic, alarm.threshold, alarm.onset, cause)

    def _quiet_returns(self, passed: Sequence[Milestone]) -> Iterator[Finding]:
        for at in passed:
            distance = self._distance(at.row, at.level)
            if self._away[at.row] and distance < _band(at.n):
                self._away[at.row] = False
                yield Finding(at.index, at.row, "back", distance, _band(at.n), at.index, "mean settled")

    def _distance(self, row: int, level: float) -> float:
        return abs(level - float(self._levels[row]))


def _band(n: int) -> float:
    return max(_BAND, _STANDARD_ERRORS / math.sqrt(n))


def milestones(before: int, upto: int) -> Iterator[int]:
    """Counts in (before, upto] at which a row that is away is looked at: powers of two from 1024 on.

    Examples
    --------
    >>> list(milestones(1000, 5000)), list(milestones(1024, 2047))
    ([1024, 2048, 4096], [])
    """
    count = max(_FIRST_MILESTONE, 1 << before.bit_length())
    while count <= upto:
        yield count
        count *= 2


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
