"""Page-Hinkley: sides, thresholds, and why alpha is 1."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from detectors import Finding, FloatArray
from detectors.page_hinkley import PageHinkley
from detectors.testing import STANDARD_NORMAL
from detectors.thresholds import siegmund_threshold


def find(config: PageHinkley, values: FloatArray, arl0: float = 1e5) -> list[Finding]:
    return config.build([STANDARD_NORMAL] * len(values), arl0=arl0).update(values)


def shifted(by: float) -> FloatArray:
    values = np.random.default_rng(8).normal(size=(1, 1200))
    values[0, 1000:] += by
    return values


@pytest.mark.parametrize(
    ("mode", "by", "expected"),
    [
        ("both", 1.0, "mean up"),
        ("both", -1.0, "mean down"),
        ("up", 1.0, "mean up"),
        ("down", -1.0, "mean down"),
        ("up", -1.0, None),
        ("down", 1.0, None),
    ],
)
def test_a_side_is_seen_by_those_who_look_at_it(mode: Any, by: float, expected: str | None) -> None:
    found = find(PageHinkley(mode=mode), shifted(by))
    assert [f.cause for f in found] == ([] if expected is None else [expected])


def test_the_threshold_follows_from_the_budget_unless_given() -> None:
    (by_budget,) = find(PageHinkley(), shifted(1.0), arl0=1e5)
    assert by_budget.threshold == siegmund_threshold(1e5, 0.25)
    (given,) = find(PageHinkley(threshold=12.5), shifted(1.0), arl0=1e5)
    assert given.threshold == 12.5
    assert given.index < by_budget.index


def test_nothing_is_tested_before_min_instances() -> None:
    values = np.concatenate([np.zeros(3), np.full(200, 5.0)])[None, :]
    assert find(PageHinkley(threshold=3.0, min_instances=80), values)[0].index == 79
    bank = PageHinkley(threshold=3.0, min_instances=80).build([STANDARD_NORMAL], arl0=1e5)
    bank.update(values[:, :79])
    assert bank.reading(0).statistic == 0.0


def test_a_fading_sum_alarms_without_a_change() -> None:
    quiet = np.random.default_rng(1).normal(size=(20, 10_000))
    alarms = {alpha: sum(f.change == "change" for f in find(PageHinkley(alpha=alpha), quiet, arl0=1e6)) for alpha in (0.9999, 1.0)}
    assert alarms[0.9999] > 5
    assert alarms[1.0] <= 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"delta": -0.1},
        {"delta": float("inf")},
        {"threshold": 0.0},
        {"alpha": 0.0},
        {"alpha": 1.1},
        {"min_instances": 0},
        {"mode": "sideways"},
    ],
)
def test_parameters_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        PageHinkley(**wrong)
