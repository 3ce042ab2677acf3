"""Parts as records, and what is wrong with those that don't fit."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from schemas.errors import FormatError
from streams.live.state_parts import Part, is_part_key, parts_of, records_of_part
from streams.live.state_topic import CHUNK_BYTES, is_slot_key, squeeze

NOISE = np.random.default_rng(7).bytes(2_000_000)


def written(packed: bytes) -> tuple[Part, dict[bytes, bytes]]:
    records = records_of_part("fraud/chunk/1", packed, partition=3, token=7)
    values = {key: value or b"" for key, value in records}
    return Part("fraud/chunk/1", 7, 90, len(packed), zlib.crc32(packed), sum(map(len, values.values()))), values


@pytest.mark.parametrize("packed", [b"x", bytes(3_000_000), NOISE, NOISE + bytes(2_000_000), bytes(2_000_000) + NOISE])
def test_a_part_comes_back_from_records_that_a_broker_takes(packed: bytes) -> None:
    part, values = written(packed)
    assert all(len(value) <= CHUNK_BYTES for value in values.values())
    assert list(values) == part.keys(3)
    assert part.take(3, values) == packed
    assert values == {}


@pytest.mark.parametrize("packed", [NOISE, bytes(2_000_000)])
def test_a_part_that_does_not_fit_is_refused_by_name(packed: bytes) -> None:
    part, values = written(packed)
    first = part.keys(3)[0]
    flipped = bytearray(values[first])
    flipped[len(flipped) // 2] ^= 0xFF
    for wrong in (values | {first: bytes(flipped)}, values | {first: values[first][:-1]}):
        with pytest.raises(FormatError, match="part 'fraud/chunk/1'"):
            part.take(3, wrong)
    with pytest.raises(FormatError, match=rf"part 'fraud/chunk/1': 1 of {len(values)} chunks are missing"):
        part.take(3, {key: value for key, value in values.items() if key != first})


def test_what_zlib_does_not_shrink_is_left_as_it_is() -> None:
    assert squeeze(NOISE) is NOISE
    assert len(squeeze(bytes(2_000_000))) < 10_000
    assert len(squeeze(b"ab" * 1_000)) < 100


def test_slots_and_parts_are_told_apart_whatever_a_part_is_called() -> None:
    for name in ("a", "a/0", "a/manifest", "é\n", "part/x/0"):
        (key, _), *_ = records_of_part(name, b"x", partition=3, token=7)
        assert is_part_key(key)
        assert not is_slot_key(key)
        assert not key.endswith(b"/manifest")
    for key in (b"3/7/a/0", b"3/7/b/manifest"):
        assert is_slot_key(key)
        assert not is_part_key(key)
    for key in (b"3/claim", None):
        assert not is_slot_key(key)
        assert not is_part_key(key)


@pytest.mark.parametrize("parts", [[[1]], [3], 3])
def test_a_list_of_parts_that_is_none_is_refused(parts: object) -> None:
    with pytest.raises(FormatError, match="not a list of parts"):
        parts_of({"parts": parts})
