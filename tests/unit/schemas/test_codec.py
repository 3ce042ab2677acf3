"""Records to rows: values, names, times, ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from schemas.decoding.extract import MAX_BLOCK_BYTES
from schemas.events import Fault, Source
from tests.unit.schemas.records import FRAUD, NOW, absent, decode, decoder, fraud, model, raws, rows


def cells(*features: dict[str, Any]) -> list[dict[str, Any]]:
    (block,) = decode(raws([fraud(**f) for f in features])).blocks
    return [row["cells"] for row in rows(block)]


def test_a_block_says_what_the_records_say():
    record = {"id": "a", "ts": NOW, "model": {"version": "3"}, "payload": {"features": {"amount": 1.5, "country": "de"}}}
    other = {"id": 7, "ts": NOW + 1, "site": {"region": 4}, "payload": {"features": {"amount": 2, "vip": True}}}
    decoded = decode(raws([record, other]))
    (block,) = decoded.blocks
    assert (block.model, block.source, block.roles, block.start, block.end) == ("fraud", Source("events", 0), ("features",), 0, 2)
    common = {"model": "fraud", "stamp": NOW}
    assert rows(block) == [
        common | {"offset": 0, "time": NOW, "id": "a", "version": "3", "segments": ("de", None), "cells": {"amount": 1.5, "country": "de"}},
        common
        | {
            "offset": 1,
            "time": NOW + 1,
            "id": "7",
            "version": "unversioned",
            "segments": (None, "4"),
            "cells": {"amount": 2.0, "vip": 1.0},
        },
    ]
    assert absent(block) == {("vip", 0), ("country", 1)}
    assert not decoded.dead_letters


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (1, 1.0),
        (-0.5, -0.5),
        (2**64 - 1, 2.0**64),
        (2**64, 2.0**64),
        (-(2**70), -(2.0**70)),
        (True, 1.0),
        (False, 0.0),
        ("1.5", "1.5"),
        ("", ""),
        ("x" * 256, "x" * 256),
        ("x" * 257, Fault.TOO_LONG),
        (None, Fault.NULL),
        (float("nan"), Fault.NOT_FINITE),
        (float("-inf"), Fault.NOT_FINITE),
        (10**400, Fault.NOT_FINITE),
        (10**4000, Fault.NOT_FINITE),
        ({"deeper": 1}, Fault.WRONG_TYPE),
        ([1.0], Fault.WRONG_TYPE),
    ],
)
@pytest.mark.parametrize(("beside", "cell_beside"), [(0.25, 0.25), ("text", "text"), (None, Fault.NULL), ([0], Fault.WRONG_TYPE)])
def test_a_cell_is_a_number_a_string_or_a_fault_whatever_is_beside_it(value: Any, cell: Any, beside: Any, cell_beside: Any):
    assert cells({"x": value, "y": 1}, {"x": beside, "y": 2}) == [{"x": cell, "y": 1.0}, {"x": cell_beside, "y": 2.0}]


def test_a_number_beyond_the_greatest_float_costs_that_value_only():
    record = b'{"id":"a","ts":%d,"payload":{"features":{"x":1e400,"y":-1e400,"z":3}}}' % NOW
    (block,) = decode(raws([record])).blocks
    assert rows(block)[0]["cells"] == {"x": Fault.NOT_FINITE, "y": Fault.NOT_FINITE, "z": 3.0}


def test_a_subject_may_be_a_number_in_one_row_and_a_string_in_another():
    (block,) = decode(raws([fraud(x=1), fraud(x="one"), fraud(x=2.5)])).blocks
    assert block.number_names == block.category_names == ("x",)
    np.testing.assert_array_equal(block.numbers, [[1, np.nan, 2.5]])
    assert block.categories[0].codes.tolist() == [-1, 0, -1]
    assert len(block.faults.row) == 0


def test_features_null_or_absent_are_all_absent():
    records = [fraud(x=1), {"id": "b", "ts": NOW, "payload": {"features": None}}, {"id": "c", "ts": NOW}]
    (block,) = decode(raws(records)).blocks
    assert [row["cells"] for row in rows(block)] == [{"x": 1.0}, {}, {}]
    assert absent(block) == {("x", 1), ("x", 2)}


def test_names_of_roles_are_not_taken_by_features():
    (block,) = decode(raws([fraud(score=1, loss=2, **{"features.score": 3})])).blocks
    assert rows(block)[0]["cells"] == {"features.score": 1.0, "features.loss": 2.0, "features.features.score": 3.0}


def test_the_whole_record_but_the_mapped_fields_is_features():
    whole = model(features={"features": ".", "time": "meta.at", "version": "v", "score": "s"})
    (block,) = decode(raws([{"id": "a", "meta": {"at": NOW, "other": 1}, "v": 3, "s": 0.5, "amount": 1, "at": 2}]), whole).blocks
    assert rows(block)[0]["cells"] == {"amount": 1.0, "at": 2.0}


def test_mapped_fields_within_the_features_object_are_not_features():
    inside = model(features={"features": "f", "id": "f.id", "time": "f.ts", "version": "f.meta.version"})
    (block,) = decode(raws([{"f": {"id": "a", "ts": NOW, "meta": {"version": 1}, "amount": 1}}]), inside).blocks
    assert rows(block)[0]["cells"] == {"amount": 1.0}


def test_two_roles_on_one_topic_make_one_block():
    both = model(features={"features": "x"}, predictions={"prediction": "label", "score": "p"})
    (block,) = decode(raws([{"id": "a", "label": True, "p": 0.5, "x": {"amount": 1}}, {"id": "b", "label": 1, "x": {}}]), both).blocks
    assert block.roles == ("features", "predictions")
    assert [row["cells"] for row in rows(block)] == [{"prediction": "true", "score": 0.5, "amount": 1.0}, {"prediction": 1.0}]
    assert absent(block) == {("score", 1), ("amount", 1)}


def test_roles_that_map_the_same_thing_differently_are_asked_in_turn():
    union = model(
        predictions={"id": "id", "time": "at", "version": "v", "score": "p"},
        labels={"id": "prediction_id", "version": "version", "label": "y"},
    )
    records = raws([{"id": "a", "at": NOW - 5, "v": 1, "p": 0.5}, {"prediction_id": "a", "version": 2, "y": False}])
    (block,) = decode(records, union).blocks
    assert [(r["id"], r["time"], r["version"], r["cells"]) for r in rows(block)] == [
        ("a", NOW - 5, "1", {"score": 0.5}),
        ("a", NOW, "2", {"label": "false"}),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [("3", "3"), (3, "3"), (3.0, "3"), (2.5, "2.5"), (True, "true"), (2**64 - 1, str(2**64 - 1))]
    + [(v, "unversioned") for v in (None, "", float("nan"), [3], {"major": 3}, "x" * 257)],
)
@pytest.mark.parametrize("beside", ["4", 4, None])
def test_versions_are_named_by_strings_and_numbers(value: Any, text: str, beside: Any):
    records = [fraud() | {"model": {"version": v}} for v in (value, beside)]
    (block,) = decode(raws(records)).blocks
    assert [row["version"] for row in rows(block)] == [text, "unversioned" if beside is None else "4"]


def test_a_segment_is_a_feature_first_and_a_path_in_the_record_second():
    at_top = model(features={"features": "x"}, segments=["country", "shop.id"])
    records = [
        {"id": "a", "country": "top", "x": {"country": "de", "shop.id": 7}},
        {"id": "b", "country": "fr", "shop": {"id": 8.0}, "x": {}},
        {"id": "c", "country": "fr", "shop": "none", "x": {"country": None}},
    ]
    (block,) = decode(raws(records), at_top).blocks
    assert [row["segments"] for row in rows(block)] == [("de", "7"), ("fr", "8"), (None, None)]


def test_time_may_be_kafkas_own():
    (block,) = decode(raws([{"id": "a", "x": {}}], stamp=NOW - 77), model(features={"features": "x"})).blocks
    assert (block.times.tolist(), block.stamps.tolist()) == ([NOW - 77], [NOW - 77])


def test_models_that_share_a_topic_get_their_own_rows():
    one = model("one", features={"model": "m", "features": "x"})
    two = model("two", features={"model": "m", "features": "x"})
    every = model("every", features={"features": "y"})
    values = [{"id": str(i), "m": m, "x": {"a": i}, "y": {"b": i}} for i, m in enumerate(["one", "two", "one", "three"])]
    decoded = decode(raws(values), one, two, every)
    got = {b.model: [(r["offset"], r["cells"]) for r in rows(b)] for b in decoded.blocks}
    assert got == {
        "one": [(0, {"a": 0.0}), (2, {"a": 2.0})],
        "two": [(1, {"a": 1.0})],
        "every": [(i, {"b": float(i)}) for i in range(4)],
    }
    assert not decoded.dead_letters  # every record is somebody's
    assert all((b.start, b.end) == (0, 4) for b in decoded.blocks)


def test_names_stay_the_same_object_while_they_do_not_change():
    mine = decoder(FRAUD)
    batches = [raws([fraud(**dict.fromkeys(names, 1))]) for names in ("ab", "ba", "abc")]
    blocks = [mine.decode(0, batch, start=0, end=1, now_ms=None).blocks[0] for batch in batches]
    assert blocks[0].number_names is blocks[1].number_names
    assert blocks[2].number_names == ("a", "b", "c")


def test_records_of_other_clients_fit():
    @dataclass
    class ConsumerRecord:
        topic: str
        offset: int
        timestamp: int
        value: bytes | None

    record = ConsumerRecord("events", 9, NOW, b'{"id": "a", "ts": %d}' % NOW)
    (block,) = decoder(FRAUD).decode(0, [record], start=5, end=12, now_ms=NOW).blocks
    assert (block.offsets.tolist(), block.start, block.end) == ([9], 5, 12)


def test_no_rows_no_block():
    assert decode([]) == ([], [])
    decoded = decode(raws([b"{}"]))
    assert (decoded.blocks, len(decoded.dead_letters)) == ([], 1)


def test_a_batch_that_is_too_large_for_one_message_becomes_several_blocks():
    wide = {f"f{i}": i / 2 for i in range(1000)}
    records = raws([fraud(str(i), **wide) for i in range(200)])
    blocks = decode(records).blocks
    assert len(blocks) > 1
    assert all(b.numbers.nbytes < MAX_BLOCK_BYTES for b in blocks)
    assert [blocks[0].start, *(b.end for b in blocks)] == [*(b.start for b in blocks), 200]
    assert [i for b in blocks for i in b.offsets.tolist()] == list(range(200))


def test_features_that_never_meet_do_not_make_a_matrix_of_nothing():
    records = raws([fraud(str(i), **{f"f{i}-{j}": 1 for j in range(300)}) for i in range(100)])
    blocks = decode(records).blocks
    assert len(blocks) > 1
    assert sum(map(len, blocks)) == 100
    assert all(b.numbers.nbytes < MAX_BLOCK_BYTES for b in blocks)
