from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import orjson
import pytest

from streams.demo.synthetic import FEATURES, INJECTIONS, PREDICTIONS, history, traffic


@pytest.fixture(scope="module")
def features() -> dict[str, np.ndarray]:
    records = [orjson.loads(r.value)["payload"]["features"] for r in traffic() if r.topic == FEATURES]
    return {name: np.array([r[name] for r in records], object) for name in records[0]}


@pytest.fixture(scope="module")
def predictions() -> dict[str, np.ndarray]:
    records = [orjson.loads(r.value) for r in traffic() if r.topic == PREDICTIONS]
    return {name: np.array([r[name] for r in records], object) for name in ("label", "score")}


def test_the_same_seed_gives_the_same_records() -> None:
    assert list(islice(traffic(), 5000)) == list(islice(traffic(), 5000))
    assert next(traffic()).value != next(traffic(seed=8)).value


def test_the_traffic_goes_on_where_the_history_ends() -> None:
    stamps = [r.stamp for source in (history(), traffic()) for r in source]
    assert all(earlier < later for earlier, later in pairwise(stamps))


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
