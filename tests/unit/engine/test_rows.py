"""Columns of a release: whatever the pieces and the permutation, row i is released row i."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Source
from streams.engine.release import Piece, merge
from streams.engine.rows import position_at, rows_of, time_at
from tests.worlds import block_of


def two_topics(stamps_f: list[int], stamps_p: list[int]):
    f = block_of(
        Source("f", 0),
        {"x": np.array(stamps_f, float)},
        stamps=np.array(stamps_f),
        categories={"c": [None if s % 3 == 0 else f"c{s % 5}" for s in stamps_f]},
        version=[f"v{s % 2}" for s in stamps_f],
    )
    g = block_of(
        Source("f", 1),
        {"y": np.array(stamps_p, float), "x": -np.array(stamps_p, float)},
        stamps=np.array(stamps_p),
        categories={"c": ["other"] * len(stamps_p)},
        first_offset=100,
    )
    p = block_of(Source("p", 0), {"score": np.array(stamps_p, float)}, stamps=np.array(stamps_p), role="predictions")
    return merge([[Piece(b, 0, len(b), b.stamps) for b in (f, g, p) if len(b)]], 0)


ordered = st.lists(st.integers(0, 50), min_size=1, max_size=12).map(sorted)


@given(ordered, ordered)
def test_each_role_sees_its_rows_in_released_order(stamps_f, stamps_p):
    release = two_topics(stamps_f, stamps_p)
    features, predictions = rows_of(release, "features"), rows_of(release, "predictions")
    assert features is not None
    assert predictions is not None
    assert rows_of(release, "labels") is None
    assert sorted([*features.at, *predictions.at]) == list(range(release.n))
    expected = sorted([(s, 0, i) for i, s in enumerate(stamps_f)] + [(s, 1, i) for i, s in enumerate(stamps_p)])
    matrix = features.numbers(("x", "y", "absent"))
    assert matrix[0].tolist() == [s if source == 0 else -s for s, source, _ in expected]
    assert np.isnan(matrix[2]).all()
    assert [np.isnan(v) for v in matrix[1]] == [source == 0 for _, source, _ in expected]
    c = features.category("c")
    told = [c.at(i) for i in range(len(features))]
    assert told == [(None if s % 3 == 0 else f"c{s % 5}") if source == 0 else "other" for s, source, _ in expected]
    v = features.versions()
    assert [v.at(i) for i in range(len(features))] == [f"v{s % 2}" if source == 0 else "1" for s, source, _ in expected]
    assert features.times().tolist() == [s for s, _, _ in expected]
    assert predictions.numbers(("score",))[0].tolist() == stamps_p
    for i, (s, source, n) in enumerate(expected):
        at = int(features.at[i])
        assert time_at(release, at) == s
        assert position_at(release, at) == ("f", source, n if source == 0 else 100 + n)


def test_columns_are_divided_between_the_roles():
    release = two_topics([1, 2], [1])
    features, predictions = rows_of(release, "features"), rows_of(release, "predictions")
    assert features is not None
    assert predictions is not None
    assert (features.number_names(), features.category_names()) == (["x", "y"], ["c"])
    assert (predictions.number_names(), predictions.category_names()) == (["score"], [])


def test_one_block_in_order_is_not_copied():
    b = block_of(Source("f", 0), {"x": np.arange(5.0)}, stamps=np.arange(5))
    rows = rows_of(merge([[Piece(b, 1, 4, b.stamps)]], 0), "features")
    assert rows is not None
    assert np.shares_memory(rows.numbers(("x",)), b.numbers)
