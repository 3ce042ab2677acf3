"""Snapshots as bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from schemas.blocks import encode
from schemas.envelope import pack as pack_envelope
from schemas.errors import FormatError
from schemas.events import Source, Tick
from schemas.snapshot import KIND, join, pack, split, unpack

TREE = {
    "cursor": {"fraud.features": [3, 2**63]},
    "bank": {"sums": np.array([[0.1, np.nan], [-np.inf, -0.0]]), "n": np.array(7), "none": np.empty((0, 3), np.int32)},
    "held": [b"", b"\x00\xff block"],
    "leaves": [None, True, False, 0, -1, 0.1, 1e-300, math.inf, "é", ""],
}


def same(a: Any, b: Any) -> bool:
    """Whether two trees are equal in value, type and dtype; NaN equals NaN."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return isinstance(b, float) and np.float64(a).tobytes() == np.float64(b).tobytes()
    return type(a) is type(b) and a == b


def test_what_was_packed_is_unpacked():
    header = {"model": "fraud", "offset": 17}
    found, tree = unpack(pack(TREE, header=header))
    assert found == header
    assert same(tree, TREE)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
dtypes = st.sampled_from(["?", "i1", "u2", "<i4", "<i8", "<u8", "<f2", "<f4", "<f8", "<c16", "S3", "<U2", "<M8[ms]", "<m8[s]"])
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.just(math.nan),
    texts,
    st.binary(max_size=9),
    dtypes.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))),
)
keys = st.one_of(texts, st.sampled_from(["$array", "$bytes", "$int", "$float", "$", "$$array"]))
trees = st.recursive(
    leaves, lambda children: st.one_of(st.lists(children, max_size=4), st.dictionaries(keys, children, max_size=4)), max_leaves=12
)


@given(trees)
def test_any_tree_comes_back_exactly(tree: Any):
    assert same(unpack(pack(tree, header={}))[1], tree)


def test_arrays_come_back_little_endian_contiguous_and_writable():
    _, tree = unpack(pack({"big": np.arange(6, dtype=">i4"), "turned": np.arange(6.0).reshape(2, 3).T}, header={}))
    assert tree["big"].dtype == np.dtype("<i4")
    assert tree["big"].tolist() == list(range(6))
    assert tree["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    tree["big"][0] = 7
    tree["turned"][0, 0] = 7


def test_numpy_scalars_and_tuples_become_python_values():
    _, tree = unpack(pack({"n": np.int64(3), "x": np.float32(0.5), "yes": np.True_, "pair": (1, "a")}, header={}))
    assert same(tree, {"n": 3, "x": 0.5, "yes": True, "pair": [1, "a"]})


@pytest.mark.parametrize(
    ("tree", "where"),
    [
        ({"a": [{"b": object()}]}, r"snapshot\.a\[0\]\.b: found object"),
        ({"a": {1: 2}}, r"snapshot\.a: found the key 1, expected strings"),
        ({"a": np.array([None])}, r"snapshot\.a: found an array of object"),
        ({"a": {1, 2}}, r"snapshot\.a: found set"),
        ([np.zeros(2, "i4,i4")], r"snapshot\[0\]: found an array of"),
    ],
)
def test_what_can_not_be_written_is_refused_with_its_place(tree: Any, where: str):
    with pytest.raises(TypeError, match=where):
        pack(tree, header={})


def test_every_flipped_bit_is_noticed():
    value = pack(TREE, header={"model": "fraud"})
    for at in range(len(value)):
        for bit in range(8):
            damaged = bytearray(value)
            damaged[at] ^= 1 << bit
            with pytest.raises(FormatError):
                unpack(bytes(damaged))


def test_every_cut_is_noticed():
    value = pack(TREE, header={})
    for size in range(len(value)):
        with pytest.raises(FormatError, match="cut short"):
            unpack(value[:size])


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"header": {}},
        {"header": {}, "tree": {"$array": [0, "<f8", [1]]}},
        {"header": {}, "tree": {"$array": [0, "O", [0]]}},
        {"header": {}, "tree": {"$array": [0, "nonsense", [0]]}},
        {"header": {}, "tree": {"$array": [0, "<f8", [-1]]}},
        {"header": {}, "tree": {"$bytes": [-4, 2]}},
        {"header": {}, "tree": {"$int": "x"}},
    ],
)
def test_a_header_that_does_not_fit_the_body_is_named_so(content: Any):
    with pytest.raises(FormatError, match="the header does not fit the body"):
        unpack(pack_envelope(KIND, content, []))


def test_a_journal_message_is_no_snapshot():
    with pytest.raises(FormatError, match="snapshot: found b'DSbl' at its start, expected b'DSsn'"):
        unpack(encode(Tick("fraud", Source("t", 0), 1, 0)))


@given(st.binary(min_size=1, max_size=50), st.integers(1, 60))
def test_chunks_are_no_larger_than_asked_and_join_again(value: bytes, limit: int):
    chunks = split(value, limit)
    assert all(0 < len(chunk) <= limit for chunk in chunks)
    assert join(chunks) == value


def test_chunks_of_nothing_are_refused():
    with pytest.raises(ValueError, match="limit: found 0, expected 1 or more"):
        split(b"abc", 0)
