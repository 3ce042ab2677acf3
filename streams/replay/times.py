"""Points in time as users write them on a command line."""

from __future__ import annotations

from contextlib import suppress

from schemas.decoding.timestamps import UNREADABLE, milliseconds_of
from schemas.durations import milliseconds

__all__ = ["instant"]


def instant(text: str, *, now_ms: int) -> int:
    """Read a point in time, ms since the epoch.

    Parameters
    ----------
    text : str
        ISO 8601 (UTC unless it says otherwise), a number since the epoch (s, ms, us or ns, told apart by size), or a duration ago.
    now_ms : int
        What durations are counted back from.

    Raises
    ------
    ValueError
        None of these.

    Examples
    --------
    >>> instant("2026-01-05T10:00:00Z", now_ms=0), instant("2026-01-05", now_ms=0), instant("1767607200", now_ms=0)
    (1767607200000, 1767571200000, 1767607200000)
    >>> instant("24h", now_ms=1767607200000)
    1767520800000
    """
    with suppress(ValueError):
        return now_ms - milliseconds(text)
    moment = milliseconds_of(text)
    if moment == UNREADABLE:
        with suppress(ValueError):
            moment = milliseconds_of(float(text))
    if moment == UNREADABLE:
        expected = "'2026-01-05T10:00:00Z', seconds or milliseconds since the epoch, or a duration ago such as '24h'"
        raise ValueError(f"{text!r} is not a point in time; expected {expected}")
    return moment
