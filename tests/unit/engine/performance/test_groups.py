"""The worst group is the worst in the sense of its metric, and has enough outcomes to be called so."""

from __future__ import annotations

import numpy as np

from streams.engine.performance import ALL, Tally, worst_group
from tests.unit.engine.performance.cohorts import closed


def saying(right: int, wrong: int) -> Tally:
    said = np.repeat([1.0, 0.0], [right, wrong])
    return Tally.of("binary", closed(np.ones(right + wrong), said))


def test_the_worst_group_is_the_worst_of_those_with_enough_outcomes() -> None:
    segments = {ALL: saying(0, 900), "a=1": saying(90, 10), "a=2": saying(70, 30), "a=3": saying(0, 5)}
    for metric, value in (("accuracy", 0.7), ("error_rate", 0.3)):
        worst = worst_group(segments, metric, 100)
        assert worst is not None
        assert (worst[0], worst[1].value) == ("a=2", value)
    assert worst_group(segments, "accuracy", 101) is None
    assert worst_group(segments, "roc_auc", 100) is None


def test_of_equally_bad_groups_the_first_by_name_is_told() -> None:
    worst = worst_group({"b=1": saying(8, 2), "a=1": saying(8, 2)}, "accuracy", 1)
    assert worst is not None
    assert worst[0] == "a=1"


def test_a_bias_is_bad_either_way() -> None:
    truth = np.arange(10.0)
    segments = {f"side={off}": Tally.of("regression", closed(truth, truth + off)) for off in (-3.0, 2.0, 0.0)}
    worst = worst_group(segments, "bias", 2)
    assert worst is not None
    assert worst[0] == "side=-3.0"
