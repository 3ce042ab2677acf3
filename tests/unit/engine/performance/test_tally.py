"""Tallies count what they should, say nothing where nothing can be said, and add up to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.snapshot import pack, unpack
from streams.engine.join.batches import EXCLUDED, IMPLICIT, LABELLED, UNLABELLED
from streams.engine.performance import Metric, Tally, Task, main_metric
from tests.unit.engine.performance.cohorts import closed, fraud, image

TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression")


def test_labelled_and_implicit_outcomes_count_and_the_others_are_only_counted() -> None:
    status = np.array([LABELLED, LABELLED, IMPLICIT, UNLABELLED, EXCLUDED, EXCLUDED], np.int8)
    tally = Tally.of("binary", closed([1, 0, 0, np.nan, np.nan, 1], [1, 0, 1, 1, 1, 0], status=status))
    assert (tally.n, tally.labelled, tally.implicit, tally.unlabelled, tally.excluded) == (6, 2, 1, 1, 2)
    assert tally.coverage == pytest.approx(2 / 6)
    assert tally.outcomes == 3
    assert tally.metrics()["accuracy"].value == pytest.approx(2 / 3)


def test_only_the_named_rows_count() -> None:
    cohort = closed([1, 0, 1, 0], [1, 1, 1, 1])
    assert Tally.of("binary", cohort, np.array([0, 2])).metrics()["accuracy"].value == 1


def test_at_one_percent_positives_a_model_that_says_no_looks_as_bad_as_it_is() -> None:
    actual = np.zeros(10_000)
    actual[::100] = 1
    metrics = Tally.of("binary", closed(actual, np.zeros(10_000), np.full(10_000, 0.01))).metrics()
    assert metrics["accuracy"].value == 0.99  # as good as it sounds, but for the number beside it
    for name in ("accuracy", "error_rate", "macro_f1", "pr_auc", "roc_auc", "brier", "log_loss", "f1", "recall", "recall_at_precision"):
        assert metrics[name].value == pytest.approx(metrics[name].constant), name
    assert (metrics["recall"].value, metrics["f1"].value, metrics["pr_auc"].value) == (0, 0, pytest.approx(0.01))
    assert "precision" not in metrics  # it has never called one positive
    assert main_metric("binary", metrics) == "pr_auc"


def test_a_metric_that_needs_what_is_not_there_is_absent() -> None:
    assert Tally.of("binary", closed([])).metrics() == {}
    assert Tally.of("regression", closed([], [])).metrics() == {}
    assert Tally.of("regression", closed([1.0], [2.0])).metrics() == {}
    assert Tally.of("multiclass", closed([1.0])).metrics() == {}  # no prediction at all
    negatives = Tally.of("binary", closed(np.zeros(9), [1, *np.zeros(8)], np.linspace(0, 1, 9))).metrics()
    assert not {"pr_auc", "roc_auc", "recall_at_precision", "f1", "precision", "recall", "macro_f1"} & set(negatives)
    assert {"accuracy", "brier", "log_loss", "recall[0]"} <= set(negatives)
    assert main_metric("binary", negatives) is None
    assert "r2" not in Tally.of("regression", closed(np.ones(9), np.zeros(9))).metrics()


def test_no_metric_is_ever_nan_or_outside_its_interval() -> None:
    rng = np.random.default_rng(4)
    for task in TASKS:
        for n in (1, 2, 3, 10, 300):
            for _ in range(20):
                actual, scores = fraud(rng, n, share=float(rng.choice([0.0, 0.02, 0.5, 1.0])))
                for name, metric in Tally.of(task, closed(actual, scores > 0.5, rng.choice([scores, actual]))).metrics().items():
                    numbers = [metric.value, metric.low, metric.high, metric.constant]
                    assert np.isfinite(numbers).all(), (task, name, n)
                    assert metric.low <= metric.value + 1e-12, (task, name, n)
                    assert metric.value <= metric.high + 1e-12, (task, name, n)


def test_a_regression_of_tiny_or_huge_numbers_has_metrics() -> None:
    rng = np.random.default_rng(9)
    for size in (1e-170, 1e-90, 1e90, 1.7e308):
        metrics = Tally.of("regression", closed(size * rng.uniform(-1, 1, 300), size * rng.uniform(-1, 1, 300))).metrics()
        for name, metric in metrics.items():
            assert np.isfinite([metric.value, metric.constant]).all(), (size, name)
            assert metric.low <= metric.value <= metric.high, (size, name)


def test_ten_thousand_million_outcomes_have_the_metrics_of_ten_thousand() -> None:
    actual, scores = fraud(np.random.default_rng(2), 10_000, share=0.3)
    many = few = Tally.of("binary", closed(actual, scores > 0.1, scores))
    for _ in range(20):
        many = many + many
    expected, found = few.metrics(), many.metrics()
    assert found.keys() == expected.keys()
    for name, metric in found.items():
        assert metric.value == pytest.approx(expected[name].value, rel=1e-3), name


def test_scores_that_are_no_probabilities_are_ranked_but_not_taken_for_probabilities() -> None:
    actual, scores = fraud(np.random.default_rng(1), 500, share=0.2)
    proper = Tally.of("binary", closed(actual, scores=scores)).metrics()
    logits = Tally.of("binary", closed(actual, scores=np.log(scores / (1 - scores)))).metrics()
    assert logits["pr_auc"] == proper["pr_auc"]
    assert logits["roc_auc"] == proper["roc_auc"]
    assert set(proper) - set(logits) == {"brier", "log_loss", "ece"}


def test_classes_have_their_names_and_those_beyond_the_fiftieth_are_one() -> None:
    actual, predicted = [0, 1, 1, 50, 60, 60, 60], [0, 1, 0, 50, 60, 61, 1]
    metrics = Tally.of("multiclass", closed(actual, predicted)).metrics(("cat", "dog"))
    assert [name for name in metrics if name.startswith("recall")] == ["recall[cat]", "recall[dog]", "recall[other]"]
    assert metrics["accuracy"].value == pytest.approx(4 / 7)  # saying one of the others for another is wrong
    assert metrics["recall[other]"].value == pytest.approx(2 / 4)
    assert metrics["precision[other]"].value == pytest.approx(2 / 3)
    assert metrics["recall[cat]"].constant == 0
    assert metrics["recall[other]"].constant == 1


def test_one_metric_speaks_for_the_model_by_its_task_and_by_what_there_is() -> None:
    actual, scores = fraud(np.random.default_rng(1), 500, share=0.2)
    tallies = {
        "pr_auc": Tally.of("binary", closed(actual, scores > 0.5, scores)),
        "f1": Tally.of("binary", closed(actual, scores > 0.5)),
        "macro_f1": Tally.of("multiclass", closed(actual, scores > 0.5)),
        "mae": Tally.of("regression", closed(actual, scores)),
    }
    assert [main_metric(tally.task, tally.metrics()) for tally in tallies.values()] == list(tallies)


def test_a_regression_stands_beside_the_best_number_that_knows_nothing() -> None:
    rng = np.random.default_rng(2)
    truth = 1e9 + rng.normal(size=5000)  # far from zero: no digit may be lost
    metrics = Tally.of("regression", closed(truth, truth + 0.5)).metrics()
    assert metrics["bias"].value == pytest.approx(0.5)
    assert metrics["rmse"].constant == pytest.approx(truth.std())
    assert metrics["mae"].constant == pytest.approx(np.abs(truth - np.median(truth)).mean(), rel=1e-3)
    high = truth - np.quantile(truth, 0.9)
    assert metrics["quantile_loss_90"].constant == pytest.approx(np.maximum(0.9 * high, -0.1 * high).mean(), rel=2e-3)
    assert metrics["r2"].value == pytest.approx(1 - 0.25 / truth.var())


def test_tallies_of_different_tasks_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="found task 'regression', expected 'binary'"):
        Tally.of("binary", closed([])) + Tally.of("regression", closed([]))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), task=st.sampled_from(TASKS), data=st.data())
def test_parts_add_up_to_the_whole_to_the_bit_in_any_order(seed: int, task: Task, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4000))
    actual, scores = fraud(rng, n, share=0.2)
    scores = rng.choice([scores, scores.round(2), rng.standard_cauchy(n)])
    if task == "multiclass":
        actual = rng.integers(0, 70, n).astype(float)
    elif task == "regression":
        actual = rng.choice([rng.normal(1000, 1, n), rng.standard_cauchy(n), rng.integers(0, 9, n).astype(float)])
    predicted = np.where(rng.random(n) < 0.6, actual, rng.integers(0, 2, n))
    cohort = closed(actual, predicted, scores, rng.integers(0, 4, n).astype(np.int8))
    whole = Tally.of(task, cohort)
    part = rng.integers(0, data.draw(st.integers(1, 7)), n)
    parts = [Tally.of(task, cohort, np.flatnonzero(part == which)) for which in np.unique(part)]
    while len(parts) > 1:
        a, b = parts.pop(data.draw(st.integers(0, len(parts) - 1))), parts.pop(data.draw(st.integers(0, len(parts) - 1)))
        parts.append(a + Tally.from_state(unpack(pack(b.state(), header={}))[1]))
    assert image(parts[0]) == image(whole)
    assert parts[0].metrics() == whole.metrics()
    assert all(isinstance(metric, Metric) for metric in parts[0].metrics().values())
