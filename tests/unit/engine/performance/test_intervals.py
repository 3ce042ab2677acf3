"""A 95 % interval holds the truth in about 95 % of cohorts, also where positives are rare.

The truth is the metric of one very large cohort of the same law. 300 cohorts each; at a real 95 %, fewer than 90 % of them come by
chance once in 5 000 tests.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from schemas.events import FloatArray
from streams.engine.performance import Metric, Tally, Task
from streams.engine.performance.intervals import f1_interval, pr_auc_interval, roc_auc_interval, wilson
from tests.unit.engine.performance.cohorts import closed, fraud

COHORTS = 300
Draw = Callable[[np.random.Generator, int], tuple[FloatArray, ...]]


def rates(task: Task, draw: Draw, rows: int, names: tuple[str, ...]) -> dict[str, float]:
    rng = np.random.default_rng(5)
    truth = Tally.of(task, closed(*draw(rng, 200_000))).metrics()
    held = dict.fromkeys(names, 0)
    told = dict.fromkeys(names, 0)
    for _ in range(COHORTS):
        metrics = Tally.of(task, closed(*draw(rng, rows))).metrics()
        for name in set(names) & set(metrics):
            told[name] += 1
            held[name] += metrics[name].low <= truth[name].value <= metrics[name].high
    assert min(told.values()) > COHORTS * 0.95
    return {name: held[name] / told[name] for name in names}


def binary(rng: np.random.Generator, n: int) -> tuple[FloatArray, ...]:
    actual, scores = fraud(rng, n, share=0.03, centre=-4.5, apart=2.5)
    return actual, (scores > 0.1).astype(float), scores


def calibrated(rng: np.random.Generator, n: int) -> tuple[FloatArray, ...]:
    scores = rng.beta(1, 4, n)
    return (rng.random(n) < scores).astype(float), (scores > 0.5).astype(float), scores


def classes(rng: np.random.Generator, n: int) -> tuple[FloatArray, ...]:
    actual = rng.choice(4, n, p=[0.6, 0.25, 0.1, 0.05]).astype(float)
    return actual, np.where(rng.random(n) < 0.7, actual, rng.integers(0, 4, n))


def numbers(rng: np.random.Generator, n: int) -> tuple[FloatArray, ...]:
    actual = rng.normal(10, 3, n)
    return actual, actual + rng.laplace(0.2, 1, n)


@pytest.mark.parametrize(
    ("task", "draw", "names"),
    [
        ("binary", binary, ("pr_auc", "roc_auc", "recall_at_precision", "precision", "recall", "f1", "accuracy", "error_rate", "macro_f1")),
        ("binary", binary, ("brier", "log_loss", "ece")),
        ("binary", calibrated, ("brier", "log_loss", "ece")),
        ("multiclass", classes, ("macro_f1", "accuracy", "f1[3]", "precision[3]", "recall[3]")),
        ("regression", numbers, ("mae", "rmse", "bias", "r2", "quantile_loss_10", "quantile_loss_90")),
    ],
)
def test_intervals_hold_the_truth(task: Task, draw: Draw, names: tuple[str, ...]) -> None:
    found = rates(task, draw, 2000, names)
    assert {name: rate for name, rate in found.items() if rate < 0.9} == {}


def test_an_interval_has_a_width_where_the_metric_is_perfect_or_hopeless() -> None:
    for low, high in (wilson(0, 20), wilson(20, 20), f1_interval(0, 9, 9), f1_interval(20, 0, 0)):
        assert 0.05 < high - low < 0.5
    for value in (0.0, 1.0):
        for low, high in (pr_auc_interval(value, 20), roc_auc_interval(value, 20, 20)):
            assert low <= value <= high
            assert 0.04 < high - low < 0.5


def test_calibration_error_is_that_of_fifteen_equal_bins() -> None:
    rng = np.random.default_rng(0)
    actual, scores = fraud(rng, 5000, share=0.3, centre=-2.0, apart=3.0)
    naive = sum(abs((scores - actual)[np.floor(scores * 15) == i].sum()) for i in range(15)) / 5000
    ece: Metric = Tally.of("binary", closed(actual, scores=scores)).metrics()["ece"]
    assert ece.value == pytest.approx(naive, abs=1e-9)
    assert ece.low < ece.value < ece.high
