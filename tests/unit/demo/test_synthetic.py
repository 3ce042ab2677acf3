from __future__ import annotations

from itertools import islice, pairwise
from typing import Any

import numpy as np
import orjson
import pytest

from streams.demo.synthetic import (
    BURST,
    CONCEPT,
    FEATURES,
    HASTE,
    INJECTIONS,
    LABELS,
    LABELS_BACK,
    PREDICTIONS,
    SCORES,
    Injection,
    history,
    time_of,
    traffic,
)


@pytest.fixture(scope="module")
def features() -> dict[str, np.ndarray]:
    records = [orjson.loads(r.value)["payload"]["features"] for r in traffic() if r.topic == FEATURES]
    return {name: np.array([r[name] for r in records], object) for name in records[0]}


@pytest.fixture(scope="module")
def predictions() -> dict[str, np.ndarray]:
    records = [orjson.loads(r.value) for r in traffic() if r.topic == PREDICTIONS]
    return {name: np.array([r[name] for r in records], object) for name in ("id", "ts", "label", "score")}


@pytest.fixture(scope="module")
def labels() -> dict[str, dict[str, Any]]:
    return {r.key: orjson.loads(r.value) for r in traffic() if r.topic == LABELS}


def test_the_same_seed_gives_the_same_records() -> None:
    assert list(islice(traffic(), 5000)) == list(islice(traffic(), 5000))
    assert next(traffic()).value != next(traffic(seed=8)).value


def test_the_traffic_goes_on_where_the_history_ends() -> None:
    for source in (history(), traffic()):
        assert all(earlier.stamp <= later.stamp for earlier, later in pairwise(source))
    ids = [r.key for source in (history(), traffic()) for r in source if r.topic == FEATURES]
    assert ids == sorted(set(ids))
    assert max(r.stamp for r in history() if r.topic == PREDICTIONS) < next(traffic()).stamp


def during(column: np.ndarray, subject: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of a column while something is wrong with it, and otherwise."""
    (injection,) = (i for i in INJECTIONS if subject in i.subjects)
    inside = np.zeros(len(column), bool)
    inside[injection.begins : injection.ends] = True
    return column[inside], column[~inside]


def test_nulls_are_sent_only_while_they_are_injected(features: dict[str, np.ndarray]) -> None:
    wrong, right = during(features["device_risk"], "device_risk")
    assert 0.25 < np.mean(wrong == None) < 0.35  # noqa: E711  # element by element
    assert not (right == None).any()  # noqa: E711
    assert not any((column == None).any() for name, column in features.items() if name != "device_risk")  # noqa: E711


def test_amounts_and_scores_shift_when_they_should(features: dict[str, np.ndarray], predictions: dict[str, np.ndarray]) -> None:
    wrong, right = during(features["amount"], "amount")
    assert wrong.mean() / right.mean() == pytest.approx(1.5, abs=0.1)
    wrong, right = during(predictions["score"], "score")
    assert wrong.mean() > right.mean() + 0.1
    wrong, right = during(predictions["label"], "prediction")
    assert np.mean(wrong == "fraud") > 2 * np.mean(right == "fraud")


def rows(injection: Injection) -> slice:
    return slice(injection.begins, injection.ends)


def test_a_burst_is_three_times_the_transactions_of_any_other_time(predictions: dict[str, np.ndarray]) -> None:
    gaps = np.diff(predictions["ts"].astype(np.int64))
    assert set(gaps[rows(BURST)]) == {10_000}
    assert set(np.delete(gaps, np.r_[rows(BURST)])) == {30_000}
    assert predictions["ts"].tolist() == [time_of(row) + 40 for row in range(len(gaps) + 1)]


def test_labels_come_about_a_day_after_the_prediction_and_for_a_day_in_half_of_that(
    predictions: dict[str, np.ndarray], labels: dict[str, dict[str, Any]]
) -> None:
    made = dict(zip(predictions["id"], predictions["ts"], strict=True))
    hours = {row: (labels[key]["ts"] - made[key]) / 3_600_000 for row, key in enumerate(made) if key in labels and row < CONCEPT.begins}
    delays = np.array([*hours.values()])
    assert len(delays) > 0.999 * CONCEPT.begins
    for part, median in ((slice(HASTE.begins), 21), (rows(HASTE), 10.5), (slice(HASTE.ends + LABELS_BACK, None), 21)):
        assert np.median(delays[part]) == pytest.approx(median, rel=0.02)
        assert 0.15 < np.quantile(delays[part], 0.95) / median - 1 < 0.7


def test_only_labels_show_that_the_concept_drifts(
    features: dict[str, np.ndarray], predictions: dict[str, np.ndarray], labels: dict[str, dict[str, Any]]
) -> None:
    known = np.array([key in labels for key in predictions["id"]])
    fraud = np.array([labels.get(key, {}).get("label") == "fraud" for key in predictions["id"]])
    wrong = fraud != (predictions["label"] == "fraud")
    before, since = known.copy(), known.copy()
    before[CONCEPT.begins :] = since[: CONCEPT.begins] = since[SCORES.begins :] = False
    assert wrong[since].mean() > 2 * wrong[before].mean()
    assert fraud[since].mean() == pytest.approx(fraud[before].mean(), abs=0.005)
    for seen in (features["merchant_risk"], features["ip_risk"], predictions["score"]):
        assert seen[since].mean() == pytest.approx(seen[before].mean(), abs=0.005)
