"""Sealed leaves: content that is written once, apart from the snapshots that have it."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.envelope import pack as pack_envelope
from schemas.errors import FormatError, InvariantError
from schemas.snapshot import KIND, PART, Sealed, header_of, pack, pack_part, sealed_in, unpack

KEYS = Sealed("fraud/chunk/1", {"key": np.arange(6, dtype=np.uint64).reshape(3, 2), "time": np.array([1, 2, 3])})
LABELS = Sealed("fraud/chunk/1/labels/17", {"label": np.array([0.0, np.nan, 1.0])})
TREE = {"models": {"fraud": {"chunks": [{"rows": KEYS, "labels": LABELS}], "n": 3, "$sealed": "a key of its own"}}}


def parts_of(*sealed: Sealed) -> dict[str, bytes]:
    return {leaf.name: pack_part(leaf) for leaf in sealed}


def chunk(tree: object) -> dict[str, dict[str, np.ndarray]]:
    return tree["models"]["fraud"]["chunks"][0]  # type: ignore[index]


@pytest.mark.parametrize("apart", [[], [KEYS], [LABELS], [KEYS, LABELS]])
def test_what_was_sealed_comes_back_as_a_dict_of_arrays_wherever_it_was_kept(apart: list[Sealed]):
    parts = parts_of(*apart)
    header, tree = unpack(pack(TREE, header={"offset": 7}, without=parts), parts=parts.__getitem__)
    assert header == {"offset": 7}
    assert tree["models"]["fraud"]["$sealed"] == "a key of its own"
    for found, expected in ((chunk(tree)["rows"], KEYS), (chunk(tree)["labels"], LABELS)):
        assert type(found) is dict
        assert list(found) == list(expected)
        for column in expected:
            np.testing.assert_array_equal(found[column], expected[column])
            assert found[column].flags.writeable


def test_content_kept_apart_is_not_in_the_snapshot():
    large = Sealed("large", {"x": np.zeros(100_000)})
    assert len(pack({"a": large}, header={}, without={"large"})) < 200
    assert len(pack({"a": large}, header={})) > 800_000


def test_the_same_columns_are_the_same_bytes():
    again = Sealed(KEYS.name, {name: column.copy() for name, column in KEYS.columns.items()})
    assert pack_part(again) == pack_part(KEYS)
    again["time"][0] = 9
    assert pack_part(again) != pack_part(KEYS)


def test_sealed_leaves_are_found_wherever_they_are():
    assert list(sealed_in(TREE)) == [KEYS.name, LABELS.name]
    assert sealed_in({"a": ({"b": [KEYS]},), "c": np.zeros(3)}) == {KEYS.name: KEYS}


def test_a_name_that_is_there_twice_is_a_defect():
    with pytest.raises(InvariantError, match="two sealed leaves named 'fraud/chunk/1'"):
        sealed_in([KEYS, Sealed(KEYS.name, {})])


def test_a_missing_part_is_named():
    value = pack(TREE, header={}, without={KEYS.name, LABELS.name})
    with pytest.raises(FormatError, match=r"part 'fraud/chunk/1/labels/17': it is missing"):
        unpack(value, parts=parts_of(KEYS).__getitem__)
    with pytest.raises(FormatError, match=r"part 'fraud/chunk/1': .* no parts were given"):
        unpack(value)


def test_every_flipped_byte_and_cut_of_a_part_is_noticed_and_the_part_named():
    value, part = pack({"a": KEYS}, header={}, without={KEYS.name}), pack_part(KEYS)
    for at in range(len(part)):
        damaged = bytearray(part)
        damaged[at] ^= 0xFF
        for wrong in (bytes(damaged), part[:at]):
            with pytest.raises(FormatError, match="part 'fraud/chunk/1'"):
                unpack(value, parts={KEYS.name: wrong}.__getitem__)


def test_another_part_under_the_name_is_noticed():
    value = pack({"a": KEYS}, header={}, without={KEYS.name})
    with pytest.raises(FormatError, match="part 'fraud/chunk/1': found the part 'fraud/chunk/1/labels/17'"):
        unpack(value, parts={KEYS.name: pack_part(LABELS)}.__getitem__)


@pytest.mark.parametrize("content", [{"name": KEYS.name}, {"name": KEYS.name, "columns": {"a": {"$array": [0, "<f8", [1]]}}}, []])
def test_a_part_whose_header_does_not_fit_its_body_is_named(content: object):
    value = pack({"a": KEYS}, header={}, without={KEYS.name})
    with pytest.raises(FormatError, match="part 'fraud/chunk/1'"):
        unpack(value, parts={KEYS.name: pack_envelope(PART, content, [])}.__getitem__)


def test_what_can_not_be_written_in_a_part_is_refused_with_its_place():
    with pytest.raises(TypeError, match=r"part 'p'\.ids: found an array of object"):
        pack_part(Sealed("p", {"ids": np.array([None])}))


def test_the_header_is_read_without_the_parts():
    assert header_of(pack(TREE, header={"parts": [1]}, without={KEYS.name, LABELS.name})) == {"parts": [1]}
    with pytest.raises(FormatError, match="it has no header"):
        header_of(pack_envelope(KIND, [], []))


def test_a_state_that_was_never_packed_reads_as_one_that_was():
    assert KEYS["time"].tolist() == [1, 2, 3]
    assert list(KEYS) == ["key", "time"]
    assert len(KEYS) == 2
