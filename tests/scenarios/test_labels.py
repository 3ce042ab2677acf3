"""Stories about labels that come late: what is told, of whom it is told, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.alerts import Alert
from tests.scenarios.labelled import MINUTE, hours, row_of, show

HOUR = 3600


def concept(alerts: list[Alert], segment: str = "all") -> list[tuple[str, str, bool | None]]:
    """(subject, state, provisional) of what is told about the concept."""
    return [
        (a.data.subject, a.data.state, a.data.provisional) for a in alerts if a.data.kind == "concept_drift" and a.data.segment == segment
    ]


def subjects(alerts: list[Alert]) -> set[str]:
    return {a.data.subject for a in alerts}


def test_nothing_happens_and_nothing_is_told():
    alerts, stats = show(hours(8))
    assert {a.data.kind for a in alerts} == {"monitoring"}, "a reference is learnt"
    assert stats.labels["joined"] > 25_000
    assert stats.coverage["1", "matured"] > 0.99


def test_a_worse_model_is_told_early_confirmed_and_over_in_one_episode():
    world = hours(9)
    bad = slice(4 * HOUR, 6 * HOUR)
    world.predicted[bad] ^= np.random.default_rng(1).random(2 * HOUR) < 0.3
    alerts, _ = show(world)
    loss = [a for a in alerts if a.data.stream == "shop/1/all/loss"]
    assert [(a.data.state, a.data.provisional) for a in loss] == [("firing", True), ("updated", False), ("resolved", False)]
    assert len({a.data.alert_key for a in loss}) == 1
    first, confirmed, _ = loss
    assert abs(row_of(first.data.started_at) - 4 * HOUR) < 200, "dated by prediction time"
    assert row_of(first.data.detected_at) < 4 * HOUR + 25 * 60, "with the labels of ten minutes"
    assert row_of(confirmed.data.detected_at) < 4 * HOUR + 45 * 60
    assert confirmed.data.summary.startswith("confirmed: loss: error rate")


@pytest.mark.parametrize("times", [0.5, 1.6])
def test_labels_that_take_another_time_are_no_concept_drift(times):
    world = hours(9)
    after = np.arange(len(world)) >= 5 * HOUR
    world.arrives = np.where(after, world.times + (world.arrives - world.times) * times, world.arrives)
    alerts, stats = show(world)
    assert concept(alerts) == []
    delay = [a for a in alerts if a.data.subject == "label_delay"]
    if times > 1:
        assert delay[0].data.kind == "label_quality"
        assert "median delay" in delay[0].data.summary
    else:
        assert delay == [], "nobody gets up for labels that come sooner"
        assert stats.suppressed["faster_labels"] > 0


def test_while_labels_are_silent_nobody_becomes_a_negative_and_nothing_is_concluded():
    world = hours(9)
    begin, end = 4 * HOUR * 1000, 5 * HOUR * 1000
    since = world.arrives - world.times[0]
    held = (since >= begin) & (since < end)
    world.arrives = np.where(held, world.times[0] + end + (since - begin) / 60, world.arrives)  # all of them within a minute
    alerts, stats = show(world)
    assert concept(alerts) == []
    assert [(a.data.kind, a.data.state) for a in alerts if "l%2F0" in a.data.stream] == [("silence", "firing"), ("silence", "resolved")]
    assert stats.suppressed["silence"] > 0


def test_a_model_that_says_no_to_everything_is_found_although_it_errs_less():
    world = hours(10, positives=0.05, error=0.1)
    after = np.arange(len(world)) >= 6 * HOUR
    world.predicted &= ~after
    assert (world.predicted != world.actual)[after].mean() < (world.predicted != world.actual)[~after].mean()
    alerts, stats = show(world)
    assert ("missed_positives", "firing", True) in concept(alerts)
    assert not [c for c in concept(alerts) if c[0] == "loss"]
    recall, constant = stats.model_metrics["1", "all", "matured", "recall"]
    assert recall == constant == 0, "it looks as bad as one that never looks"


def test_a_group_gets_worse_where_the_whole_hides_it():
    world = hours(10, error=0.2)
    rng = np.random.default_rng(2)
    after, south = np.arange(len(world)) >= 5 * HOUR, np.array(world.region) == "south"
    world.predicted = np.where(after & south, world.actual ^ (rng.random(len(world)) < 0.36), world.predicted)
    world.predicted = np.where(after & ~south, world.actual ^ (rng.random(len(world)) < 0.04), world.predicted)
    world.score = np.where(world.predicted, 0.75, 0.25) + rng.normal(0, 0.05, len(world))
    alerts, stats = show(world)
    assert ("loss", "firing", False) in concept(alerts, "region=south")
    assert not [c for c in concept(alerts) if c[0] == "loss"]
    assert stats.worst["1", "matured"].segment == "region=south"


def test_labels_from_before_their_prediction_are_leaks_and_measure_nothing():
    world = hours(6)
    leaked = np.random.default_rng(3).random(len(world)) < 0.02
    world.happened = np.where(leaked, world.times - 30 * MINUTE, world.happened)
    world.predicted = np.where(leaked, world.actual, world.predicted)
    alerts, stats = show(world)
    assert "label_leakage" in subjects(alerts)
    assert stats.labels["leakage_suspect"] == pytest.approx(0.02 * len(world), rel=0.2)
    matured = [row for row in stats.performance if (row.series, row.segment) == ("matured", "all")]
    assert sum(row.tally.excluded for row in matured) > 300
    assert matured[-1].tally.metrics()["error_rate"].value > 0.08


def test_a_model_that_is_too_good_has_seen_the_label():
    world = hours(6)
    world.predicted = world.actual.copy()
    world.score = np.where(world.actual, 0.9, 0.1) + np.random.default_rng(4).normal(0, 0.01, len(world))
    alerts, _ = show(world)
    suspicion = next(a for a in alerts if a.data.subject == "label_leakage")
    assert "too good" in suspicion.data.summary


def test_without_enough_labels_there_is_no_verdict_and_that_is_said():
    world = hours(8)
    never = np.random.default_rng(6).random(len(world)) < np.where(np.arange(len(world)) < 5 * HOUR, 0.1, 0.7)
    world.arrives = np.where(never, np.inf, world.arrives)
    world.predicted[6 * HOUR :] ^= True
    alerts, stats = show(world, missing_label="unlabelled")
    assert concept(alerts) == []
    assert {"coverage_low", "label_coverage"} <= subjects(alerts)
    assert stats.coverage["1", "matured"] == pytest.approx(0.3, abs=0.1)


def test_an_alert_says_what_else_is_firing():
    world = hours(9)
    after = np.arange(len(world)) >= 5 * HOUR
    world.happened = np.where(np.random.default_rng(3).random(len(world)) < 0.02, world.times - 30 * MINUTE, world.happened)
    world.predicted ^= after & (np.random.default_rng(1).random(len(world)) < 0.3)
    alerts, _ = show(world)
    first = next(a for a in alerts if a.data.stream == "shop/1/all/loss")
    assert first.data.also_firing == {"label_quality": 1}
