"""How a checkpoint lies in the state topic: chunks first, their manifest last, in two slots that take turns.

Journal partition p has its records in partition p of the state topic, under these keys:

* ``p/claim``: "I own this partition now"; written before a restore.
* ``p/TOKEN/SLOT/INDEX``: a chunk of a snapshot.
* ``p/TOKEN/SLOT/manifest``: says how many chunks, their length and CRC, and where the journal and the alert topic stood.
* ``p/TOKEN/part/NAME/INDEX``: a chunk of what several checkpoints share (`streams.live.state_parts`); written before those that have it.

A *token* is one more than every token seen and than the offset of the owner's claim, so a later owner's is greater. (The group's
generation would not do: it starts again at 1 when the group is deleted or expires.) Slots ``a`` and ``b`` take turns: while one is being
overwritten, the other is whole. A manifest whose chunks don't match it is passed over, and so is what an owner wrote after it was
superseded, as its token is lower.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import orjson

from schemas.errors import FormatError
from schemas.snapshot import join, split
from streams.live.log_reader import LogRecord

__all__ = [
    "CHUNK_BYTES",
    "Manifest",
    "StateRecord",
    "claim_key",
    "cut",
    "greatest_token",
    "is_slot_key",
    "latest",
    "manifests",
    "records_of",
    "snapshot_of",
    "squeeze",
    "stale_keys",
]

#: A broker takes 1 MB a record unless told otherwise.
CHUNK_BYTES = 900_000
FORMAT = 1
#: Bytes from which a sample is compressed before the whole is: 16 pieces of 4 kB, as columns of one table differ.
SAMPLE_FROM = 256_000
_PIECES, _PIECE_BYTES = 16, 4096
_SLOTS = ("a", "b")
_SLOT_KEY = re.compile(rb"\d+/\d+/[ab]/(?:\d+|manifest)")

#: Key and value of a record to write; a value of None deletes the key when the topic is compacted.
StateRecord = tuple[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What makes the chunks of one slot a checkpoint.

    Parameters
    ----------
    epoch : int
        Number of the checkpoint under this token, from 1; odd ones are in slot a.
    chunks, length, crc : int
        Number of chunks; bytes of all together; CRC-32 of them.
    compressed : bool
        Whether the bytes are zlib's.
    journal : int
        Offset of the next journal record: where to read on.
    alerts : mapping of int to int
        For each partition of the alert topic an offset below which everything is older than this checkpoint.
    """

    partition: int
    token: int
    epoch: int
    chunks: int
    length: int
    crc: int
    compressed: bool
    journal: int
    alerts: Mapping[int, int]

    @property
    def prefix(self) -> str:
        """Key of the slot."""
        return f"{self.partition}/{self.token}/{_SLOTS[(self.epoch + 1) % 2]}"

    @property
    def key(self) -> bytes:
        """Key of the manifest itself."""
        return f"{self.prefix}/manifest".encode()

    def chunk_key(self, index: int) -> bytes:
        """Key of a chunk."""
        return f"{self.prefix}/{index}".encode()

    def to_json(self) -> bytes:
        """Encode."""
        return orjson.dumps({"format": FORMAT, **asdict(self)}, option=orjson.OPT_NON_STR_KEYS)

    @classmethod
    def from_json(cls, value: bytes) -> Manifest:
        """Decode what `to_json` wrote.

        Raises
        ------
        FormatError
            Not a manifest, or one of a newer format.
        """
        try:
            fields = orjson.loads(value)
            if fields.pop("format") != FORMAT:
                raise FormatError("a manifest of a newer driftsonde")
            return cls(**{**fields, "alerts": {int(p): int(offset) for p, offset in fields["alerts"].items()}})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise FormatError(f"not a manifest: {error}") from None


def claim_key(partition: int) -> bytes:
    """Key of the claim of a partition.

    Examples
    --------
    >>> claim_key(3)
    b'3/claim'
    """
    return f"{partition}/claim".encode()


def records_of(snapshot: bytes, *, partition: int, token: int, epoch: int, journal: int, alerts: Mapping[int, int]) -> list[StateRecord]:
    """Cut a snapshot into the records of a checkpoint, the manifest last; compressed when that helps.

    Examples
    --------
    >>> [key for key, _ in records_of(bytes(2_000_000), partition=3, token=7, epoch=1, journal=90, alerts={0: 4})]
    [b'3/7/a/0', b'3/7/a/manifest']
    """
    body = squeeze(snapshot)
    chunks = cut(body)
    compressed = len(body) < len(snapshot)
    manifest = Manifest(partition, token, epoch, len(chunks), len(body), zlib.crc32(body), compressed, journal, alerts)
    return [*((manifest.chunk_key(i), chunk) for i, chunk in enumerate(chunks)), (manifest.key, manifest.to_json())]


def squeeze(value: bytes) -> bytes:
    """Return zlib's bytes when they are a tenth fewer, else `value` itself; of a large value a sample says whether to try.

    Examples
    --------
    >>> len(squeeze(bytes(1_000_000))) < 5_000, squeeze(b"abc")
    (True, b'abc')
    """
    if len(value) >= SAMPLE_FROM:
        sample = b"".join(value[at : at + _PIECE_BYTES] for at in range(0, len(value), -(-len(value) // _PIECES)))
        if len(zlib.compress(sample, 1)) >= 0.9 * len(sample):
            return value
    packed = zlib.compress(value, 1)
    return packed if len(packed) < 0.9 * len(value) else value


def cut(value: bytes) -> list[bytes]:
    """Cut a value into chunks that a broker takes."""
    return split(value, CHUNK_BYTES)


def manifests(records: Sequence[LogRecord], partition: int) -> tuple[list[Manifest], list[FormatError]]:
    """Return the manifests of a partition, newest first, and what is wrong with those that can't be read."""
    found, damaged = [], []
    for key, value in latest(records).items():
        if value is not None and key.startswith(f"{partition}/".encode()) and key.endswith(b"/manifest"):
            try:
                found.append(Manifest.from_json(value))
            except FormatError as error:
                damaged.append(error)
    return sorted(found, key=lambda m: (m.token, m.epoch), reverse=True), damaged


def snapshot_of(manifest: Manifest, records: Sequence[LogRecord]) -> bytes:
    """Put the chunks of a manifest together.

    Raises
    ------
    FormatError
        Chunks are missing, damaged, or of another checkpoint (the owner died while it was overwriting the slot).
    """
    values = latest(records)
    chunks = [values.get(manifest.chunk_key(i)) for i in range(manifest.chunks)]
    if missing := chunks.count(None):
        raise FormatError(f"checkpoint {manifest.prefix}: {missing} of {manifest.chunks} chunks are missing")
    body = join([chunk for chunk in chunks if chunk is not None])
    if len(body) != manifest.length or zlib.crc32(body) != manifest.crc:
        raise FormatError(f"checkpoint {manifest.prefix}: its chunks are not those of its manifest (length or CRC)")
    return zlib.decompress(body) if manifest.compressed else body


def greatest_token(records: Sequence[LogRecord]) -> int:
    """Return the greatest token of all keys, 0 when there is none."""
    return max((token for record in records if (token := _token(record.key)) is not None), default=0)


def stale_keys(records: Sequence[LogRecord], *, below: int) -> list[bytes]:
    """Return the keys of slots of tokens lower than `below` that still have a value: an owner deletes them when it has two checkpoints."""
    return [key for key, value in latest(records).items() if value is not None and is_slot_key(key) and (_token(key) or 0) < below]


def is_slot_key(key: bytes | None) -> bool:
    """Whether a record is a chunk of a slot, or its manifest."""
    return key is not None and _SLOT_KEY.fullmatch(key) is not None


def latest(records: Sequence[LogRecord]) -> dict[bytes, bytes | None]:
    """Return the last value of each key, None when it was deleted."""
    return {record.key: record.value for record in records if record.key is not None}


def _token(key: bytes | None) -> int | None:
    parts = (key or b"").split(b"/")
    return int(parts[1]) if len(parts) >= 4 and parts[1].isdigit() else None
