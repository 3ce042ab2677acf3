"""A learnt reference is a function of the rows: not of the blocks they came in, nor of other versions' rows between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from schemas.events import Block, Source
from streams.engine import learner
from streams.engine.learner import Learner
from streams.engine.release import Piece, merge
from streams.engine.rows import RoleRows, rows_of
from tests.worlds import START, block_of, cut

F0 = Source("f", 0)


def rows_in(*blocks: Block) -> RoleRows:
    rows = rows_of(merge([[Piece(b, 0, len(b), b.stamps) for b in blocks]], 0), "features")
    assert rows is not None
    return rows


def block(n: int, **numbers: np.ndarray) -> Block:
    return block_of(F0, numbers, stamps=START + 1000 * np.arange(n))


def bare(piece: Block) -> Block:
    """The block as stage 1 makes it: without the columns in which no row has a value."""
    kept = [i for i, column in enumerate(piece.numbers) if np.isfinite(column).any()]
    return replace(piece, number_names=tuple(piece.number_names[i] for i in kept), numbers=piece.numbers[kept])


def learn(blocks: list[Block], target: int) -> Learner:
    learning = Learner(target)
    for rows in map(rows_in, blocks):
        columns = np.arange(len(rows))[: learning.needs]
        learning.take(rows, columns, rows.times()[columns])
        learning = Learner(target, learning.state())
    return learning


def names_by_row(n: int, names: int) -> Block:
    """A column of its own for each row, as when an id became the name of a feature."""
    columns = {f"f{i}": np.where(np.arange(n) == i, 1.0, np.nan) for i in range(names)}
    return block(n, x=np.arange(float(n)), **columns)


@pytest.mark.parametrize("size", [1, 7, 50, 200])
def test_a_column_without_a_value_in_the_rows_taken_is_not_learnt(size):
    whole = block(
        200, x=np.arange(200.0), late=np.where(np.arange(200) < 150, np.nan, 1.0), soon=np.where(np.arange(200) < 40, np.nan, 1.0)
    )
    blocks = [bare(cut(whole, i, min(i + size, 200))) for i in range(0, 200, size)]
    assert sorted(learn(blocks, 100).reference("fraud", "1").profiles) == ["soon", "x"]


@pytest.mark.parametrize("size", [1, 7, 200])
def test_columns_beyond_the_cap_are_left_out_in_the_order_in_which_they_first_have_a_value(size, monkeypatch):
    monkeypatch.setattr(learner, "MOST_SUBJECTS", 20)
    whole = names_by_row(200, 120)
    learnt = learn([bare(cut(whole, i, min(i + size, 200))) for i in range(0, 200, size)], 100)
    assert sorted(learnt.reference("fraud", "1").profiles) == sorted(["x", *(f"f{i}" for i in range(19))])


def test_refused_columns_are_counted_by_value(monkeypatch):
    monkeypatch.setattr(learner, "MOST_SUBJECTS", 20)
    rows = rows_in(names_by_row(200, 120))
    refused = Learner(200).take(rows, np.arange(200), rows.times())
    assert refused == 120 - 19


def test_memory_grows_with_the_rows_taken():
    few = learn([block(10, x=np.arange(10.0))], 10_000_000)  # of a target that alone would take 160 MB
    assert few.needs == 10_000_000 - 10
    assert few.reference("fraud", "1").rows == 10


def test_an_empty_column_of_strings_is_not_learnt():
    rows = rows_in(block_of(F0, {"x": np.arange(5.0)}, stamps=START + np.arange(5), categories={"c": [None] * 5}))
    learning = Learner(5)
    learning.take(rows, np.arange(5), rows.times())
    assert list(learning.reference("fraud", "1").profiles) == ["x"]
