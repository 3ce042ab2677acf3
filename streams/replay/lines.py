"""Lines of JSON and rows of CSV as records; what can't be one is a dead letter, and reading goes on."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, cast

import orjson

from schemas.codec import Raw
from schemas.dead_letters import DeadLetter, Reason
from schemas.decoding.timestamps import LATEST_MS, UNREADABLE, milliseconds_of
from schemas.errors import DataError
from schemas.events import Position
from streams.replay.csv_rows import STAMP, RowMapping

__all__ = ["Lines", "csv_records", "json_records"]

#: Stands for a record timestamp where a file has none: no event time is later, so none is refused for that.
NO_STAMP = LATEST_MS - 1
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"


class Lines:
    """One file, read in portions.

    Parameters
    ----------
    path : Path
        Where it is; gzip is unpacked.
    parse : callable
        Makes records and dead letters of the open file.

    Raises
    ------
    DataError
        It can't be opened, or is Parquet.
    """

    def __init__(self, path: Path, parse: Callable[[IO[bytes]], Iterator[Raw | DeadLetter]]) -> None:
        self._path = path
        try:
            self._raw = path.open("rb")
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}") from None
        magic = self._raw.peek(4)
        if magic.startswith(_PARQUET):
            self._raw.close()
            raise DataError(f"{path}: Parquet; expected JSON lines or CSV")
        is_packed = path.suffix == ".gz" or magic.startswith(_GZIP)
        unpacked = gzip.GzipFile(fileobj=self._raw) if is_packed else self._raw
        self._found = parse(cast(IO[bytes], unpacked))

    @property
    def done(self) -> int:
        """Bytes of the file that have been read."""
        return self._raw.tell()

    def take(self, n: int) -> list[Raw | DeadLetter]:
        """Read up to `n` more; nothing at the end.

        Raises
        ------
        DataError
            The file is damaged.
        """
        try:
            return list(islice(self._found, n))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{self._path}: damaged gzip file: {error}") from None

    def close(self) -> None:
        """Close the file."""
        self._raw.close()


def json_records(file: IO[bytes], topic: str, *, where: str, stamped: bool) -> Iterator[Raw | DeadLetter]:
    """Yield one record a line; empty lines are none.

    Parameters
    ----------
    where : str
        Name of the file, for errors.
    stamped : bool
        Each line must carry its record timestamp as ``"$timestamp"``, which is no field of the record itself.

    Raises
    ------
    DataError
        Timestamps are needed, and the first line has none.
    """
    carried = False
    for offset, line in enumerate(file):
        if line.isspace():
            continue
        if not stamped:
            yield Raw(offset, NO_STAMP, line)
            continue
        stamp, value = _taken_out(line)
        if stamp != UNREADABLE:
            carried = True
            yield Raw(offset, stamp, value)
        elif carried:
            yield _bad(topic, offset, "bad_time", f"no time at {STAMP!r}", line)
        else:
            raise DataError(f"{where}:{offset + 1}: {_UNTIMED}")


def csv_records(
    file: IO[bytes], topic: str, *, where: str, stamped: bool, mapping: Callable[[list[str]], RowMapping]
) -> Iterator[Raw | DeadLetter]:
    """Yield one record a row after the header; see `json_records` for the parameters, and for errors."""
    rows = csv.reader(_decoded(file))
    try:
        header = next(rows, None)
    except csv.Error as error:
        raise DataError(f"{where}:1: not a CSV header in UTF-8: {error}") from None
    if header is None:
        raise DataError(f"{where}: empty; expected a header line with the names of the columns")
    stamp_at = header.index(STAMP) if STAMP in header else None
    if stamped and stamp_at is None:
        raise DataError(f"{where}:1: {_UNTIMED}")
    layout = mapping(header)
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield _bad(topic, rows.line_num - 1, "undecodable", f"not a CSV row: {error}", None)
            continue
        if not cells:
            continue
        offset = rows.line_num - 1
        if len(cells) != layout.width:
            yield _bad(topic, offset, "undecodable", f"{len(cells)} cells, expected {layout.width} as in the header", _joined(cells))
            continue
        stamp = NO_STAMP if stamp_at is None else _stamp(cells[stamp_at])
        if stamped and stamp == UNREADABLE:
            yield _bad(topic, offset, "bad_time", f"no time in column {STAMP!r}", _joined(cells))
            continue
        try:
            yield Raw(offset, stamp, layout.record(cells))
        except orjson.JSONEncodeError:
            yield _bad(topic, offset, "undecodable", "not UTF-8", _joined(cells))


_UNTIMED = (
    f"the events are timed by Kafka ({STAMP}), and a file has no such time; expected a field {STAMP!r} in every row, or a time in the"
    " record itself (sources.….fields.time)"
)


def _taken_out(value: bytes) -> tuple[int, bytes]:
    """Take the timestamp out of a line: (its time or UNREADABLE, the rest). What is no JSON object is left for the decoder."""
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError:
        return NO_STAMP, value
    if not isinstance(record, dict):
        return NO_STAMP, value
    stamp = milliseconds_of(record.pop(STAMP, None))
    return stamp, orjson.dumps(record)


def _decoded(file: IO[bytes]) -> Iterator[str]:
    """Yield lines of text, without a byte order mark; what is not UTF-8 is kept in a form that no JSON can hold."""
    for number, line in enumerate(file):
        text = line.decode("utf-8", "surrogateescape")
        yield text if number else text.removeprefix("\ufeff")


def _stamp(cell: str) -> int:
    try:
        return milliseconds_of(float(cell))
    except ValueError:
        return milliseconds_of(cell)


def _joined(cells: list[str]) -> bytes:
    return ",".join(cells).encode("utf-8", "surrogateescape")


def _bad(topic: str, offset: int, reason: Reason, detail: str, value: bytes | None) -> DeadLetter:
    return DeadLetter(Position(topic, 0, offset), reason, detail, value, 0)
