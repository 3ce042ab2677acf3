"""What is read of a record of labels besides its id and time: the label, who says so, and which of several labels is the latest.

A label is a class or a number; null takes back what was said before. Where a topic has nothing but labels, a record with another
label is of no use and becomes a dead letter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from schemas.config import Fields
from schemas.dead_letters import Rejection
from schemas.decoding.cells import MAX_TEXT, text_of, texts_of
from schemas.decoding.json_records import describe
from schemas.decoding.paths import ABSENT, Json, JsonObject, Path

__all__ = ["NATURAL", "LabelCheck", "revisions_of", "sources_of"]

#: Source of a label that names none.
NATURAL = "natural"
#: Stands for no revision.
_UNREVISED = -1
_EMPTY = (None, ABSENT, "")


def sources_of(values: Sequence[Json]) -> list[str]:
    """Name who says each label.

    Examples
    --------
    >>> sources_of(["review", None, 7])
    ['review', 'natural', '7']
    """
    return [text or NATURAL for text in texts_of(values)]


def revisions_of(values: Sequence[Json]) -> list[int]:
    """Read the revision of each label: a whole number >= 0; -1 where there is none, or something else.

    Examples
    --------
    >>> revisions_of([3, 4.0, None, "5", -2])
    [3, 4, -1, -1, -1]
    """
    return [_UNREVISED if (number := _revision(value)) is None else number for value in values]


class _Part(NamedTuple):
    """One thing that is read of a label."""

    name: str
    path: Path
    is_usable: Callable[[Json], bool]
    expected: str


class LabelCheck:
    """Tells which records of a topic of labels hold one. Whole columns are tested; only what fails is looked at again.

    Parameters
    ----------
    fields : Fields
        Where things are; `label` is mapped.
    number : bool
        Whether labels are numbers (task regression), not classes.
    """

    def __init__(self, fields: Fields, *, number: bool) -> None:
        expected = "a number" if number else f"a number, true, false or 1 to {MAX_TEXT} characters"
        parts = (
            ("label", fields.label, _is_number if number else _is_class, f"{expected}, or null to take it back"),
            ("source", fields.source, _is_source, f"a name of at most {MAX_TEXT} characters, or none"),
            ("revision", fields.revision, _is_revision, "a whole number of 0 or more, or none"),
        )
        self._parts = [_Part(name, Path(path), is_usable, expected) for name, path, is_usable, expected in parts if path is not None]

    def suspects(self, records: Sequence[JsonObject]) -> Iterator[int]:
        """Rows without a usable label, source or revision; a row may come more than once."""
        for part in self._parts:
            yield from (i for i, value in enumerate(part.path.values(records)) if not part.is_usable(value))

    def why(self, record: JsonObject) -> Rejection | None:
        """Say what is wrong with a record first; None when nothing is."""
        for part in self._parts:
            if not part.is_usable(value := part.path.value(record)):
                return Rejection("bad_label", f"{part.name}: found {describe(value)} at {part.path.text!r}, expected {part.expected}")
        return None


def _is_class(value: Json) -> bool:
    return _is_number(value) or text_of(value) is not None


def _is_number(value: Json) -> bool:
    return value is None or (type(value) in (int, float) and math.isfinite(value))


def _is_source(value: Json) -> bool:
    return value in _EMPTY or text_of(value) is not None


def _is_revision(value: Json) -> bool:
    return value in _EMPTY or _revision(value) is not None


def _revision(value: Json) -> int | None:
    if type(value) in (int, float) and 0 <= value < 2**63 and value == int(value):
        return int(value)
    return None
