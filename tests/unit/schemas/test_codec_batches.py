"""What is decoded depends on the records alone, not on how they were cut into batches."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Decoded, Raw
from tests.unit.schemas.records import NOW, decoder, model, rows

#: Labels need something to be joined with, on another topic.
ELSEWHERE = {"topic": "others", "score": "p"}
MODELS = (
    model(
        "one",
        features={"model": "m", "time": "ts", "version": "v", "features": "x"},
        predictions={"model": "m", "time": "at", "prediction": "y", "score": "x.p"},
        segments=["country", "site.region"],
    ),
    model("two", features={"model": "m", "features": "."}),
    model("three", features={"time": "ts", "version": "x.v", "features": "x"}, labels={"id": "prediction_id", "label": "y"}),
    model("four", labels={"time": "ts", "arrived": "at", "label": "y", "source": "v", "revision": "x.a"}, predictions=ELSEWHERE),
)

words = st.sampled_from(["de", "fr", "3", "1.5", "", "x" * 257, "features.score", "é"])
numbers = st.one_of(st.floats(-5, 5), st.integers(-5, 5), st.integers(2**62, 2**66), st.floats(), st.just(10**400))
cells = st.one_of(numbers, st.floats(-5, 5), words, st.none(), st.booleans(), st.sampled_from([[1], {"deeper": 1}]))
times = st.one_of(
    st.integers(NOW - 10**9, NOW + 10**7),
    st.integers(NOW // 1000 - 10**6, NOW // 1000),
    st.floats(NOW / 1000 - 1e6, NOW / 1000),
    st.sampled_from(["2026-01-05T10:23:11Z", "2026-01-05"]),
)
#: What a record has where.
USUAL: dict[str, st.SearchStrategy[Any]] = {
    "id": st.one_of(st.sampled_from("abc"), st.integers(0, 9)),
    "m": st.sampled_from(["one", "one", "two", 3]),
    "ts": times,
    "x": st.dictionaries(st.sampled_from(["a", "b", "p", "v", "country", "score", "features.score"]), cells, max_size=6),
}
SOMETIMES: dict[str, st.SearchStrategy[Any]] = {
    "prediction_id": words,
    "at": times,
    "v": cells,
    "y": cells,
    "site": st.one_of(st.none(), st.fixed_dictionaries({"region": cells})),
}
NASTY = st.one_of(cells, st.sampled_from(["2090-01-01", "soon", 0, float("nan"), 2**63, 2**64]))
records = st.builds(
    lambda usual, nasty: json.dumps(usual | nasty).encode(),
    st.fixed_dictionaries(USUAL, optional=SOMETIMES),
    st.one_of(st.just({}), st.just({}), st.dictionaries(st.sampled_from(sorted(USUAL)), NASTY, max_size=1)),
)
junk = st.sampled_from([None, b"", b"[]", b"{", b'"\\ud800"', b"{}", b'{"id": "\xff"}'])
raws = st.tuples(
    st.sampled_from([NOW, NOW, NOW, NOW + 1, NOW - 10**7, NOW + 300_001, 2**62]),
    st.integers(0, 9).flatmap(lambda die: records if die else junk),
)
logs = st.lists(raws, max_size=25).map(lambda log: [Raw(10 * i, stamp, value) for i, (stamp, value) in enumerate(log)])


def said(parts: list[Decoded]) -> tuple[list[dict[str, Any]], list[Any]]:
    """All rows by model, and all dead letters, whatever blocks they came in."""
    by_model = [row for part in parts for block in part.blocks for row in rows(block)]
    return sorted(by_model, key=lambda row: (row["model"], row["offset"])), [letter for part in parts for letter in part.dead_letters]


@given(logs, st.lists(st.integers(0, 25), max_size=6))
def test_cutting_records_into_batches_changes_nothing(log: list[Raw], cuts: list[int]):
    edges = sorted({0, len(log), *(c for c in cuts if c < len(log))})
    whole = decoder(*MODELS).decode(0, log, start=0, end=10 * len(log), now_ms=NOW)
    pieces = decoder(*MODELS)
    parts = [pieces.decode(0, log[a:b], start=10 * a, end=10 * b, now_ms=NOW) for a, b in pairwise(edges)]
    assert said(parts) == said([whole])


@given(logs)
def test_every_record_ends_as_a_row_or_a_dead_letter(log: list[Raw]):
    decoded = decoder(*MODELS).decode(0, log, start=0, end=10 * len(log), now_ms=NOW)
    used = {int(i) for block in decoded.blocks for i in block.offsets}
    rejected = [letter.position.offset for letter in decoded.dead_letters]
    assert used | set(rejected) == {record.offset for record in log}
    assert rejected == sorted(set(rejected))
