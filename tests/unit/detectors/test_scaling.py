"""Scaled values: what the reference says is usual lies around 0 with a spread of 1, and nothing is farther out than 3."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from detectors import FloatArray, Scaler
from detectors.profiling import profile_categories, profile_numbers
from detectors.scaling import LIMIT, reference_level
from detectors.testing import STANDARD_NORMAL
from schemas.reference import CategoricalProfile, NumericProfile, Profile

NAN = np.nan


def scaled(profile: Profile, *values: float) -> list[float]:
    return Scaler([profile]).apply(np.array([values]))[0].round(6).tolist()


def columns() -> dict[str, FloatArray]:
    rng = np.random.default_rng(2)
    return {
        "normal": rng.normal(40, 7, 8000),
        "lognormal": rng.lognormal(0, 1.5, 8000),
        "uniform": rng.random(8000),
        "heavy": rng.standard_t(2, 8000),
        "zero-inflated": np.where(rng.random(8000) < 0.6, 0.0, rng.exponential(3.0, 8000)),
        "binary": (rng.random(8000) < 0.3).astype(float),
        "rare flag": (rng.random(8000) < 0.02).astype(float),
        "ratings": rng.choice([1.0, 2, 3, 4, 5], 8000, p=[0.1, 0.1, 0.2, 0.4, 0.2]),
        "counts": rng.poisson(3.0, 8000).astype(float),
    }


def test_a_numeric_value_is_measured_from_the_median_in_spreads_and_clipped() -> None:
    profile = STANDARD_NORMAL.model_copy(update={"median": 10.0, "spread": 4.0})
    assert scaled(profile, 10.0, 12.0, -2.0, 1e300, -1e300) == [0.0, 0.5, -3.0, 3.0, -3.0]


def test_missing_stays_missing_in_every_kind_of_column() -> None:
    flag = profile_numbers(np.array([0.0, 1.0] * 500))
    category = CategoricalProfile(n=10, missing=0, counts=(6, 4), vocabulary=("a", "b"))
    values = Scaler([STANDARD_NORMAL, flag, category]).apply(np.array([[NAN, 0.5], [NAN, 1.0], [NAN, 1.0]]))
    assert_array_equal(np.isnan(values), [[True, False]] * 3)


@pytest.mark.parametrize("name", columns())
def test_the_reference_itself_is_at_its_level(name: str) -> None:
    values = columns()[name]
    profile = profile_numbers(values)
    own = Scaler([profile]).apply(values[None, :])[0]
    assert own.mean() == pytest.approx(reference_level(profile), abs=0.05)
    assert np.abs(own).max() <= LIMIT


@pytest.mark.parametrize("name", ["zero-inflated", "binary", "ratings"])
def test_a_column_on_few_values_is_standardised(name: str) -> None:
    values = columns()[name]
    own = Scaler([profile_numbers(values)]).apply(values[None, :])[0]
    assert own.mean() == pytest.approx(0.0, abs=0.02)
    assert own.std() == pytest.approx(1.0, abs=0.05)


def test_a_larger_value_never_scores_less() -> None:
    for values in columns().values():
        grid = np.linspace(values.min() - 1, values.max() + 1, 500)
        assert (np.diff(Scaler([profile_numbers(values)]).apply(grid[None, :])[0]) >= 0).all()


def test_an_atom_of_more_than_a_quarter_of_the_rows_is_scored_by_rank() -> None:
    rng = np.random.default_rng(4)
    for share, ranked in ((0.2, False), (0.3, True)):
        values = np.where(rng.random(5000) < share, 0.0, rng.normal(10, 1, 5000))
        near = Scaler([profile_numbers(values)]).apply(np.array([[10.0, 10.0 + 1e-6]]))[0]
        assert (near[0] == near[1]) == ranked


def test_of_a_constant_any_other_value_is_as_far_as_can_be() -> None:
    assert scaled(profile_numbers(np.full(500, 7.0)), 6.9, 7.0, 7.1) == [-3.0, 0.0, 3.0]


def test_a_reference_without_values_says_nothing() -> None:
    empty = NumericProfile(n=5, missing=5, counts=(0,), edges=(), mean=0, sd=0, median=0, spread=0, minimum=0, maximum=0)
    assert scaled(empty, -5.0, 0.0, 5.0) == [0.0, 0.0, 0.0]
    assert reference_level(empty) == 0.0


def test_a_category_is_its_surprise() -> None:
    common, rare, unseen = scaled(profile_categories(np.repeat([0, 1], [980, 20]).astype(np.int32), ("a", "b")), 0, 1, 2)
    assert common < 0 < rare <= unseen == LIMIT


def test_categories_of_equal_frequency_are_no_surprise_but_an_unseen_one_is() -> None:
    profile = CategoricalProfile(n=10_000, missing=0, counts=(5000, 5000), vocabulary=("a", "b"))
    first, second, unseen = scaled(profile, 0, 1, 2)
    assert first == second == pytest.approx(0.0, abs=0.01)
    assert unseen == LIMIT


@given(
    name=st.sampled_from(["normal", "lognormal", "heavy"]),
    factor=st.floats(1e-6, 1e6),
    offset=st.floats(-1e3, 1e3),
)
def test_another_unit_changes_nothing(name: str, factor: float, offset: float) -> None:
    values = columns()[name]
    profile = profile_numbers(values[:2000])
    assert not profile.atoms
    low, high = factor * profile.minimum + offset, factor * profile.maximum + offset
    other = profile.model_copy(
        update={
            "edges": tuple(factor * edge + offset for edge in profile.edges),
            "median": factor * profile.median + offset,
            "spread": factor * profile.spread,
            "minimum": low,
            "maximum": high,
        }
    )
    rounding = 1e-12 * (1 + abs(offset) / (factor * profile.spread))
    ours, theirs = Scaler([profile]).apply(values[None, :]), Scaler([other]).apply(factor * values[None, :] + offset)
    assert_allclose(theirs, ours, atol=rounding * 10, rtol=0)
    assert reference_level(other) == pytest.approx(reference_level(profile), abs=1e-6 + rounding * 100)


def test_rows_are_scaled_one_by_one_in_any_batches() -> None:
    profiles = [profile_numbers(values) for values in columns().values()]
    values = np.stack(list(columns().values()))[:, :300]
    whole = Scaler(profiles).apply(values)
    parts = [Scaler(profiles).apply(values[:, start : start + 7]) for start in range(0, 300, 7)]
    assert_array_equal(np.concatenate(parts, axis=1), whole)
    assert Scaler(profiles).apply(values[:, :0]).shape == (len(profiles), 0)
