"""Event times as people write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decoding.timestamps import EARLIEST_MS, LATEST_MS, UNREADABLE, milliseconds_of, read_times

MS = 1_767_608_591_123


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        (MS // 1000, 1_767_608_591_000),
        (MS, MS),
        (MS * 1000 + 999, MS),
        (MS * 1_000_000 + 999_999, MS),
        (MS / 1000, MS),
        (float(MS), MS),
        (MS * 1e3, MS),
        ("2026-01-05T10:23:11.123Z", MS),
        ("2026-01-05T10:23:11.123999+00:00", MS),
        ("2026-01-05T11:23:11.123+01:00", MS),
        ("2026-01-05 10:23:11.123", MS),
        ("20260105T102311.123Z", MS),
        ("2026-01-05", 1_767_571_200_000),
        (10**8, EARLIEST_MS),
        (10**11 - 1, LATEST_MS - 1000),
        (10**20 - 1, LATEST_MS - 1),
    ],
)
def test_times_are_read(value: Any, ms: int):
    assert milliseconds_of(value) == ms


NUMBERS = [0, -1, 10**8 - 1, 10**20, -MS, float("nan"), float("inf"), 1e300]
DATES = ["1972-12-31T23:59:59Z", "1973-03-03T09:46:39.999Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "2026-01-05T10:23:60Z"]


@pytest.mark.parametrize("value", [*NUMBERS, *DATES, None, True, [MS], {"s": MS}, "", str(MS), "now", "2026-13-01"])
def test_other_things_are_not_times(value: Any):
    assert milliseconds_of(value) == UNREADABLE


numbers = st.one_of(
    st.integers(10**7, 10**21), st.integers(MS - 10**6, MS + 10**6), st.floats(), st.floats(1e8, 1e20), st.floats(1.7e9, 1.8e9)
)


@given(
    st.one_of(
        st.lists(st.integers(MS, MS + 10**9)),
        st.lists(st.integers(10**7, 10**21)),
        st.lists(st.floats(1e9, 2e9)),
        st.lists(st.floats(1e14, 1e20)),
        st.lists(st.floats()),
        st.lists(st.one_of(numbers, st.none(), st.datetimes().map(str))),
    )
)
def test_a_column_is_read_as_its_values_one_by_one(values: list[Any]):
    assert read_times(values).tolist() == [milliseconds_of(v) for v in values]
