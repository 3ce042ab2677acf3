"""A `positive` that nobody names is told; a class that is rare, or a name that is wrong once, is no alarm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from schemas.events import Role
from streams.engine.feed import Clear, Raise
from streams.engine.outcomes.class_check import ClassCheck, Named
from streams.engine.outcomes.classes import Classes
from streams.engine.outcomes.rates import TILE
from tests.worlds import coded


class Feed:
    """Names classes in rows, a tile of labels at a time."""

    def __init__(self, positive: str) -> None:
        self.classes = Classes(binary=True, positive=positive)
        self.check = ClassCheck(self.classes)

    def name(self, names: Sequence[str | None], role: Role = "labels") -> None:
        column, at = coded(list(names)), np.arange(len(names))
        self.classes.learn([(column, at.tolist())])
        self.check.count(Named.of(at, role, *self.classes.coded(column)), 0, len(names))

    def tile(self, *names: str | None) -> str | None:
        """What is raised by a tile in which these are named by turns; "" where it is cleared, None where nothing is said."""
        self.name([names[i % len(names)] for i in range(TILE)])
        said = [told.summary if isinstance(told, Raise) else "" for told in self.check.tile(0) if isinstance(told, Raise | Clear)]
        return said[0] if said else None


def test_classes_that_are_none_of_the_two_are_told_with_what_they_are():
    assert Feed("1").tile("UP", "DOWN", "DOWN", "DOWN") == (
        "label_classes: 75 % of 1000 labels name neither the positive class '1', which was never named, nor 'UP', but another, such as "
        "'DOWN'; these don't count (is 'positive' right?)"
    )


def test_a_positive_class_that_only_stands_in_the_configuration_is_told():
    feed = Feed("1")
    assert feed.check.remark() is None
    assert feed.tile("fraud") == (
        "label_classes: the positive class '1' was never named, 'fraud' was by all of 1000 labels and predictions; is 'positive' right?"
    )
    assert feed.tile("fraud", "1") == ""


@pytest.mark.parametrize("names", [("1", "0"), ("0",), ("1",), (None,)])
def test_plain_classes_are_never_doubted(names):
    feed = Feed("1")
    assert feed.tile(*names) == ""
    assert feed.check.remark() is None


def test_a_positive_class_that_predictions_name_is_right():
    feed = Feed("fraud")
    feed.name(["fraud", "legit"], "predictions")
    assert feed.tile("legit") == ""


def test_predictions_are_judged_like_labels():
    feed = Feed("yes")
    feed.name(["yes", "no", "unsure"] * 100, "predictions")
    assert (feed.tile("yes", "no") or "").startswith(
        "label_classes: 33.3 % of 300 predictions name neither the positive class 'yes' nor 'no'"
    )


def test_a_few_other_names_are_no_alarm_and_no_all_clear():
    feed = Feed("yes")
    feed.name(["yes", "no"])
    told = [feed.tile(*["?"] * n, *["yes", "no"] * 500) for n in (1, 8, 30, 8, 1)]
    assert told[:2] == ["", None]
    assert told[2] is not None
    assert "such as '?'" in told[2]
    assert told[3:] == [None, ""]


def test_a_name_is_shown_no_longer_than_it_must_be():
    feed = Feed("yes")
    assert len(feed.tile("no", "x" * 256) or "") < 260


def test_what_is_remarked_at_the_end_needs_no_tile():
    feed = Feed("1")
    feed.name(["legit", "fraud"] * 10)
    assert "50 % of 20 labels name neither" in (feed.check.remark() or "")


def test_it_goes_on_where_it_was():
    feed = Feed("1")
    feed.tile("fraud")
    again = ClassCheck(Classes(binary=True, positive="1", names=feed.classes.state()), feed.check.state())
    assert again.remark() == feed.check.remark()
    again.count(Named.of(np.arange(1), "labels", np.ones(1), np.zeros(1, np.bool_)), 0, 1)
    assert [type(told) for told in again.tile(0)] == [Clear]
