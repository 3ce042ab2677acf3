import json

import numpy as np
import pytest

from detectors.esr import Esr
from detectors.histogram import OTHER
from detectors.profiling import build_reference, profile_categories, profile_numbers, vocabulary_index
from detectors.psi import Psi
from schemas.events import Codes
from schemas.reference import NumericProfile, Reference
from tests.unit.detectors.samples import series

NAN = float("nan")


def build(n=1000, **columns):
    given = {"model": "fraud", "version": "3", "origin": "test", "times": np.arange(n) * 1000 + 5}
    return build_reference(**{**given, **columns})


def strings(values):
    known = sorted({v for v in values if v is not None})
    return Codes(tuple(known), np.array([-1 if v is None else known.index(v) for v in values], np.int32))


def test_moments_describe_the_present_values():
    values = np.array([1.0, 2.0, NAN, 3.0, 4.0, np.inf, 5.0] * 100)
    profile = profile_numbers(values)
    assert (profile.n, profile.missing, profile.minimum, profile.maximum) == (700, 200, 1.0, 5.0)
    assert (profile.mean, profile.sd, profile.median) == pytest.approx((3.0, np.sqrt(2), 3.0))
    assert profile.spread == pytest.approx(2 / 1.349)


@pytest.mark.parametrize(
    "values",
    [
        np.full(1000, 0.1),
        np.full(1000, NAN),
        np.zeros(0),
        np.arange(7.0),
        np.array([5.0]),
        2.0**53 + np.arange(1000.0),
        np.tile([-1e308, 1e308], 500),
        np.full(1000, np.finfo(np.float64).max),
        np.tile([5e-324, -5e-324, -0.0], 400),
        np.append(np.zeros(999), 1e308),
    ],
    ids=["constant", "missing", "empty", "few", "single", "large integers", "huge", "largest", "smallest", "outlier"],
)
def test_any_column_has_a_finite_profile_that_can_be_watched(values):
    profile = profile_numbers(values)  # a warning would fail the test
    assert NumericProfile.model_validate(json.loads(profile.model_dump_json())) == profile
    numbers = [*profile.edges, profile.mean, profile.sd, profile.median, profile.spread, profile.minimum, profile.maximum]
    assert np.isfinite(numbers).all()
    for config in (Esr(), Esr(direction="up"), Psi()):
        bank = config.build([profile], arl0=1e6)
        if len(values):
            assert bank.update(np.resize(values, (1, 5000))) == []
        bank.update(np.array([[1e308, -1e308, 0.0, NAN, 7.0] * 1000]))


def test_a_constant_has_its_own_value_as_mean_and_no_spread():
    profile = profile_numbers(np.full(1000, 0.1))
    assert (profile.mean, profile.sd, profile.spread, profile.atoms) == (0.1, 0.0, 0.0, (0.1,))


def test_a_large_offset_costs_no_precision():
    rng = np.random.default_rng(7)
    profile = profile_numbers(1e12 + rng.standard_normal(10_000))
    assert profile.sd == pytest.approx(1, rel=0.03)


def test_independent_rows_are_not_inflated_and_tolerate_nothing():
    profile = profile_numbers(series("normal", np.random.default_rng(8), 5000))
    assert profile.inflation == (1.0, 1.0, 1.0, 1.0)
    assert [(t.arl0, t.epsilon) for t in profile.tolerance] == [(1e5, 0.0), (1e6, 0.0), (1e7, 0.0), (1e8, 0.0)]


def test_autocorrelated_rows_are_inflated_and_tolerate_nothing():
    profile = profile_numbers(series("wandering", np.random.default_rng(9), 5000))
    assert 3 < profile.inflation[0] < 5.5  # (1 + ρ)/(1 - ρ) = 4
    assert {t.epsilon for t in profile.tolerance} == {0.0}


def test_a_season_in_the_reference_is_tolerated():
    profile = profile_numbers(series("seasonal", np.random.default_rng(113), 4000))
    assert all(0 < t.epsilon <= 0.3 for t in profile.tolerance)


def test_a_vocabulary_lists_values_by_frequency_and_then_by_name():
    profile = profile_categories(np.repeat([0, 1, 2, 3], [10, 30, 20, 30]), ("d", "c", "b", "a"))
    assert profile.vocabulary == ("a", "c", "b", "d")
    assert profile.counts == (30, 30, 20, 10)
    assert vocabulary_index(profile) == ({"a": 0, "c": 1, "b": 2, "d": 3}, 4)


def test_values_seen_once_are_other_values_and_so_is_every_unknown_one():
    profile = profile_categories(np.array([0] * 90 + [1] * 8 + [2, 3]), ("a", "b", "c", "d"))
    assert profile.vocabulary == ("a", "b", OTHER)
    assert profile.counts == (90, 8, 2)
    assert vocabulary_index(profile) == ({"a": 0, "b": 1, OTHER: 2}, 2)


def test_a_vocabulary_is_capped():
    profile = profile_categories(np.repeat(np.arange(1000), 3), tuple(map(str, range(1000))))
    assert len(profile.vocabulary) == 65
    assert profile.vocabulary[-1] == OTHER
    assert profile.counts[-1] == 3 * (1000 - 64)


def test_a_value_that_is_called_like_the_other_values_is_one_of_them():
    profile = profile_categories(np.array([0] * 90 + [1] * 9 + [2]), ("a", OTHER, "b"))
    assert (profile.vocabulary, profile.counts) == (("a", OTHER), (90, 10))


def test_a_column_of_ids_does_not_alarm_for_new_ids():
    ids = tuple(f"id-{i}" for i in range(5000))
    profile = profile_categories(np.arange(5000), ids)
    _, other = vocabulary_index(profile)
    assert Esr().build([profile], arl0=1e5).update(np.full((1, 5000), float(other))) == []


def test_a_reference_holds_a_profile_of_each_column():
    rng = np.random.default_rng(10)
    reference = build(
        number_names=("b", "a"), numbers=rng.standard_normal((2, 1000)), category_names=("c",), categories=[strings(["x", "y"] * 500)]
    )
    assert list(reference.profiles) == ["a", "b", "c"]
    assert (reference.rows, reference.from_ms, reference.to_ms) == (1000, 5, 999_005)
    assert reference.profiles["a"].mean != reference.profiles["b"].mean
    assert Reference.from_json(reference.to_json()) == reference


def test_columns_of_a_reference_are_profiled_as_they_are_alone():
    rng = np.random.default_rng(11)
    numbers = np.array([series(law, rng, 1000) for law in ("normal", "gaps", "seasonal", "wandering")])
    reference = build(number_names=tuple("abcd"), numbers=numbers)
    assert list(reference.profiles.values()) == [profile_numbers(row) for row in numbers]


def test_the_order_of_columns_does_not_change_the_hash():
    numbers = np.random.default_rng(12).standard_normal((2, 1000))
    one = build(number_names=("a", "b"), numbers=numbers)
    other = build(number_names=("b", "a"), numbers=numbers[::-1])
    assert one.content_hash == other.content_hash


@pytest.mark.parametrize(("texts", "kind"), [(400, "numeric"), (500, "numeric"), (600, "categorical")])
def test_a_column_is_of_the_type_that_most_of_its_values_have(texts, kind):
    numbers = np.arange(1000.0)
    numbers[:texts] = NAN
    column = strings(["x"] * texts + [None] * (1000 - texts))
    profile = build(number_names=("a",), numbers=numbers[None], category_names=("a",), categories=[column]).profiles["a"]
    assert profile.kind == kind
    assert profile.missing == 1000 - max(texts, 1000 - texts)


def test_segments_have_profiles_of_their_own_rows():
    numbers = np.concatenate([np.zeros(900), np.ones(100)])[None]
    segments = {"country=DE": np.arange(900), "country=FR": np.arange(900, 1000), "country=IS": np.arange(99)}
    reference = build(number_names=("a",), numbers=numbers, segments=segments)
    assert {name: profiles["a"].mean for name, profiles in reference.segments.items()} == {"country=DE": 0.0, "country=FR": 1.0}


def test_a_reference_without_rows_is_empty():
    reference = build(n=0)
    assert (reference.rows, reference.profiles) == (0, {})
