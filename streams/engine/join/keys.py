"""Keys: 16 bytes that stand for a prediction's id (rule R1), for a batch of ids at a time."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Keys", "keys_of"]

#: (n, 2): the two halves of each key.
Keys: TypeAlias = NDArray[np.uint64]

# Small letters only: an id in capitals is another id, and must not be the same key.
_CLASSES = bytes(ord("h") if chr(byte) in "0123456789abcdef" else ord("-") if byte == ord("-") else ord("?") for byte in range(256))
_UUID = b"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh"
_NEW_HASH = blake2b(digest_size=16).copy  # a copy costs half of what a new one does


def keys_of(ids: Sequence[str]) -> Keys:
    """Make the keys of ids.

    Parameters
    ----------
    ids : sequence of str
        (n,) ids of predictions.

    Returns
    -------
    NDArray
        uint64 (n, 2): the 16 bytes that an id in the usual writing of a UUID (8-4-4-4-12 small hexadecimal digits) says,
        BLAKE2b-128 of its UTF-8 for any other. Two ids share a key only by chance, of 2⁻¹²⁸.

    Examples
    --------
    >>> [key.tobytes().hex() for key in keys_of(["0188a1c2-0000-7000-8000-00000000002a", "order 42"])]
    ['0188a1c200007000800000000000002a', '158e2c1a7c2195bee911c81a02378df7']

    References
    ----------
    RFC 9562, Universally Unique IDentifiers (UUIDs); RFC 7693, The BLAKE2 Cryptographic Hash.
    """
    keys = np.empty((len(ids), 2), np.uint64)
    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    candidates = np.flatnonzero(lengths == len(_UUID))
    is_uuid = np.zeros(len(ids), bool)
    if len(candidates):
        texts = ids if len(candidates) == len(ids) else [ids[i] for i in candidates.tolist()]
        good, keys_found = _uuid_keys(texts)
        is_uuid[candidates[good]] = True
        keys[is_uuid] = keys_found
    if not is_uuid.all():
        keys[~is_uuid] = _hash_keys([ids[i] for i in np.flatnonzero(~is_uuid).tolist()])
    return keys


def _uuid_keys(texts: Sequence[str]) -> tuple[NDArray[np.bool_], Keys]:
    """Say which of these texts of 36 characters are UUIDs, and give the keys of those."""
    # A character that is not Latin-1 becomes "?", which is no digit: what is no UUID needs no exact bytes here.
    text = "".join(texts).encode("latin-1", "replace")
    classes = text.translate(_CLASSES)
    good = np.ones(len(texts), bool)
    if classes != _UUID * len(texts):
        good = (np.frombuffer(classes, np.uint8).reshape(-1, len(_UUID)) == np.frombuffer(_UUID, np.uint8)).all(axis=1)
        text = np.frombuffer(text, np.uint8).reshape(-1, len(_UUID))[good].tobytes()
    digits = text.translate(None, b"-").decode("ascii")
    return good, np.frombuffer(bytes.fromhex(digits), "<u8").reshape(-1, 2)


def _hash_keys(ids: Sequence[str]) -> Keys:
    digests = bytearray()
    for text in ids:
        hash_ = _NEW_HASH()
        hash_.update(text.encode("utf-8", "surrogatepass"))  # JSON may hold half of a surrogate pair; UTF-8 may not
        digests += hash_.digest()
    return np.frombuffer(digests, "<u8").reshape(-1, 2)
