"""The same class, however a record wrote it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.labels import class_of


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ((1, 1.0, "1", "1.0", "1.00"), "1"),
        ((0, -0.0, "0", "-0", "0.0"), "0"),
        ((0.5, "0.5", "0.50"), "0.5"),
        ((1e-5, "0.00001"), "1e-05"),
        (("01",), "01"),
        (("1.",), "1."),
        (("1e3",), "1e3"),
        (("12345678901234567890",), "12345678901234567890"),  # as a float it would be another
        (("9" * 256,), "9" * 256),
        (("0x1",), "0x1"),
        (("NaN",), "NaN"),
        ((" 1",), " 1"),
        (("١",), "١"),
        (("Fraud",), "Fraud"),
    ],
)
def test_a_class_has_one_name(values: tuple[float | str, ...], name: str):
    assert {class_of(value) for value in values} == {name}


def test_true_and_false_are_classes_of_their_own_unless_there_are_two():
    assert [class_of(text) for text in ("true", "false")] == ["true", "false"]
    assert [class_of(text, binary=True) for text in ("true", "false", "True")] == ["1", "0", "True"]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_no_class(number: float):
    with pytest.raises(ValueError, match="is not a class; expected a finite number, or text"):
        class_of(number)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63).map(float))
def test_a_number_and_its_name_are_one_class(number: float):
    assert class_of(class_of(number)) == class_of(number)


@given(st.text(max_size=20), st.booleans())
def test_a_name_is_its_own_name(text: str, binary: bool):
    assert class_of(class_of(text, binary=binary), binary=binary) == class_of(text, binary=binary)
