import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.histogram import ESR_PERCENTS, OTHER, Binning, category_bins, fine_histogram, number_bins
from detectors.profiling import profile_categories, profile_numbers
from schemas.reference import NumericProfile
from tests.unit.detectors.samples import series

LAWS = ["normal", "lognormal", "counts", "errors", "gaps"]


def present(values):
    return np.sort(values[np.isfinite(values)])


def quantile(values, percent):
    return np.quantile(values, percent / 100, method="inverted_cdf")


@pytest.mark.parametrize("law", LAWS)
def test_edges_are_the_quantiles_of_the_reference(law):
    values = present(series(law, np.random.default_rng(1), 10_000))
    edges = fine_histogram(values).edges
    assert set(edges) >= {quantile(values, percent) for percent in (*ESR_PERCENTS, *range(5, 100, 5))}
    assert (np.diff(edges) > 0).all()


@pytest.mark.parametrize("law", LAWS)
def test_coarse_counts_are_those_of_the_coarse_edges(law):
    values = series(law, np.random.default_rng(2), 5000)
    bins = number_bins(profile_numbers(values), ESR_PERCENTS)
    counted = np.bincount(np.searchsorted(bins.edges, present(values), side="right"), minlength=len(bins.edges) + 1)
    assert bins.counts.tolist() == counted.tolist()
    assert bins.rows == 5000


def test_a_level_with_fewer_than_eight_rows_beyond_it_is_not_used():
    values = np.sort(np.random.default_rng(3).standard_normal(700))
    assert quantile(values, 1) not in fine_histogram(values).edges  # seven rows
    assert quantile(values, 4) in fine_histogram(values).edges


def test_a_frequent_value_has_a_bin_of_its_own():
    values = np.where(np.arange(1000) % 10 == 0, 7.0, np.linspace(0, 10, 1000))
    bins = number_bins(profile_numbers(values), ESR_PERCENTS)
    at = int(np.searchsorted(bins.edges, 7.0, side="right"))
    assert bins.counts[at] == 100
    assert Binning([bins]).codes(np.array([[np.nextafter(7.0, 0), 7.0, np.nextafter(7.0, 8)]])).tolist() == [[at - 1, at, at + 1]]


def test_a_bank_keeps_only_the_atoms_it_asks_for():
    values = np.concatenate([np.zeros(50), np.linspace(1, 2, 950)])
    assert 0.0 in number_bins(profile_numbers(values), (50,), atom_percent=5).edges
    assert 0.0 not in number_bins(profile_numbers(values), (50,), atom_percent=6).edges


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=300), st.sampled_from([10, 100]))
def test_any_finite_values_are_all_counted_in_increasing_finite_edges(values, repeat):
    data = np.sort(np.repeat(values, repeat))
    fine = fine_histogram(data)
    assert fine.counts.sum() == len(data)
    assert (fine.counts >= 0).all()
    assert np.isfinite(fine.edges).all()
    assert (fine.edges[1:] > fine.edges[:-1]).all()  # their difference may be more than a float holds


def test_a_profile_survives_json_to_the_last_bit():
    profile = profile_numbers(np.repeat([0.0, 1.0], [900, 100]))  # an edge at the smallest float above 0
    assert NumericProfile.model_validate_json(profile.model_dump_json()) == profile


def test_what_is_not_finite_is_missing():
    binning = Binning([number_bins(profile_numbers(np.arange(1000.0)), (50,))])
    codes = binning.codes(np.array([[-1e308, np.nan, np.inf, -np.inf, 1e308]]))
    assert codes.tolist() == [[0, binning.missing, binning.missing, binning.missing, 1]]


def test_streams_with_different_numbers_of_bins_share_a_code_for_missing():
    binning = Binning([number_bins(profile_numbers(np.arange(1000.0)), percents) for percents in ((50,), (20, 40, 60, 80))])
    assert binning.codes(np.array([[999.0, np.nan], [999.0, np.nan]])).tolist() == [[1, 5], [4, 5]]


def test_values_may_be_read_only_and_in_any_layout():
    rng = np.random.default_rng(4)
    binning = Binning([number_bins(profile_numbers(rng.standard_normal(1000)), ESR_PERCENTS)] * 3)
    values = rng.standard_normal((3, 100))
    strided = np.asfortranarray(np.repeat(values, 2, axis=1))[:, ::2]
    strided.flags.writeable = False
    assert np.array_equal(binning.codes(strided), binning.codes(values))


def test_frequent_categories_stand_alone_and_rare_ones_share_a_bin():
    codes = np.repeat(np.arange(7), [500, 300, 100, 40, 30, 20, 10])
    bins = category_bins(profile_categories(codes, tuple("abcdefg")), least_percent=4)
    assert bins.counts.tolist() == [500, 300, 100, 40, 50, 10, 0]  # the last is for values never seen
    assert Binning([bins]).codes(np.array([[0.0, 3.0, 4.0, 5.0, 6.0, 7.0, np.nan]])).tolist() == [[0, 3, 4, 4, 5, 6, 7]]


def test_values_that_are_not_listed_have_a_bin_of_their_own():
    profile = profile_categories(np.concatenate([np.repeat([0, 1], [500, 300]), np.arange(2, 102)]), tuple(map(str, range(102))))
    assert profile.vocabulary == ("0", "1", OTHER)
    assert category_bins(profile, least_percent=50).counts.tolist() == [500, 300, 100, 0]


def test_the_shares_of_bins_add_up_to_one_and_none_is_impossible():
    shares = number_bins(profile_numbers(np.zeros(1000)), ESR_PERCENTS).shares()
    assert shares.sum() == pytest.approx(1)
    assert (shares > 0).all()
