"""CSV rows as the records that the configured topics would carry: flat columns go where the field mapping looks for them.

A mapped path is found in the column of that name, else in the column named like its last part: ``model.version`` may be a column
``model.version`` or ``version``. Features are the columns below their path (``payload.features.amount``), or, when there are none,
all columns that are mapped to nothing else. Cells that read as finite numbers are numbers, empty ones are null; ids, versions,
names of models and of label sources stay as they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import orjson

from schemas.config import Fields
from schemas.errors import DataError

__all__ = ["STAMP", "RowMapping", "number_or_text"]

#: Member of a JSON line, or column of a CSV file, that holds a record's timestamp (what Kafka would have given it).
STAMP = "$timestamp"

#: Fields that name things: their cells are never read as numbers.
NAMES = ("id", "version", "model", "source")
VALUES = ("time", "arrived", "prediction", "score", "label", "revision")
#: Fields without which no row can be used.
NEEDED = ("id", "time", "arrived")


def number_or_text(cell: str) -> float | str | None:
    """Read a cell: a finite number, null when empty, else text.

    Examples
    --------
    >>> number_or_text("1.50"), number_or_text("DE"), number_or_text(""), number_or_text("1_000")
    (1.5, 'DE', None, '1_000')
    """
    if not cell:
        return None
    try:
        number = float(cell)
    except ValueError:
        return cell
    if not isfinite(number):
        return None  # JSON has no such number; it counts as missing
    return cell if "_" in cell else number


def _text(cell: str) -> str | None:
    return cell or None


class RowMapping:
    """Where each column of one CSV file goes in a record.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    mappings : sequence of Fields
        All field mappings that read this topic.
    segments : sequence of str
        Segment fields of the models; a dotted one may be a column.
    where : str
        ``file:line`` of the header, for errors.

    Raises
    ------
    DataError
        A column twice, a mapped id or time without a column, or a column that would have to be a value and an object.

    Examples
    --------
    >>> fields = Fields(id="id", time="ts", version="model.version", features="payload.features")
    >>> RowMapping(["id", "ts", "version", "amount"], [fields], where="f.csv:1").record(["7", "1767571200", "3", "9.5"])
    b'{"id":"7","model":{"version":"3"},"ts":1767571200.0,"payload":{"features":{"amount":9.5}}}'
    """

    def __init__(self, header: Sequence[str], mappings: Sequence[Fields], *, where: str, segments: Sequence[str] = ()) -> None:
        self._columns: list[tuple[int, tuple[str, ...], Callable[[str], float | str | None]]] = []
        self.width = len(header)
        places = {name: i for i, name in enumerate(header)}
        if len(places) < len(header):
            twice = sorted({name for name in header if list(header).count(name) > 1})
            raise DataError(f"{where}: column {twice[0]!r} stands twice in the header; expected unique names")
        taken: dict[str, str] = {}  # path → column
        for fields in mappings:
            for field in (*NAMES, *VALUES):
                path: str | None = getattr(fields, field)
                if path is None or path in taken or path == STAMP:
                    continue
                column = next((name for name in (path, path.rpartition(".")[2]) if name in places), None)
                if column is not None:
                    taken[path] = column
                    self._columns.append((places[column], tuple(path.split(".")), _text if field in NAMES else number_or_text))
                elif field in NEEDED:
                    raise DataError(f"{where}: no column for {field!r} (mapped to {path!r}); found {', '.join(header)}")
        for path in segments:
            if "." in path and path in places and path not in taken:
                taken[path] = path
                self._columns.append((places[path], tuple(path.split(".")), number_or_text))
        free = [name for name in header if name != STAMP and name not in taken.values()]
        for path in dict.fromkeys(f.features for f in mappings if f.features is not None):
            self._add_features(path, free, places)
        self._check_nesting(where)

    def _add_features(self, path: str, free: Sequence[str], places: dict[str, int]) -> None:
        root = () if path == "." else tuple(path.split("."))
        prefix = path + "."
        below = {name: name.removeprefix(prefix) for name in free if path != "." and name.startswith(prefix)}
        for name, feature in (below or {name: name for name in free}).items():
            self._columns.append((places[name], (*root, feature), number_or_text))

    def _check_nesting(self, where: str) -> None:
        leaves = {path for _, path, _ in self._columns}
        for path in sorted(leaves):
            for depth in range(1, len(path)):
                if path[:depth] in leaves:
                    raise DataError(
                        f"{where}: {'.'.join(path[:depth])!r} and {'.'.join(path)!r} are both mapped; one can't lie inside the other"
                    )

    def record(self, cells: Sequence[str]) -> bytes:
        """Encode one row as the JSON record its topic would carry."""
        record: dict[str, Any] = {}
        for index, path, read in self._columns:
            at = record
            for part in path[:-1]:
                at = at.setdefault(part, {})
            at[path[-1]] = read(cells[index])
        return orjson.dumps(record)
