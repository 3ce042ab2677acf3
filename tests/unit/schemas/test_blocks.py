"""Messages of the journal as bytes."""

from __future__ import annotations

import struct
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from schemas.blocks import decode, encode
from schemas.errors import FormatError
from schemas.events import Announcement, Block, Codes, End, Faults, Message, Source, Tick
from schemas.snapshot import pack
from tests.unit.schemas import records

SMALL: list[Message] = [
    Tick("fraud", Source("fraud.features", 3), 2**40, 1000),
    Announcement("fraud", (Source("fraud.features", 0), Source("fraud.labels", 1))),
    Announcement("fraud", ()),
    End("fraud", Source("fraud.features", 3)),
]


def block_of(*features: dict[str, Any]) -> Block:
    (block,) = records.decode(records.raws([records.fraud(str(i), **f) for i, f in enumerate(features)])).blocks
    return block


BLOCK = block_of({"amount": 1.5, "country": "de"}, {"amount": None, "country": "fr"}, {"amount": "n/a", "vip": True})


def same(a: object, b: object) -> bool:
    """Whether two messages, or parts of them, are equal in value, type and dtype."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, Block | Codes | Faults):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    if isinstance(a, tuple) and isinstance(b, tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("message", [*SMALL, BLOCK], ids=lambda m: type(m).__name__)
def test_what_was_written_is_read(message: Message):
    assert same(decode(encode(message)), message)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
names = st.lists(texts, max_size=3, unique=True).map(tuple)


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    n = draw(st.integers(1, 5))
    longs = arrays.arrays(np.int64, n)

    def codes() -> Codes:
        values = draw(names)
        return Codes(values, draw(arrays.arrays(np.int32, n, elements=st.integers(-1, len(values) - 1))))

    number_names, category_names, fault_subjects = draw(names), draw(names), draw(names)
    k = draw(st.integers(0, 4)) if fault_subjects else 0
    start, end = sorted(draw(st.tuples(st.integers(0, 2**62), st.integers(0, 2**62))))
    return Block(
        model=draw(texts),
        source=Source(draw(texts), draw(st.integers(0, 2**31))),
        roles=("features", "labels"),
        start=start,
        end=end,
        offsets=draw(longs),
        stamps=draw(longs),
        times=draw(longs),
        ids=tuple(draw(st.lists(texts, min_size=n, max_size=n))),
        versions=codes(),
        number_names=number_names,
        numbers=draw(arrays.arrays(np.float64, (len(number_names), n))),
        category_names=category_names,
        categories=tuple(codes() for _ in category_names),
        segments=tuple(codes() for _ in range(draw(st.integers(0, 2)))),
        faults=Faults(fault_subjects, *(draw(arrays.arrays(t, k)) for t in (np.int32, np.int32, np.uint8))),
    )


@settings(deadline=None)
@given(blocks())
def test_any_block_is_read_as_it_was_written(block: Block):
    assert same(decode(encode(block)), block)


def test_arrays_are_views_aligned_and_safe_from_writing():
    value = encode(BLOCK)
    block = decode(value)
    assert isinstance(block, Block)
    whole = np.frombuffer(value, np.uint8)
    for array in (block.offsets, block.times, block.numbers, block.versions.codes, block.faults.row):
        assert np.shares_memory(array, whole)
        assert array.flags.aligned
        assert not array.flags.writeable


def test_a_part_of_a_block_is_written_like_a_block_of_its_own():
    columns = BLOCK.numbers[:, 1:]  # not contiguous
    assert not columns.flags.c_contiguous
    part = replace(BLOCK, numbers=columns, offsets=BLOCK.offsets[1:], stamps=BLOCK.stamps[1:], times=BLOCK.times[1:], ids=BLOCK.ids[1:])
    part = replace(part, versions=Codes(("3",), np.zeros(2, np.int32)), category_names=(), categories=(), segments=())
    assert same(decode(encode(part)), replace(part, numbers=np.ascontiguousarray(columns)))


def test_names_are_one_object_from_block_to_block():
    first, second = (decode(encode(BLOCK)) for _ in range(2))
    assert isinstance(first, Block)
    assert isinstance(second, Block)
    assert first.number_names is second.number_names


@pytest.mark.parametrize("message", [*SMALL, BLOCK], ids=lambda m: type(m).__name__)
def test_every_flipped_bit_is_noticed(message: Message):
    value = encode(message)
    for at in range(len(value)):
        for bit in range(8):
            damaged = bytearray(value)
            damaged[at] ^= 1 << bit
            with pytest.raises(FormatError):
                decode(bytes(damaged))


@pytest.mark.parametrize("message", [SMALL[0], BLOCK], ids=lambda m: type(m).__name__)
def test_every_cut_and_every_addition_is_noticed(message: Message):
    value = encode(message)
    for size in range(len(value)):
        with pytest.raises(FormatError, match="cut short"):
            decode(value[:size])
    with pytest.raises(FormatError, match=f"found {len(value) + 1} bytes, expected {len(value)}"):
        decode(value + b"\0")


def test_what_a_newer_version_wrote_is_named_so():
    value = bytearray(encode(SMALL[0]))
    struct.pack_into("<H", value, 8, 2)
    with pytest.raises(FormatError, match="found format version 2, expected at most 1: a newer driftsonde wrote it"):
        decode(bytes(value))


@pytest.mark.parametrize("value", [b"", b'{"id": "a"}' * 10, pack({}, header={})])
def test_something_else_is_named_so(value: bytes):
    with pytest.raises(FormatError, match=r"journal message: found .*, expected"):
        decode(value)
