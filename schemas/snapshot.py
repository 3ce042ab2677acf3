"""Snapshots: a nested dict of JSON values and numpy arrays as bytes, and back, exactly.

In the header, what JSON does not have stands as an object with one key that begins with ``$``: an array, bytes, a float that is
not finite, an integer beyond 64 bits, the name of a part. A dict's own keys that begin with ``$`` get a second one.

Most of a large state never changes once it is written. Such content is a `Sealed` leaf: it can be packed once, on its own (`pack_part`),
and left out of every snapshot that has it (``pack(..., without=names)``), which then holds its name only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from schemas import envelope
from schemas.envelope import Kind
from schemas.errors import FormatError, InvariantError

__all__ = ["Sealed", "Tree", "header_of", "join", "pack", "pack_part", "sealed_in", "split", "unpack"]

#: A dict with string keys, a list, None, bool, int, float, str, bytes, or a numpy array of numbers, booleans, strings or times.
#: A tuple is written as a list, a numpy scalar as the Python number, a `Sealed` comes back as a dict of arrays.
Tree: TypeAlias = Any

KIND = Kind(b"DSsn", 2, "snapshot")  # 2: may name parts
PART = Kind(b"DSpt", 1, "part of a snapshot")

_ARRAYS = "biufcSUmM"  # kinds of dtype: all whose items are bytes of a fixed length without an address in them


@dataclass(frozen=True, slots=True, eq=False)
class Sealed(Mapping[str, NDArray[Any]]):
    """Columns that never change under their name, so that they need to be written only once.

    It reads as the mapping of its columns: a state can be restored from a tree that was never packed, too.

    Parameters
    ----------
    name : str
        Unique for ever among all content of its owner: it has a counter in it. Columns that do change are sealed under a new name each
        time (``fraud/chunk/12/labels/17``).
    columns : mapping of str to array
        Whoever hands it out never writes to these arrays again: they are packed later, in another thread.

    Examples
    --------
    >>> times = Sealed("fraud/chunk/12", {"time": np.array([5, 9])})
    >>> unpack(pack({"chunks": [times]}, header={}))
    ({}, {'chunks': [{'time': array([5, 9])}]})
    """

    name: str
    columns: Mapping[str, NDArray[Any]]

    def __getitem__(self, column: str) -> NDArray[Any]:
        return self.columns[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)


def pack(tree: Tree, *, header: Mapping[str, Any], without: Collection[str] = ()) -> bytes:
    """Write a tree, with a `header` (JSON values) that says what it is.

    Parameters
    ----------
    tree : dict
        What to write.
    header : mapping
        JSON values.
    without : collection of str
        Names of `Sealed` leaves whose columns are kept elsewhere (`pack_part`): only their names are written. All others are written
        here; without any left out, the bytes hold everything.

    Raises
    ------
    TypeError
        The tree holds something that can't be written; the message says where.

    Examples
    --------
    >>> unpack(pack({"mean": np.array([0.1, np.nan]), "n": 3}, header={"model": "fraud"}))
    ({'model': 'fraud'}, {'mean': array([0.1, nan]), 'n': 3})
    """
    writer = _Writer(without)
    return envelope.pack(KIND, {"header": header, "tree": writer.plain(tree, "")}, writer.parts)


def pack_part(sealed: Sealed) -> bytes:
    """Write the columns of a sealed leaf on their own; the same columns always give the same bytes.

    Examples
    --------
    >>> times = Sealed("fraud/chunk/12", {"time": np.array([5, 9])})
    >>> main, parts = pack({"chunks": [times]}, header={}, without={times.name}), {times.name: pack_part(times)}
    >>> unpack(main, parts=parts.__getitem__)
    ({}, {'chunks': [{'time': array([5, 9])}]})
    """
    writer = _Writer(())
    columns = writer.plain(dict(sealed.columns), f" part {sealed.name!r}")
    return envelope.pack(PART, {"name": sealed.name, "columns": columns}, writer.parts)


def sealed_in(tree: Tree) -> dict[str, Sealed]:
    """Return the sealed leaves of a tree by name, in its order.

    Raises
    ------
    InvariantError
        Two have the same name.
    """
    found: dict[str, Sealed] = {}
    for leaf in _sealed(tree):
        if leaf.name in found:
            raise InvariantError(f"snapshot: found two sealed leaves named {leaf.name!r}, expected every name once")
        found[leaf.name] = leaf
    return found


def unpack(value: bytes, *, parts: Callable[[str], bytes] | None = None) -> tuple[dict[str, Any], Tree]:
    """Read what `pack` wrote: header and tree. Arrays are copies, and may be written to.

    Parameters
    ----------
    value : bytes
        A snapshot.
    parts : callable, optional
        Returns what `pack_part` wrote, by name; KeyError when there is no such part. It is asked for each part once, in the tree's order.

    Raises
    ------
    FormatError
        Damaged, cut short, written by a newer version, or something else; the same goes for a part, which is named.
    """
    content, body = envelope.unpack(KIND, value)
    try:
        return content["header"], _Reader(body, parts).tree(content["tree"])
    except (KeyError, TypeError, ValueError) as e:
        raise FormatError(f"{KIND.name}: the header does not fit the body ({type(e).__name__}: {e})") from None


def header_of(value: bytes) -> dict[str, Any]:
    """Read the header alone.

    Raises
    ------
    FormatError
        As `unpack`.
    """
    content, _ = envelope.unpack(KIND, value)
    try:
        header = content["header"]
    except (KeyError, TypeError):
        header = None
    if not isinstance(header, dict):
        raise FormatError(f"{KIND.name}: it has no header")
    return header


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

    def __init__(self, without: Collection[str]) -> None:
        self.parts: list[bytes] = []
        self._without = without
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
            case Sealed() if node.name in self._without:
                return {"$sealed": node.name}
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


class _Reader:
    """Makes a tree of JSON and a body again."""

    def __init__(self, body: memoryview, parts: Callable[[str], bytes] | None) -> None:
        self._body, self._parts = body, parts

    def tree(self, node: Any) -> Tree:
        if isinstance(node, list):
            return [self.tree(child) for child in node]
        if not isinstance(node, dict):
            return node
        match node:
            case {"$int": digits}:
                return int(digits)
            case {"$float": text}:
                return float(text)
            case {"$bytes": [at, size]}:
                return bytes(self._inside(at, size))
            case {"$array": [at, dtype, shape]}:
                return self._array(at, np.dtype(dtype), tuple(shape))
            case {"$sealed": str(name)}:
                return self._part(name)
        return {key.removeprefix("$"): self.tree(child) for key, child in node.items()}

    def _part(self, name: str) -> Tree:
        if self._parts is None:
            raise FormatError(f"part {name!r}: this snapshot has it elsewhere, and no parts were given")
        try:
            value = self._parts(name)
        except KeyError:
            raise FormatError(f"part {name!r}: it is missing") from None
        try:
            content, body = envelope.unpack(PART, value)
            if content["name"] != name:
                raise FormatError(f"found the part {content['name']!r}")
            return _Reader(body, None).tree(content["columns"])
        except (FormatError, KeyError, TypeError, ValueError) as e:
            raise FormatError(f"part {name!r}: {e}") from None

    def _array(self, at: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        if dtype.kind not in _ARRAYS:
            raise ValueError(f"array of {dtype}")
        count = math.prod(shape)
        return np.frombuffer(self._inside(at, count * dtype.itemsize), dtype, count).reshape(shape).copy()

    def _inside(self, at: int, size: int) -> memoryview:
        if not 0 <= at <= at + size <= len(self._body):
            raise ValueError(f"found {len(self._body)} bytes of arrays, expected {at + size} or more")
        return self._body[at : at + size]


def _sealed(node: Tree) -> Iterator[Sealed]:
    match node:
        case Sealed():
            yield node
        case Mapping():
            for child in node.values():
                yield from _sealed(child)
        case list() | tuple():
            for child in node:
                yield from _sealed(child)
