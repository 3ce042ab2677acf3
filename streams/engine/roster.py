"""Which versions of a model are watched: a bounded number at a time, whatever producers write into the version field.

A watched version costs a group of detectors, and a part of every snapshot. A producer that writes a build number, or a request id, as its
version must not bring the worker down, nor raise an alert for each. So there is room for `MOST_VERSIONS` that the configuration
does not name; one that has had no rows for a week gives its place to a new one, and rows of versions without a place are counted.
All of this goes by rows and their clocks, so it does not depend on batches.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from schemas.events import Codes, Int64Array

__all__ = ["MOST_VERSIONS", "REMINDED_AFTER_MS", "RETIRED_AFTER_MS", "Mine", "Refused", "Retired", "Roster"]

#: Versions watched at a time, beside those that the configuration names.
MOST_VERSIONS = 32
#: A version without rows for so long gives its place to a new one, ms of the data's clock.
RETIRED_AFTER_MS = 7 * 24 * 3_600_000
#: How often it is said that there are versions without a place, ms of the data's clock.
REMINDED_AFTER_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True, eq=False)
class Mine:
    """Rows of a watched version: their columns, or None for all rows of the batch."""

    version: str
    columns: Int64Array | None


@dataclass(frozen=True, slots=True)
class Retired:
    """A version has given up its place, at this column."""

    version: str
    column: int


@dataclass(frozen=True, slots=True)
class Refused:
    """So many rows had a version without a place; `told` are the columns at which it is time to say so."""

    rows: int
    told: tuple[int, ...]


Step: TypeAlias = Mine | Retired | Refused


class Roster:
    """Places for the versions of one role.

    Parameters
    ----------
    named : collection of str
        Versions that the configuration names: they need no place.
    state : mapping, optional
        What `state` returned.

    Examples
    --------
    >>> roster = Roster(["1"])
    >>> versions = Codes(("1", "2"), np.array([0, 0, 1], np.int32))
    >>> [(step.version, step.columns.tolist()) for step in roster.take(versions, np.array([10, 20, 30]))]
    [('1', [0, 1]), ('2', [2])]
    """

    def __init__(self, named: Collection[str], state: Mapping[str, Any] | None = None) -> None:
        self._named = frozenset(named)
        self._last: dict[str, int] = {}  # clock of the last row, by version that has a place
        self._reminded: int | None = None
        if state is not None:
            self._last, self._reminded = dict(state["last"]), state["reminded"]

    def take(self, versions: Codes, clocks: Int64Array) -> Iterator[Step]:
        """Say whose the rows of a batch are.

        Parameters
        ----------
        versions : Codes
            Version of each row, (n,).
        clocks : int64 (n,)
            Clock of each row, ms; never decreases.

        Yields
        ------
        Mine, Retired, Refused
            In an order in which they can be done: a version's rows before it was retired come before that.
        """
        found = np.flatnonzero(np.bincount(versions.codes, minlength=len(versions.values))).tolist()
        unnamed = {versions.values[code] for code in found} - self._named
        if len(self._last.keys() | unnamed) <= MOST_VERSIONS:
            for code in found:
                mine = np.flatnonzero(versions.codes == code) if len(found) > 1 else None
                if versions.values[code] in unnamed:
                    self._last[versions.values[code]] = int(clocks[-1 if mine is None else mine[-1]])
                yield Mine(versions.values[code], mine)
        else:
            yield from self._row_by_row(versions, clocks)

    def _row_by_row(self, versions: Codes, clocks: Int64Array) -> Iterator[Step]:
        """Take a batch with more versions than there are places."""
        columns: dict[str, list[int]] = {}  # not yet told
        refused, told = 0, list[int]()
        for column, (code, clock) in enumerate(zip(versions.codes.tolist(), clocks.tolist(), strict=True)):
            version = versions.values[code]
            if version not in self._named and version not in self._last and len(self._last) >= MOST_VERSIONS:
                oldest = min(self._last, key=lambda v: (self._last[v], v))
                if clock - self._last[oldest] < RETIRED_AFTER_MS:
                    refused += 1
                    if self._reminded is None or clock - self._reminded >= REMINDED_AFTER_MS:
                        self._reminded = clock
                        told.append(column)
                    continue
                if earlier := columns.pop(oldest, None):
                    yield Mine(oldest, np.array(earlier, np.int64))
                del self._last[oldest]
                yield Retired(oldest, column)
            if version not in self._named:
                self._last[version] = clock
            columns.setdefault(version, []).append(column)
        for version, rest in columns.items():
            yield Mine(version, np.array(rest, np.int64))
        if refused:
            yield Refused(refused, tuple(told))

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; JSON values only."""
        return {"last": dict(self._last), "reminded": self._reminded}
