"""Metrics are scikit-learn's, on the outcomes that count: rare positives, ties, constant scores, and merged cohorts.

``DRIFTSONDE_PARITY_SEEDS=20 pytest tests/parity/test_sklearn.py`` compares twenty times as many sets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.exceptions import UndefinedMetricWarning

from schemas.events import FloatArray
from streams.engine.join.batches import LABELLED, UNLABELLED
from streams.engine.performance import Metric, Tally
from tests.unit.engine.performance.cohorts import closed

SEEDS = range(int(os.environ.get("DRIFTSONDE_PARITY_SEEDS", "1")) * 2)

Sample = tuple[FloatArray, FloatArray]


def expit(x: FloatArray) -> FloatArray:
    return 1 / (1 + np.exp(-x))


#: Scores of a model, from outcomes: as calibrated models write them on rare positives, and as nobody would wish them.
SCORES: dict[str, Callable[[np.random.Generator, FloatArray], FloatArray]] = {
    "weak": lambda rng, y: expit(-4.6 + 1.5 * y + rng.normal(size=len(y))),
    "sharp": lambda rng, y: expit(-6 + 5 * y + 2 * rng.normal(size=len(y))),
    "skewed": lambda rng, y: expit(-9 + 3 * y + 2 * rng.normal(size=len(y))),
    "narrow": lambda rng, y: expit(-7 + 0.15 * y + 0.05 * rng.normal(size=len(y))),
    "near one": lambda rng, y: 1 - expit(-9 - 3 * y + 2 * rng.normal(size=len(y))),
    "beta": lambda rng, y: np.where(y > 0, rng.beta(2, 20, len(y)), rng.beta(0.5, 50, len(y))),
    "float32": lambda rng, y: expit(-5 + 2 * y + rng.normal(size=len(y))).astype(np.float32).astype(np.float64),
    "uniform": lambda rng, y: rng.random(len(y)),
}
#: Of few values, so that most rows are ties, or of so few rows: then nothing is approximate.
EXACT: dict[str, Callable[[np.random.Generator, FloatArray], FloatArray]] = {
    "percent": lambda rng, y: np.clip(0.3 * y + 0.2 * rng.random(len(y)), 0, 1).round(2),
    "constant": lambda rng, y: np.full(len(y), 0.25),
    "zero or one": lambda rng, y: np.where(rng.random(len(y)) < 0.9, y, 1 - y),
    "few rows": lambda rng, y: expit(-2 + y + rng.normal(size=len(y))),
}


def outcomes(rng: np.random.Generator, n: int, share: float) -> FloatArray:
    actual = (rng.random(n) < share).astype(np.float64)
    actual[:2] = 0, 1
    return actual


def merged(actual: FloatArray, predicted: FloatArray, scores: FloatArray) -> dict[str, Metric]:
    """Metrics of the rows as three cohorts, among others whose labels have not come."""
    rng = np.random.default_rng(len(actual))
    status = np.full(len(actual), LABELLED, np.int8)
    noise = closed(np.full(9, np.nan), np.ones(9), np.ones(9), np.full(9, UNLABELLED, np.int8))
    tally, cohort = Tally.of("binary", noise), closed(actual, predicted, scores, status)
    part = rng.integers(0, 3, len(actual))
    for which in range(3):
        tally += Tally.of("binary", cohort, np.flatnonzero(part == which))
    return tally.metrics()


def sizes() -> Iterator[tuple[int, float]]:
    yield from ((1000, 0.05), (10_000, 0.01), (10_000, 0.3))


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("seed", SEEDS)
def test_ranking_is_within_a_thousandth_on_any_shape_of_scores(name: str, seed: int) -> None:
    for n, share in sizes():
        rng = np.random.default_rng([seed, n])
        actual = outcomes(rng, n, share)
        scores = SCORES[name](rng, actual)
        found = merged(actual, (scores >= 0.5).astype(float), scores)
        assert found["pr_auc"].value == pytest.approx(sk.average_precision_score(actual, scores), abs=1e-3), (n, share)
        assert found["roc_auc"].value == pytest.approx(sk.roc_auc_score(actual, scores), abs=1e-3), (n, share)
        precision, recall, _ = sk.precision_recall_curve(actual, scores)
        # a cut within a bin can't be made, so some recall may be missed; never is there more than could be had
        best = float(recall[precision >= 0.9].max())
        assert found["recall_at_precision"].value <= best
        assert found["recall_at_precision"].value == pytest.approx(best, abs=0.03), (n, share)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("seed", SEEDS)
def test_with_ties_or_few_rows_ranking_is_exact(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for n, share in ((700, 0.01), (700, 0.5), *(() if name == "few rows" else ((20_000, 0.01),))):
        actual = outcomes(rng, n, share)
        scores = EXACT[name](rng, actual)
        found = merged(actual, (scores >= 0.5).astype(float), scores)
        precision, recall, _ = sk.precision_recall_curve(actual, scores)
        assert found["pr_auc"].value == pytest.approx(sk.average_precision_score(actual, scores), abs=1e-12)
        assert found["roc_auc"].value == pytest.approx(sk.roc_auc_score(actual, scores), abs=1e-12)
        assert found["recall_at_precision"].value == pytest.approx(recall[precision >= 0.9].max(), abs=1e-12)


@pytest.mark.parametrize("name", [*SCORES, *EXACT])
def test_losses_and_classes_are_exact_and_so_are_those_of_the_constant_model(name: str) -> None:
    for n, share in sizes():
        rng = np.random.default_rng(n)
        actual = outcomes(rng, n, share)
        scores = (SCORES | EXACT)[name](rng, actual)
        predicted = (scores > np.quantile(scores, 1 - share)).astype(float)
        predicted[:2] = 1, 0
        found = merged(actual, predicted, scores)
        for which, said, probability in (
            ("value", predicted, scores),
            ("constant", np.full(n, float(actual.mean() > 0.5)), np.full(n, actual.mean())),
        ):
            expected = {
                "brier": sk.brier_score_loss(actual, probability),
                "log_loss": sk.log_loss(actual, probability),
                "accuracy": sk.accuracy_score(actual, said),
                "error_rate": sk.zero_one_loss(actual, said),
                "macro_f1": sk.f1_score(actual, said, average="macro"),
            }
            for suffix, label in (("", 1), ("[0]", 0)):
                expected[f"precision{suffix}"] = sk.precision_score(actual, said, pos_label=label, zero_division=0)
                expected[f"recall{suffix}"] = sk.recall_score(actual, said, pos_label=label)
                expected[f"f1{suffix}"] = sk.f1_score(actual, said, pos_label=label)
            assert {key: getattr(found[key], which) for key in expected} == pytest.approx(expected, rel=1e-9)


def test_where_only_one_class_occurs_scikit_learn_warns_and_we_say_nothing() -> None:
    actual, scores = np.zeros(50), np.linspace(0, 1, 50)
    found = Tally.of("binary", closed(actual, scores > 0.5, scores)).metrics()
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(sk.roc_auc_score(actual, scores))
    assert not {"roc_auc", "pr_auc", "recall_at_precision", "recall", "f1"} & set(found)
    assert found["brier"].value == pytest.approx(sk.brier_score_loss(actual, scores))
    assert found["log_loss"].value == pytest.approx(sk.log_loss(actual, scores, labels=[0, 1]))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("classes", [2, 3, 50])
def test_metrics_of_many_classes(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    n = 3000
    actual = np.minimum(rng.geometric(0.3, n) - 1, classes - 1)
    predicted = np.where(rng.random(n) < 0.7, actual, rng.integers(0, classes, n))
    cohort = closed(actual, predicted)
    found = sum((Tally.of("multiclass", cohort, np.arange(k, n, 3)) for k in (1, 2)), Tally.of("multiclass", cohort, np.arange(0, n, 3)))
    metrics = found.metrics()
    labels = np.unique(actual)
    always = np.full(n, np.bincount(actual).argmax())
    for which, said in (("value", predicted), ("constant", always)):
        precision, recall, f1, _ = sk.precision_recall_fscore_support(actual, said, labels=labels, zero_division=0)
        expected = {"accuracy": sk.accuracy_score(actual, said), "macro_f1": sk.f1_score(actual, said, average="macro", zero_division=0)}
        for at, label in enumerate(labels.tolist()):
            expected |= {f"precision[{label}]": precision[at], f"recall[{label}]": recall[at], f"f1[{label}]": f1[at]}
        assert {key: getattr(metrics[key], which) for key in expected} == pytest.approx(expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("law", ["normal", "lognormal", "counts", "far"])
def test_metrics_of_a_regression(seed: int, law: str) -> None:
    rng = np.random.default_rng(seed)
    n = 4000
    actual: FloatArray = {
        "normal": rng.normal(size=n),
        "lognormal": rng.lognormal(3, 2, n),
        "counts": rng.poisson(4, n).astype(float),
        "far": 1e6 + rng.normal(size=n),
    }[law]
    predicted = actual + rng.normal(0.1, 0.5, n)
    cohort = closed(actual, predicted)
    metrics = (Tally.of("regression", cohort, np.arange(1000)) + Tally.of("regression", cohort, np.arange(1000, n))).metrics()
    expected = {
        "mae": sk.mean_absolute_error(actual, predicted),
        "rmse": sk.root_mean_squared_error(actual, predicted),
        "r2": sk.r2_score(actual, predicted),
        "bias": float((predicted - actual).mean()),
        "quantile_loss_10": sk.mean_pinball_loss(actual, predicted, alpha=0.1),
        "quantile_loss_90": sk.mean_pinball_loss(actual, predicted, alpha=0.9),
    }
    assert {key: metric.value for key, metric in metrics.items()} == pytest.approx(expected, rel=1e-9)
    even = np.full(n, actual.mean())
    assert metrics["rmse"].constant == pytest.approx(sk.root_mean_squared_error(actual, even), rel=1e-9)
    # the quantiles of what was come from bins
    for name, level in (("mae", 0.5), ("quantile_loss_10", 0.1), ("quantile_loss_90", 0.9)):
        best = sk.mean_pinball_loss(actual, np.full(n, np.quantile(actual, level)), alpha=level)
        assert metrics[name].constant == pytest.approx(best * (2 if name == "mae" else 1), rel=0.01), name
