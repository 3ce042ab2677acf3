"""What an alert says about a change: the measure that fits its cause, in numbers that can be published."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.profiling import profile_categories, profile_numbers
from schemas.alerts import Effect
from streams.engine.story import effect_of, kind_of_change, rounded, summarise

COUNTRY = profile_categories(np.repeat([0, 1, 2], [600, 300, 100]).astype(np.int32), ("DE", "FR", "IT"))
WAVE = np.sin(np.arange(1000.0))


def test_values_never_seen_are_told_of_though_a_known_one_moved_more_by_chance():
    window = np.repeat([0.0, 1.0, 2.0, 3.0], [24, 16, 8, 2])  # IT has doubled, by 6 points; 4 % are new
    effect = effect_of(COUNTRY, window, "unseen values")
    assert effect is not None
    assert (effect.measure, effect.reference, effect.current) == ("share of unseen values", 0.0, 0.04)
    moved = effect_of(COUNTRY, window, "category shares")
    assert moved is not None
    assert moved.measure == "share of 'DE'"


@pytest.mark.parametrize("cause", ["mean up", "spread up"])
@pytest.mark.parametrize("value", [1e308, -1.7e308])
def test_the_largest_numbers_have_a_mean_and_a_spread_too(value, cause):
    window = np.array([value, value, value / 2, value])
    effect = effect_of(profile_numbers(WAVE), window, cause)
    assert effect is not None
    expected = value * 0.875 if cause == "mean up" else abs(value) * np.std([1, 1, 0.5, 1])
    assert effect.current == pytest.approx(expected, rel=1e-5)
    assert effect.in_reference_sd is not None
    assert abs(effect.in_reference_sd) > 1e307


def test_a_distance_beyond_all_floats_is_the_largest_and_not_nothing():
    tiny = profile_numbers(WAVE * 1e-9)
    effect = effect_of(tiny, np.full(5, -1.5e308), "mean down")
    assert effect is not None
    assert effect.in_reference_sd is not None
    assert effect.in_reference_sd < -1e308


def test_what_is_published_is_finite():
    assert rounded(math.inf) > 1e308
    assert rounded(-math.inf) < -1e308
    assert math.isfinite(rounded(math.inf))
    assert rounded(-1.2345678e-300) == -1.23457e-300


def test_a_window_without_values_has_a_missing_share_or_nothing():
    missing = effect_of(COUNTRY, np.full(3, np.nan), "category shares")
    assert missing is not None
    assert (missing.measure, missing.current) == ("missing share", 1.0)
    assert effect_of(COUNTRY, np.empty(0), "mean up") is None


@pytest.mark.parametrize(
    ("measure", "reference", "current", "said"),
    [
        ("error rate", 0.0354, 0.94, "error rate 3.54 % → 94 %"),
        ("share labelled", 1.0, 0.0, "share labelled 100 % → 0 %"),
        ("median delay, s", 45.0, 150.0, "median delay 45 s → 2.5 min"),
        ("median delay, s", 9000.0, 691_200.0, "median delay 2.5 h → 8 d"),
        ("mean", 0.0354, 0.94, "mean 0.0354 → 0.94"),
    ],
)
def test_measures_are_said_in_their_units(measure, reference, current, said):
    effect = Effect(measure=measure, reference=reference, current=current)
    assert summarise("x", effect, 0, [], "mean up") == f"x: {said} since about 1970-01-01 00:00"


@pytest.mark.parametrize(
    ("subject", "kind"),
    [("amount", "data_quality"), ("score", "data_quality"), ("loss", "concept_drift"), ("label_delay", "label_quality")],
)
def test_values_that_are_missing_are_a_matter_of_data_quality_except_of_outcomes(subject, kind):
    assert kind_of_change(subject, "missing values") == kind
