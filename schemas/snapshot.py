"""Snapshots: a nested dict of JSON values and numpy arrays as bytes, and back, exactly.

In the header, what JSON does not have stands as an object with one key that begins with ``$``: an array, bytes, a float that is
not finite, an integer beyond 64 bits. A dict's own keys that begin with ``$`` get a second one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from schemas import envelope
from schemas.envelope import Kind
from schemas.errors import FormatError

__all__ = ["Tree", "join", "pack", "split", "unpack"]

#: A dict with string keys, a list, None, bool, int, float, str, bytes, or a numpy array of numbers, booleans, strings or times.
#: A tuple is written as a list, a numpy scalar as the Python number.
Tree: TypeAlias = Any

KIND = Kind(b"DSsn", 1, "snapshot")

_ARRAYS = "biufcSUmM"  # kinds of dtype: all whose items are bytes of a fixed length without an address in them


def pack(tree: Tree, *, header: Mapping[str, Any]) -> bytes:
    """Write a tree, with a `header` (JSON values) that says what it is.

    Raises
    ------
    TypeError
        The tree holds something that can't be written; the message says where.

    Examples
    --------
    >>> unpack(pack({"mean": np.array([0.1, np.nan]), "n": 3}, header={"model": "fraud"}))
    ({'model': 'fraud'}, {'mean': array([0.1, nan]), 'n': 3})
    """
    writer = _Writer()
    return envelope.pack(KIND, {"header": header, "tree": writer.plain(tree, "")}, writer.parts)


def unpack(value: bytes) -> tuple[dict[str, Any], Tree]:
    """Read what `pack` wrote: header and tree. Arrays are copies, and may be written to.

    Raises
    ------
    FormatError
        Damaged, cut short, written by a newer version, or something else.
    """
    content, body = envelope.unpack(KIND, value)
    try:
        return content["header"], _restore(content["tree"], body)
    except (KeyError, TypeError, ValueError) as e:
        raise FormatError(f"{KIND.name}: the header does not fit the body ({type(e).__name__}: {e})") from None


def split(value: bytes, limit: int) -> list[bytes]:
    """Cut a snapshot into chunks of at most `limit` bytes, in order. Their `join` is checked as a whole by `unpack`."""
    if limit < 1:
        raise ValueError(f"limit: found {limit}, expected 1 or more")
    return [value[at : at + limit] for at in range(0, len(value), limit)]


def join(chunks: list[bytes]) -> bytes:
    """Put the chunks of a snapshot together again."""
    return b"".join(chunks)


class _Writer:
    """Makes JSON of a tree, and collects what has to go into the body."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._size = 0

    def plain(self, node: Tree, where: str) -> Any:
        match node:
            case np.generic() if node.dtype.kind in "biuf" and node.dtype.itemsize <= 8:
                return self.plain(node.item(), where)
            case None | bool() | str():
                return node
            case int():
                return node if -(2**63) <= node < 2**64 else {"$int": str(node)}
            case float():
                return node if math.isfinite(node) else {"$float": repr(node)}
            case Mapping():
                return {self._key(key, where): self.plain(child, f"{where}.{key}") for key, child in node.items()}
            case list() | tuple():
                return [self.plain(child, f"{where}[{i}]") for i, child in enumerate(node)]
            case bytes():
                return {"$bytes": [self._append(node), len(node)]}
            case np.ndarray() if node.dtype.kind in _ARRAYS:
                array = node.astype(node.dtype.newbyteorder("<"), copy=False)
                return {"$array": [self._append(array.tobytes()), array.dtype.str, list(array.shape)]}
        found = f"an array of {node.dtype}" if isinstance(node, np.ndarray) else type(node).__name__
        raise TypeError(f"snapshot{where}: found {found}, expected JSON values, bytes, and arrays of numbers, strings or times")

    def _key(self, key: object, where: str) -> str:
        if not isinstance(key, str):
            raise TypeError(f"snapshot{where}: found the key {key!r}, expected strings as keys")
        return "$" + key if key.startswith("$") else key

    def _append(self, part: bytes) -> int:
        at = self._size
        self.parts += part, bytes(-len(part) % 8)
        self._size += len(part) + len(self.parts[-1])
        return at


def _restore(node: Any, body: memoryview) -> Tree:
    if isinstance(node, list):
        return [_restore(child, body) for child in node]
    if not isinstance(node, dict):
        return node
    match node:
        case {"$int": digits}:
            return int(digits)
        case {"$float": text}:
            return float(text)
        case {"$bytes": [at, size]}:
            return bytes(_inside(body, at, size))
        case {"$array": [at, dtype, shape]}:
            return _array(body, at, np.dtype(dtype), tuple(shape))
    return {key.removeprefix("$"): _restore(child, body) for key, child in node.items()}


def _array(body: memoryview, at: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if dtype.kind not in _ARRAYS:
        raise ValueError(f"array of {dtype}")
    count = math.prod(shape)
    return np.frombuffer(_inside(body, at, count * dtype.itemsize), dtype, count).reshape(shape).copy()


def _inside(body: memoryview, at: int, size: int) -> memoryview:
    if not 0 <= at <= at + size <= len(body):
        raise ValueError(f"found {len(body)} bytes of arrays, expected {at + size} or more")
    return body[at : at + size]
