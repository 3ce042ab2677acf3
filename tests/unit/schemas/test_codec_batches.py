"""What is decoded depends on the records alone, not on how they were cut into batches."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Decoded, Raw
from tests.unit.schemas.records import NOW, decoder, model, rows

MODELS = (
    model(
        "one",
        features={"model": "m", "time": "ts", "version": "v", "features": "x"},
        predictions={"model": "m", "time": "at", "prediction": "y", "score": "x.p"},
        segments=["country", "site.region"],
    ),
    model("two", features={"model": "m", "features": "."}),
    model("three", features={"time": "ts", "version": "x.v", "features": "x"}, labels={"id": "prediction_id", "label": "y"}),
)

words = st.sampled_from(["", "de", "fr", "3", "1.5", "x" * 257, "features.score", "é"])
numbers = st.one_of(st.integers(-5, 5), st.integers(2**62, 2**66), st.floats(), st.just(10**400))
scalars = st.one_of(numbers, numbers, words, st.none(), st.booleans())
cells = st.one_of(scalars, scalars, scalars, st.just([1]), st.just({"deeper": 1}))
times = st.one_of(
    st.integers(NOW - 10**9, NOW + 10**8),
    st.integers(NOW // 1000 - 10**6, NOW // 1000 + 10**5),
    st.floats(NOW / 1000 - 1e6, NOW / 1000 + 1e5),
    st.sampled_from(["2026-01-05T10:23:11Z", "2026-01-05", "2090-01-01", "soon", 0, True, float("nan"), 2**63, 2**64]),
)
records = st.fixed_dictionaries(
    {},
    optional={
        "id": st.one_of(st.sampled_from("abc"), st.sampled_from("abc"), scalars),
        "prediction_id": words,
        "m": st.sampled_from(["one", "two", "two", 3, None]),
        "ts": st.one_of(times, times, scalars),
        "at": times,
        "v": cells,
        "y": cells,
        "site": st.one_of(st.none(), st.fixed_dictionaries({"region": cells})),
        "x": st.one_of(
            st.dictionaries(st.sampled_from(["a", "b", "p", "v", "country", "score", "features.score"]), cells, max_size=6),
            st.dictionaries(st.sampled_from(["a", "b", "country"]), scalars, min_size=3),
            cells,
        ),
    },
)
values = st.one_of(
    *[records.map(lambda record: json.dumps(record).encode())] * 6,
    st.sampled_from([None, b"", b"[]", b"{", b'"\\ud800"', b"{}", b'{"id": "\xff"}']),
)
stamps = st.sampled_from([NOW, NOW, NOW, NOW + 1, NOW - 10**7, NOW + 300_001, 0, 2**62])


def said(parts: list[Decoded]) -> tuple[list[dict[str, Any]], list[Any]]:
    """All rows by model, and all dead letters, whatever blocks they came in."""
    by_model = [row for part in parts for block in part.blocks for row in rows(block)]
    return sorted(by_model, key=lambda row: (row["model"], row["offset"])), [letter for part in parts for letter in part.dead_letters]


@given(st.lists(st.tuples(values, stamps), max_size=30), st.lists(st.integers(0, 30), max_size=6))
def test_cutting_records_into_batches_changes_nothing(log: list[tuple[bytes | None, int]], cuts: list[int]):
    raws = [Raw(10 * i, stamp, value) for i, (value, stamp) in enumerate(log)]
    edges = sorted({0, len(raws), *(c for c in cuts if c < len(raws))})
    whole = decoder(*MODELS).decode(0, raws, start=0, end=10 * len(raws), now_ms=NOW)
    pieces = decoder(*MODELS)
    parts = [pieces.decode(0, raws[a:b], start=10 * a, end=10 * b, now_ms=NOW) for a, b in pairwise(edges)]
    assert said(parts) == said([whole])


@given(st.lists(st.tuples(values, stamps), max_size=30))
def test_every_record_ends_as_a_row_or_a_dead_letter(log: list[tuple[bytes | None, int]]):
    decoded = decoder(*MODELS).decode(0, [Raw(i, stamp, value) for i, (value, stamp) in enumerate(log)], start=0, end=len(log), now_ms=NOW)
    used = {int(i) for block in decoded.blocks for i in block.offsets}
    rejected = [letter.position.offset for letter in decoded.dead_letters]
    assert used | set(rejected) == set(range(len(log)))
    assert rejected == sorted(set(rejected))
