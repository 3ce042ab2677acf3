from __future__ import annotations

import numpy as np

from schemas.events import Source
from streams.replay.pacing import Pacer
from tests.worlds import block_of

A, B = Source("a", 0), Source("b", 0)


def took(pacer: Pacer, source: Source, *stamps: int, model: str = "fraud") -> None:
    pacer.took([block_of(source, {"x": np.zeros(len(stamps))}, stamps=np.array(stamps), model=model)])


def test_rows_wait_for_the_slowest_source() -> None:
    pacer = Pacer({"fraud": [A, B]}, most_held=100)
    took(pacer, A, 10, 20)
    assert (pacer.held, pacer.slowest()) == (2, B)
    took(pacer, B, 30)
    assert (pacer.held, pacer.slowest()) == (1, A)


def test_all_are_read_until_too_much_is_held_then_the_slowest_until_half_is_gone() -> None:
    pacer = Pacer({"fraud": [A, B]}, most_held=4)
    took(pacer, A, 1, 2, 3, 4)
    assert pacer.wanted() == {A, B}
    took(pacer, A, 5)
    assert pacer.wanted() == {B}
    took(pacer, B, 2)
    took(pacer, A, 6)
    assert pacer.wanted() == {B}
    took(pacer, B, 9)
    assert pacer.wanted() == {A, B}


def test_an_ended_source_holds_nobody_back() -> None:
    pacer = Pacer({"fraud": [A, B]}, most_held=0)
    took(pacer, A, 1, 2)
    pacer.ended(B)
    assert (pacer.held, pacer.slowest()) == (0, A)
    pacer.ended(A)
    assert pacer.slowest() is None


def test_a_shared_source_is_read_while_any_model_waits_for_it() -> None:
    pacer = Pacer({"fraud": [A, B], "churn": [B]}, most_held=1)
    took(pacer, B, 5, model="churn")
    took(pacer, A, 7, 8, 9)
    assert pacer.wanted() == {B}


def test_a_clock_never_goes_back() -> None:
    pacer = Pacer({"fraud": [A, B]}, most_held=100)
    took(pacer, A, 50)
    took(pacer, A, 10)
    took(pacer, B, 20)
    assert (pacer.held, pacer.slowest()) == (2, B)
