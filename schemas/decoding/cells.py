"""Columns of a block from JSON values: numbers, dictionary-coded strings, and why the other cells are empty.

A column whose cells are all numbers goes through one call of `struct.pack`, which takes exactly what JSON has as a number
(true and false count 1 and 0) and refuses the rest. Only a column with something else in it is looked at value by value.
A number in a string is a string. Integers are those of orjson, 64 bits at most.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from types import NoneType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.decoding.paths import ABSENT, Absent, Json
from schemas.events import Codes, Fault, Faults, FloatArray

__all__ = ["MAX_TEXT", "Cells", "Columns", "encode_strings", "text_of", "texts_of"]

#: Characters a category may have.
MAX_TEXT = 256

#: Why a cell is unusable that is: a string is then too long, a number not finite.
_FAULT_OF: dict[type, Fault] = {
    Absent: Fault.ABSENT,
    NoneType: Fault.NULL,
    float: Fault.NOT_FINITE,
    dict: Fault.WRONG_TYPE,
    list: Fault.WRONG_TYPE,
    str: Fault.TOO_LONG,
}
_NUMERIC = frozenset((float, int, bool))
_EMPTY = frozenset((NoneType, Absent))
_NAN = math.nan
_NO_FAULTS = Faults((), np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.uint8))


class Columns(NamedTuple):
    """What `Cells.columns` returns; the fields are those of a `Block`."""

    number_names: tuple[str, ...]
    numbers: FloatArray
    category_names: tuple[str, ...]
    categories: tuple[Codes, ...]
    faults: Faults


class Cells:
    """Takes the values of `n` rows, subject by subject, and gives the columns of their block.

    Examples
    --------
    >>> cells = Cells(3)
    >>> cells.add("amount", [1.5, None, "n/a"])
    >>> columns = cells.columns()
    >>> columns.numbers.tolist(), columns.categories[0].at(2), columns.faults.row.tolist()
    ([[1.5, nan, nan]], 'n/a', [1])
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._format = f"{n}d"
        self._clean: dict[str, tuple[bytes, Sequence[Json]]] = {}  # nothing but numbers, not yet known to be finite
        self._numbers: dict[str, bytes] = {}
        self._categories: dict[str, Codes] = {}
        self._faults: dict[str, tuple[NDArray[np.intp], NDArray[np.uint8]]] = {}  # rows, reasons

    def add(self, subject: str, values: Sequence[Json]) -> None:
        """Take the values of one subject, one for each row."""
        try:
            self._clean[subject] = struct.pack(self._format, *values), values
        except struct.error:
            self._add_mixed(subject, values)

    def _add_mixed(self, subject: str, values: Sequence[Json]) -> None:
        kinds = set(map(type, values))
        usable = np.zeros(self._n, np.bool_)
        if kinds & _NUMERIC:
            if kinds <= _NUMERIC | _EMPTY:  # the usual case, and testing for identity is much cheaper than for type
                numbers = [_NAN if v is None or v is ABSENT else v for v in values]
            else:
                numbers = [v if type(v) in _NUMERIC else _NAN for v in values]
            array = np.frombuffer(struct.pack(self._format, *numbers))
            usable = np.isfinite(array)
            if usable.any():
                self._numbers[subject] = np.where(usable, array, _NAN).tobytes()
        if str in kinds:
            strings = values if kinds == {str} else [v if type(v) is str else None for v in values]
            codes = encode_strings(strings, longest=MAX_TEXT)
            usable = usable | (codes.codes >= 0)
            if codes.values:
                self._categories[subject] = codes
        if not usable.all():
            rows = np.flatnonzero(~usable)
            self._faults[subject] = rows, np.array([_FAULT_OF[type(values[i])] for i in rows.tolist()], np.uint8)

    def columns(self) -> Columns:
        """Everything taken so far, sorted by subject. A subject without one usable value has only faults."""
        clean = np.frombuffer(b"".join([packed for packed, _ in self._clean.values()])).reshape(-1, self._n)
        if not np.isfinite(clean).all():
            subjects = list(self._clean)
            for i in np.flatnonzero(~np.isfinite(clean).all(axis=1)).tolist():
                self._add_mixed(subjects[i], self._clean.pop(subjects[i])[1])
        numbers = {subject: packed for subject, (packed, _) in self._clean.items()} | self._numbers
        number_names = tuple(sorted(numbers))
        category_names = tuple(sorted(self._categories))
        return Columns(
            number_names,
            np.frombuffer(b"".join([numbers[name] for name in number_names])).reshape(len(number_names), self._n),
            category_names,
            tuple(self._categories[name] for name in category_names),
            self._placed_faults(),
        )

    def _placed_faults(self) -> Faults:
        if not self._faults:
            return _NO_FAULTS
        subjects = tuple(sorted(self._faults))
        rows, reasons = zip(*(self._faults[s] for s in subjects), strict=True)
        column = np.repeat(np.arange(len(subjects), dtype=np.int32), [len(r) for r in rows])
        return Faults(subjects, column, np.concatenate(rows).astype(np.int32), np.concatenate(reasons))


def encode_strings(values: Sequence[str | None], *, longest: int | None = None) -> Codes:
    """Dictionary-code a column of strings; None, and what has more than `longest` characters, becomes -1.

    Examples
    --------
    >>> encode_strings(["de", None, "fr", "de"])
    Codes(values=('de', 'fr'), codes=array([ 0, -1,  1,  0], dtype=int32))
    """
    distinct = dict.fromkeys(values)
    strings = tuple(s for s in distinct if s is not None and (longest is None or len(s) <= longest))
    index: dict[str | None, int] = {s: i for i, s in enumerate(strings)}
    if len(index) < len(distinct):
        index = dict.fromkeys(distinct, -1) | index
    return Codes(strings, np.fromiter(map(index.__getitem__, values), np.int32, len(values)))


def text_of(value: Json) -> str | None:
    """Name something by a JSON value: versions, models, segments. None when it can't: null, empty, an object, a list, too long.

    Examples
    --------
    >>> text_of("3"), text_of(3), text_of(3.0), text_of(0.5), text_of(True), text_of(None)
    ('3', '3', '3', '0.5', 'true', None)
    """
    match value:
        case str():
            text = value
        case bool():
            text = "true" if value else "false"
        case int():
            text = str(value)
        case float() if math.isfinite(value):
            text = str(int(value)) if value.is_integer() else repr(value)
        case _:
            return None
    return text if 0 < len(text) <= MAX_TEXT else None


def texts_of(values: Sequence[Json]) -> list[str | None]:
    """Apply `text_of` to a column; each distinct value once, when they are of one type."""
    kinds = set(map(type, values))
    if len(kinds) == 1 and kinds <= {str, int, float, bool}:
        known = {v: text_of(v) for v in set(values)}
        return list(map(known.__getitem__, values))
    return [text_of(v) for v in values]
