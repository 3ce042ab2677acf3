"""Sums are exact: what Python's fractions say, in any order."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.performance.exact import ExactSum, Moments

NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=1, max_size=20)
#: Squares of smaller ones leave what floats can hold.
TAME = st.lists(st.floats(-1e75, 1e75).filter(lambda x: x == 0 or abs(x) > 1e-100), min_size=1, max_size=20)


@given(NUMBERS)
def test_a_sum_is_exact(numbers: list[float]) -> None:
    found = ExactSum.of(np.array(numbers))
    assert Fraction(found.units, 2**1126) == sum(map(Fraction, numbers))
    assert ExactSum.from_state(found.state()) == found
    assert ExactSum.of(np.array(numbers[::-1])) == found


@given(TAME)
def test_mean_and_variance_are_rounded_once(numbers: list[float]) -> None:
    n, exact = len(numbers), [Fraction(x) for x in numbers]
    found = Moments.of(np.array(numbers))
    mean = sum(exact) / n
    assert found.mean(n) == float(mean)
    assert found.variance(n) == float(sum((x - mean) ** 2 for x in exact) / n)
    assert Moments.from_state(found.state()) == found


def test_nothing_adds_up_to_nothing() -> None:
    assert ExactSum.of(np.zeros(0)) == ExactSum() == ExactSum.from_state(ExactSum().state())
