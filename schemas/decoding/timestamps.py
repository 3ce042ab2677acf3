"""Event times as people write them, to int64 milliseconds since the epoch, UTC.

A number is told apart by its size: seconds from 1e8, milliseconds from 1e11, microseconds from 1e14, nanoseconds from 1e17 (to
1e20). So each unit covers 1973 to 5138, and nothing outside those years is a time. Integers are cut to the millisecond, floats
rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from schemas.decoding.paths import Json
from schemas.events import FloatArray, Int64Array

__all__ = ["EARLIEST_MS", "LATEST_MS", "MAX_EVENT_AHEAD_MS", "MAX_RECORD_AHEAD_MS", "UNREADABLE", "milliseconds_of", "read_times"]

#: What counts as a time at all: [3 March 1973, the year 5138).
EARLIEST_MS, LATEST_MS = 10**11, 10**14
#: An event can't be later than its own record's timestamp by more than this.
MAX_EVENT_AHEAD_MS = 86_400_000
#: A record can't be stamped later than stage 1's wall clock by more than this (rule Q8).
MAX_RECORD_AHEAD_MS = 300_000
#: Stands for a time that can't be read.
UNREADABLE = -1

#: A unit covers [low, 1000 · low); a value times `multiply` / `divide` is milliseconds.
_UNITS = ((10**8, 1000, 1), (10**11, 1, 1), (10**14, 1, 1000), (10**17, 1, 1_000_000))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds_of(value: Json) -> int:
    """Read one time: a number, or ISO 8601 (UTC when it names no offset); UNREADABLE when it is none.

    Examples
    --------
    >>> milliseconds_of(1767608591), milliseconds_of(1767608591000000), milliseconds_of("2026-01-05T11:23:11+01:00")
    (1767608591000, 1767608591000, 1767608591000)
    >>> milliseconds_of(12), milliseconds_of("yesterday"), milliseconds_of(True)
    (-1, -1, -1)
    """
    if type(value) is str:
        return _from_iso(value)
    if type(value) is int:
        unit = _unit(value)
        return UNREADABLE if unit is None else value * unit[0] // unit[1]
    if type(value) is float:
        unit = _unit(value)
        return UNREADABLE if unit is None else round(value * unit[0] / unit[1])
    return UNREADABLE


def read_times(values: Sequence[Json]) -> Int64Array:
    """Read a column of times, as `milliseconds_of` would; numbers of one unit at the speed of numpy."""
    kinds = set(map(type, values))
    if kinds == {int} and max(values) < 2**63 and (unit := _common_unit(min(values), max(values))):
        return np.array(values, np.int64) * unit[0] // unit[1]
    if kinds == {float}:
        floats: FloatArray = np.array(values, np.float64)
        if unit := _common_unit(floats.min(), floats.max()):  # None where there is a NaN
            return np.rint(floats * unit[0] / unit[1]).astype(np.int64)
    return np.fromiter(map(milliseconds_of, values), np.int64, len(values))


def _unit(value: float) -> tuple[int, int] | None:
    return next(((multiply, divide) for low, multiply, divide in _UNITS if low <= value < low * 1000), None)


def _common_unit(least: float, greatest: float) -> tuple[int, int] | None:
    unit = _unit(least)
    return unit if unit == _unit(greatest) else None


def _from_iso(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return UNREADABLE
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    ms = (moment - _EPOCH) // _MILLISECOND
    return ms if EARLIEST_MS <= ms < LATEST_MS else UNREADABLE
