"""The envelope of everything binary that driftsonde writes: a JSON header and raw little-endian arrays, with a check sum.

::

    magic      4 bytes   what it is: b"DSbl" a message of the journal, b"DSsn" a snapshot
    crc        uint32    CRC-32 of all that follows
    version    uint16    of the format
    reserved   uint16    0
    header     uint32    bytes of the header
    body       uint64    bytes of the body
    the header           JSON, padded with spaces to a multiple of 8
    the body             arrays, one after the other

Nothing here can run code on reading (no pickle), and whatever is wrong with the bytes is a `FormatError`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, NamedTuple
from zlib import crc32

import orjson

from schemas.errors import FormatError

__all__ = ["Kind", "pack", "unpack"]

_CHECKED = struct.Struct("<HHIQ")
_START = struct.Struct("<4sI")


class Kind(NamedTuple):
    """What an envelope holds.

    Parameters
    ----------
    magic : bytes
        First four bytes.
    version : int
        Format version that is written; this and all before it are read.
    name : str
        For messages.
    """

    magic: bytes
    version: int
    name: str


def pack(kind: Kind, header: object, parts: Iterable[bytes | memoryview]) -> bytes:
    """Write a header (JSON values) and the bytes of `parts` (contiguous), one after the other."""
    text = orjson.dumps(header)
    text += b" " * (-len(text) % 8)
    body = [memoryview(part) for part in parts]
    checked = _CHECKED.pack(kind.version, 0, len(text), sum(part.nbytes for part in body))
    crc = crc32(text, crc32(checked))
    for part in body:
        crc = crc32(part, crc)
    return b"".join([_START.pack(kind.magic, crc), checked, text, *body])


def unpack(kind: Kind, value: bytes) -> tuple[Any, memoryview]:
    """Return the header and the body, which is a view of `value`.

    Raises
    ------
    FormatError
        Not of this kind, cut short, damaged, or written by a newer version.
    """
    name, start = kind.name, _START.size + _CHECKED.size
    if len(value) < start:
        raise FormatError(f"{name}: found {len(value)} bytes, expected at least {start}: it is cut short")
    magic, crc = _START.unpack_from(value)
    version, _, header_size, body_size = _CHECKED.unpack_from(value, _START.size)
    if magic != kind.magic:
        raise FormatError(f"{name}: found {magic!r} at its start, expected {kind.magic!r}: it is something else, or damaged")
    if version > kind.version:
        raise FormatError(f"{name}: found format version {version}, expected at most {kind.version}: a newer driftsonde wrote it")
    if len(value) != start + header_size + body_size:
        raise FormatError(f"{name}: found {len(value)} bytes, expected {start + header_size + body_size}: it is cut short, or damaged")
    content = memoryview(value)
    if (found := crc32(content[_START.size :])) != crc:
        raise FormatError(f"{name}: found check sum {found:08x}, expected {crc:08x}: it is damaged")
    try:
        header = orjson.loads(content[start : start + header_size])
    except orjson.JSONDecodeError as e:
        raise FormatError(f"{name}: the header is not JSON ({e})") from None
    return header, content[start + header_size :]
