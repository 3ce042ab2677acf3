"""Messages of the journal as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.envelope import Kind, pack, unpack
from schemas.errors import FormatError
from schemas.events import Announcement, Block, Codes, End, Faults, Message, Source, Tick

__all__ = ["decode", "encode"]

KIND = Kind(b"DSbl", 1, "journal message")


def encode(message: Message) -> bytes:
    """Write a message for the journal.

    Examples
    --------
    >>> tick = Tick("fraud", Source("fraud.features", 3), 918273, 1000)
    >>> decode(encode(tick))
    Tick(model='fraud', source=Source(topic='fraud.features', partition=3), end=918273, idle_ms=1000)
    """
    match message:
        case Block():
            return _encode_block(message)
        case Tick():
            header = {"type": "tick", "model": message.model, "source": [*message.source], "end": message.end, "idle_ms": message.idle_ms}
        case Announcement():
            header = {"type": "announcement", "model": message.model, "sources": [[*source] for source in message.sources]}
        case End():
            header = {"type": "end", "model": message.model, "source": [*message.source]}
    return pack(KIND, header, [])


def decode(value: bytes) -> Message:
    """Read what `encode` wrote. Arrays of a block are read-only views of `value`.

    Raises
    ------
    FormatError
        Damaged, cut short, written by a newer version, or something else.
    """
    header, body = unpack(KIND, value)
    try:
        match header["type"]:
            case "block":
                return _decode_block(header, body)
            case "tick":
                return Tick(header["model"], Source(*header["source"]), header["end"], header["idle_ms"])
            case "announcement":
                return Announcement(header["model"], tuple(Source(*source) for source in header["sources"]))
            case "end":
                return End(header["model"], Source(*header["source"]))
            case other:
                raise FormatError(f"{KIND.name}: found type {other!r}, expected block, tick, announcement or end")
    except (KeyError, TypeError, ValueError) as e:
        raise FormatError(f"{KIND.name}: the header does not fit the body ({type(e).__name__}: {e})") from None


def _encode_block(block: Block) -> bytes:
    codes = (block.versions, *block.categories, *block.segments)
    header = {
        "type": "block",
        "model": block.model,
        "source": [*block.source],
        "roles": block.roles,
        "start": block.start,
        "end": block.end,
        "number_names": block.number_names,
        "category_names": block.category_names,
        "values": [c.values for c in codes],
        "fault_subjects": block.faults.subjects,
        "faults": len(block.faults.row),
        "ids": block.ids,
    }
    longs = (block.offsets, block.stamps, block.times)
    ints = (*(c.codes for c in codes), block.faults.column, block.faults.row)
    parts = [("<i8", longs), ("<f8", (block.numbers,)), ("<i4", ints), ("u1", (block.faults.reason,))]  # largest first: all aligned
    return pack(KIND, header, [np.asarray(a, dtype, order="C").data for dtype, arrays in parts for a in arrays])


class _Body:
    """Takes arrays from the front of a body, in the order in which they were written."""

    def __init__(self, body: memoryview) -> None:
        self._body = body
        self._at = 0

    def take(self, dtype: str, count: int) -> NDArray[Any]:
        array = np.frombuffer(self._body, dtype, count, self._at)
        self._at += array.nbytes
        return array

    def finish(self) -> None:
        if self._at != len(self._body):
            raise ValueError(f"found {len(self._body)} bytes of arrays, expected {self._at}")


def _decode_block(header: Mapping[str, Any], body: memoryview) -> Block:
    ids, values, faults = header["ids"], header["values"], header["faults"]
    number_names, category_names = _interned(tuple(header["number_names"])), _interned(tuple(header["category_names"]))
    n, k = len(ids), len(category_names)
    arrays = _Body(body)
    offsets, stamps, times = (arrays.take("<i8", n) for _ in range(3))
    numbers = arrays.take("<f8", n * len(number_names)).reshape(len(number_names), n)
    versions, *others = (Codes(tuple(v), arrays.take("<i4", n)) for v in values)
    column, row = arrays.take("<i4", faults), arrays.take("<i4", faults)
    reason = arrays.take("u1", faults)
    arrays.finish()
    return Block(
        model=header["model"],
        source=Source(*header["source"]),
        roles=tuple(header["roles"]),
        start=header["start"],
        end=header["end"],
        offsets=offsets,
        stamps=stamps,
        times=times,
        ids=tuple(ids),
        versions=versions,
        number_names=number_names,
        numbers=numbers,
        category_names=category_names,
        categories=tuple(others[:k]),
        segments=tuple(others[k:]),
        faults=Faults(tuple(header["fault_subjects"]), column, row, reason),
    )


@lru_cache(maxsize=1024)
def _interned(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return one and the same tuple for equal names, so that the engine can tell by identity that nothing has changed."""
    return names
