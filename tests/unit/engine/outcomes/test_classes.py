"""Codes of classes: the same however rows are cut, and a third class of a binary model is no class."""

import numpy as np
import pytest

from schemas.events import Source
from streams.engine.outcomes.classes import Classes, Names, texts_of
from streams.engine.release import Piece, merge
from streams.engine.rows import RoleRows, rows_of
from tests.worlds import START, block_of, coded


def rows(values: list[float | str | None], name: str = "prediction") -> RoleRows:
    n = len(values)
    numbers = {name: np.array([v if isinstance(v, float) else np.nan for v in values])}
    texts = {name: [v if isinstance(v, str) else None for v in values]}
    block = block_of(Source("p", 0), numbers, stamps=START + np.arange(n), role="predictions", categories=texts)
    found = rows_of(merge([[Piece(block, 0, n, block.stamps)]], 0), "predictions")
    assert found is not None
    return found


def test_a_number_and_its_text_are_one_class() -> None:
    texts = texts_of(rows([1.0, "1", "1.0", None, "no", 0.0, "true"]), "prediction", binary=True)
    assert [texts.at(i) for i in range(7)] == ["1", "1", "1", None, "no", "0", "1"]


def test_binary_classes_are_positive_1_and_the_other_0() -> None:
    classes = Classes(binary=True, positive="fraud")
    column = coded(["ok", "fraud", None, "ok"])
    classes.learn([(column, range(4))])
    codes, strange = classes.coded(column)
    assert np.array_equal(codes, [0, 1, np.nan, 0], equal_nan=True)
    assert not strange.any()
    assert classes.titles() == ["ok", "fraud"]


def test_a_third_value_of_a_binary_model_is_no_class_and_counted() -> None:
    classes = Classes(binary=True, positive="1")
    column = coded(["0", "2", "1", "2"])
    classes.learn([(column, range(4))])
    codes, strange = classes.coded(column)
    assert np.array_equal(codes, [0, np.nan, 1, np.nan], equal_nan=True)
    assert strange.tolist() == [False, True, False, True]
    assert classes.beyond == "2"


def test_the_other_class_of_a_binary_model_may_be_named() -> None:
    classes = Classes(binary=True, positive="fraud", negative="ok")
    column = coded(["n/a", "ok", "fraud"])
    classes.learn([(column, range(3))])
    codes, strange = classes.coded(column)
    assert np.array_equal(codes, [np.nan, 0, 1], equal_nan=True)
    assert strange.tolist() == [True, False, False]


def test_codes_follow_the_rows_not_the_role_that_is_read_first() -> None:
    predicted, actual = coded(["a", "c"]), coded(["b", "a"])
    together = Classes(binary=False, positive="1")
    together.learn([(predicted, [0, 3]), (actual, [1, 2])])
    apart = Classes(binary=False, positive="1")
    apart.learn([(coded(["a"]), [0]), (coded(["b"]), [1])])
    apart.learn([(coded(["c"]), [3]), (coded(["a"]), [2])])
    assert together.names == apart.names == ["a", "b", "c"]


def test_names_beyond_the_most_have_no_code() -> None:
    names = Names(most=2)
    assert names.coded(coded(["x", "y", "z", None, "x"])).tolist() == [0, 1, -1, -1, 0]
    assert Names(most=2, names=names.names).coded(coded(["z", "y"])).tolist() == [-1, 1]


@pytest.mark.parametrize("binary", [True, False])
def test_a_table_goes_on_from_what_was_saved(binary: bool) -> None:
    classes = Classes(binary=binary, positive="1")
    classes.learn([(coded(["0", "1"]), [0, 1])])
    again = Classes(binary=binary, positive="1", names=classes.state())
    column = coded(["1", "0"])
    assert np.array_equal(again.coded(column)[0], classes.coded(column)[0])
