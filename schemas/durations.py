"""Durations as users write them: Prometheus style, ``90s``, ``1h30m``, ``7d``. Inside they are whole milliseconds."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema

__all__ = ["DURATION_PATTERN", "Duration", "duration_text", "milliseconds"]

_UNITS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
#: Largest unit first, each at most once, as in Prometheus; the look-ahead refuses the empty string.
DURATION_PATTERN = "^(?=[0-9])" + "".join(f"(?:([0-9]{{1,15}}){unit})?" for unit in _UNITS) + "$"
_DURATION = re.compile(DURATION_PATTERN)
_LONGEST = 1_000 * _UNITS["y"]


def milliseconds(text: str | int) -> int:
    """Read a Prometheus-style duration.

    Raises
    ------
    ValueError
        Not such a duration, or longer than a thousand years.

    Examples
    --------
    >>> milliseconds("90s"), milliseconds("1h30m"), milliseconds("7d")
    (90000, 5400000, 604800000)
    """
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is not a duration; expected a number with a unit such as '90s', '15m', '24h' or '7d'")
    total = sum(int(count) * size for count, size in zip(found.groups(), _UNITS.values(), strict=True) if count)
    if total > _LONGEST:
        raise ValueError(f"{text!r} is too long; expected at most '1000y'")
    return total


def duration_text(ms: int) -> str:
    """Write a duration so that `milliseconds` reads it back.

    Parameters
    ----------
    ms : int
        Milliseconds, >= 0.

    Examples
    --------
    >>> duration_text(90_000), duration_text(604_800_000), duration_text(0)
    ('1m30s', '1w', '0s')
    """
    parts = []
    for unit, size in _UNITS.items():
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


#: A duration in a pydantic model: text outside, milliseconds inside.
Duration: TypeAlias = Annotated[int, BeforeValidator(milliseconds), WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN})]
