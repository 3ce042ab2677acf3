"""Names that rows carry as text, as small integers: classes, versions, values of segments, sources of labels.

Codes are given in order of first appearance in the released rows, so they do not depend on batches.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.events import Codes, FloatArray, Int32Array
from schemas.labels import class_of
from streams.engine.rows import RoleRows, first_appearances

__all__ = ["MOST_CLASSES", "OTHER_CLASS", "Classes", "Names", "texts_of"]

#: Classes of a model that are told apart; the rest is one class more.
MOST_CLASSES = 1000
OTHER_CLASS = "other"


class Names:
    """Codes of names, at most `most` of them; a name beyond has none (-1).

    Examples
    --------
    >>> names = Names(most=2)
    >>> names.coded(Codes(("de", "fr", "it"), np.array([2, 0, -1, 1, 2], np.int32))).tolist(), names.names
    ([0, 1, -1, -1, 0], ['it', 'de'])
    """

    def __init__(self, *, most: int, names: Sequence[str] = ()) -> None:
        self.names = list(names)
        self._most = most
        self._codes = {name: i for i, name in enumerate(self.names)}

    def code(self, name: str) -> int:
        """Code of a name; -1 when there is no room for it."""
        if name not in self._codes and len(self.names) < self._most:
            self._codes[name] = len(self.names)
            self.names.append(name)
        return self._codes.get(name, -1)

    def known(self, name: str) -> int:
        """Code of a name that has one; -1 for another."""
        return self._codes.get(name, -1)

    def coded(self, column: Codes) -> Int32Array:
        """Code of each row; -1 where it has no name, or one without a code."""
        table = np.full(len(column.values) + 1, -1, np.int32)
        for code in first_appearances(column.codes):
            table[code] = self.code(column.values[code])
        return table[column.codes]


class Classes:
    """Codes of the classes that predictions and labels name.

    For a binary model 1 is the positive class and 0 the other one. A third value has no code.

    Parameters
    ----------
    binary : bool
        Whether there are two classes.
    positive : str
        The positive one, as `schemas.labels.class_of` writes it.
    negative : str, optional
        The other one; by default the first other one that is named.
    names : sequence of str
        What `state` returned, to go on from there.
    """

    def __init__(self, *, binary: bool, positive: str, negative: str | None = None, names: Sequence[str] = ()) -> None:
        self._binary, self._positive = binary, positive
        most = 2 if binary else MOST_CLASSES
        self._names = Names(most=most, names=names[:most])
        #: The first name that found no room.
        self.beyond: str | None = names[most] if len(names) > most else None
        if binary and not names:
            self._names.code(positive)
            if negative is not None:
                self._names.code(negative)

    @property
    def names(self) -> list[str]:
        """Classes in order of appearance; of a binary model the positive one is first."""
        return self._names.names

    def titles(self) -> list[str]:
        """Names by code."""
        if not self._binary:
            return [*self.names, OTHER_CLASS]
        return [self.names[1] if len(self.names) > 1 else f"not {self._positive}", self._positive]

    def learn(self, columns: Sequence[tuple[Codes, Sequence[int]]]) -> None:
        """Give codes to classes not seen before, by the place (`at`) of the rows in which they appear first."""
        new: dict[str, int] = {}
        for column, at in columns:
            for code, place in zip(*(found.tolist() for found in np.unique(column.codes, return_index=True)), strict=True):
                if code >= 0:
                    name = column.values[code]
                    new[name] = min(int(at[place]), new.get(name, int(at[place])))
        for name in sorted(new, key=lambda name: (new[name], name)):
            if self._names.code(name) < 0 and self.beyond is None:
                self.beyond = name

    def coded(self, column: Codes) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Class code of each row, NaN where there is none; and which rows name a class that has no code."""
        # Only what was learnt: a block's vocabulary has values of rows that are not released yet.
        table = np.array([*map(self._names.known, column.values), -1], np.float64)
        codes = table[column.codes]
        strange = (codes < 0) & (column.codes >= 0)
        if self._binary:
            codes = np.where(codes < 0, np.nan, 1.0 - codes)
        else:
            codes = np.where(strange, len(self.names), np.where(codes < 0, np.nan, codes))
        return codes, strange

    def state(self) -> list[str]:
        """Everything needed to go on."""
        return [*self.names, *([] if self.beyond is None else [self.beyond])]


def texts_of(rows: RoleRows, name: str, *, binary: bool) -> Codes:
    """Class that each row names in column `name`, whether it is written as a number or as a string."""
    values: dict[str, int] = {}
    column, numbers = rows.category(name), rows.numbers((name,))[0]
    table = [values.setdefault(class_of(v, binary=binary), len(values)) for v in column.values]
    codes = np.array([*table, -1], np.int32)[column.codes]
    given = np.isfinite(numbers)
    distinct, inverse = np.unique(numbers[given], return_inverse=True)
    of_number = [values.setdefault(class_of(float(v), binary=binary), len(values)) for v in distinct]
    codes[given] = np.array(of_number, np.int32)[inverse]
    return Codes(tuple(values), codes)
