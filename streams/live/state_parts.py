"""Parts of checkpoints: content that is written to the state topic once, and shared by all checkpoints that have it.

A `schemas.snapshot.Sealed` leaf never changes under its name, so a checkpoint writes only those that no checkpoint before it wrote,
before its own chunks and manifest. In its snapshot stand their names, in the snapshot's header where each lies (`Part`).

**Keys.** ``p/TOKEN/part/NAME/INDEX``, with the token of the owner that wrote it, and re-used by later owners under that key. The name alone
would not do: what an engine seals under a name is a function of the journal only as far as its counters are (a column's version may count
batches), and an owner killed after writing parts and before their manifest leaves content that the next one, coming from the checkpoint
before, may not reach again. A frozen owner that wakes up would write such content over parts that checkpoints of its successor already
have, and make all of them worthless at once. A token has one owner, so under these keys nothing is ever overwritten by something else.

**Trust.** An owner takes a part for written when it has written it itself, or when the checkpoint it was restored from has it and the
content that the engine now gives under the name has the same length and check sum. (It need not: an engine may begin something anew
when its configuration changes, and its counters with it.) That is compared once, at the first checkpoint. Leftovers of former owners
that this checkpoint does not name are never trusted.

**Deleting.** After a checkpoint is acknowledged, what neither it nor the one before it names is deleted: those are the two that a
restore can take. A frozen owner finishes at most the one checkpoint it was in, and spares what the one before it names, which is what its
successor was restored from. Should it delete something else that is still named, its successor sees that (`Shelf.lost`) and writes it
again. What is known to lie on the topic and isn't named by a checkpoint stands in its header too, so that a crash before the deletion
leaves nothing behind for ever.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

from schemas.errors import FormatError
from streams.live.state_topic import CHUNK_BYTES, StateRecord, cut, squeeze

__all__ = ["Part", "Shelf", "is_part_key", "parts_of", "records_of_part", "unneeded_in"]

_KEY = re.compile(rb"\d+/\d+/part/.+/\d+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """Where a sealed leaf lies.

    Parameters
    ----------
    name : str
        Name of the leaf.
    token : int
        Token of the owner that wrote it.
    offset : int
        Of its first chunk: how far back a restore has to read.
    length, crc : int
        Bytes and CRC-32 of `schemas.snapshot.pack_part`.
    stored : int
        Bytes on the topic: fewer when compressed.
    """

    name: str
    token: int
    offset: int
    length: int
    crc: int
    stored: int

    def keys(self, partition: int) -> list[bytes]:
        """Keys of its chunks, in order."""
        return _keys(partition, self.token, self.name, self.stored)

    def fits(self, packed: bytes) -> bool:
        """Whether this is its content."""
        return len(packed) == self.length and zlib.crc32(packed) == self.crc

    def take(self, partition: int, values: dict[bytes, bytes]) -> bytes:
        """Put it together out of the values of its keys, which are taken out: a large state is in memory only once.

        Raises
        ------
        FormatError
            Chunks are missing, damaged, or another part's.
        """
        keys = self.keys(partition)
        chunks = [values.pop(key, None) for key in keys]
        if missing := chunks.count(None):
            raise FormatError(f"part {self.name!r}: {missing} of {len(keys)} chunks are missing")
        body = b"".join(chunk for chunk in chunks if chunk is not None)
        if len(body) == self.stored < self.length:
            try:
                body = zlib.decompress(body)
            except zlib.error as error:
                raise FormatError(f"part {self.name!r}: it is damaged ({error})") from None
        if not self.fits(body):
            raise FormatError(f"part {self.name!r}: its chunks are not those that the checkpoint names (length or CRC)")
        return body


def records_of_part(name: str, packed: bytes, *, partition: int, token: int) -> list[StateRecord]:
    """Cut what `schemas.snapshot.pack_part` wrote into records; compressed when that helps.

    Examples
    --------
    >>> [key for key, _ in records_of_part("fraud/chunk/12", bytes(2_000_000), partition=3, token=7)]
    [b'3/7/part/fraud/chunk/12/0']
    """
    body = squeeze(packed)
    return list(zip(_keys(partition, token, name, len(body)), cut(body), strict=True))


def is_part_key(key: bytes | None) -> bool:
    """Whether a record is a chunk of a part."""
    return key is not None and _KEY.fullmatch(key) is not None


def parts_of(header: Mapping[str, Any]) -> list[Part]:
    """Return the parts that a snapshot names in its header, in no order.

    Raises
    ------
    FormatError
        The header says something else under their name.
    """
    try:
        return [Part(*fields) for fields in header.get("parts", ())]
    except TypeError as error:
        raise FormatError(f"snapshot: not a list of parts ({error})") from None


def unneeded_in(header: Mapping[str, Any]) -> list[bytes]:
    """Return the keys of part chunks that were on the topic when a snapshot was written, and that it does not name."""
    return [key.encode() for key in header.get("unneeded", ())]


class Shelf:
    """The parts of one state partition as its owner knows them.

    Parameters
    ----------
    partition : int
        State partition.
    inherited : collection of Part
        Those of the checkpoint that the owner was restored from.
    leftovers : iterable of bytes
        Keys of chunks on the topic that this checkpoint does not name: deleted after the next one.
    """

    def __init__(self, partition: int, inherited: Collection[Part] = (), leftovers: Iterable[bytes] = ()) -> None:
        self._partition = partition
        self._inherited = {part.name: part for part in inherited}
        self._trusted: dict[str, Part] = {}
        self._on_topic = dict.fromkeys(inherited)  # a set that keeps its order
        self._newest, self._before = frozenset(inherited), frozenset[Part]()
        self._leftovers = list(leftovers)

    def holds(self, name: str) -> bool:
        """Whether the content of this name needs not be written."""
        return name in self._trusted

    def recognises(self, name: str, packed: bytes) -> bool:
        """Whether this content was inherited under this name; from then on `holds` says so."""
        part = self._inherited.pop(name, None)
        if part is None or not part.fits(packed):
            return False
        self._trusted[name] = part
        return True

    def add(self, part: Part) -> None:
        """Take a part for written: all its chunks are acknowledged."""
        self._trusted[part.name] = part
        self._on_topic[part] = None

    def named(self, names: Iterable[str]) -> dict[str, Part]:
        """Return the parts that it holds of these names."""
        return {name: self._trusted[name] for name in names}

    def header(self, parts: Collection[Part]) -> dict[str, Any]:
        """Return what the header of a snapshot that has these parts must say."""
        unneeded = [*self._leftovers, *self._keys_without(set(parts))]
        return {"parts": [astuple(part) for part in parts], "unneeded": [key.decode() for key in unneeded]}

    def checkpointed(self, parts: Collection[Part]) -> None:
        """Take note that a checkpoint with these parts is acknowledged."""
        self._newest, self._before = frozenset(parts), self._newest

    def unneeded(self) -> list[bytes]:
        """Return the keys of chunks that neither of the two newest checkpoints has."""
        return [*self._leftovers, *self._keys_without(self._newest | self._before)]

    def deleted(self) -> None:
        """Take note that what was `unneeded` is deleted."""
        self._leftovers = []
        self._forget([part for part in self._on_topic if part not in self._newest and part not in self._before])

    def lost(self, keys: Collection[bytes]) -> None:
        """Take note that others have deleted these keys: parts that had them are written again when they are needed."""
        if keys:
            self._forget([part for part in self._on_topic if not set(keys).isdisjoint(part.keys(self._partition))])

    def _forget(self, parts: Iterable[Part]) -> None:
        for part in parts:
            del self._on_topic[part]
            for by_name in (self._inherited, self._trusted):
                if by_name.get(part.name) == part:
                    del by_name[part.name]

    def _keys_without(self, needed: Collection[Part]) -> list[bytes]:
        return [key for part in self._on_topic if part not in needed for key in part.keys(self._partition)]


def _keys(partition: int, token: int, name: str, stored: int) -> list[bytes]:
    return [f"{partition}/{token}/part/{name}/{i}".encode() for i in range(-(-stored // CHUNK_BYTES))]
