import numpy as np
import pytest

from detectors.esr import Esr
from detectors.esr_categories import bet_order, sorted_errors
from detectors.esr_tables import esr_bins
from detectors.profiling import profile_categories, vocabulary_index

STREAMS = 20
LAWS = {
    "even 50": np.full(50, 1 / 50),
    "even 24": np.full(24, 1 / 24),
    "one of half and even 40": np.array([0.5, *[0.5 / 40] * 40]),
}


def references(law, rows, seed=1):
    rng = np.random.default_rng(seed)
    names = [str(value) for value in range(len(law))]
    return [profile_categories(rng.choice(len(law), rows, p=law).astype(np.int32), names) for _ in range(STREAMS)]


def streams(profiles, law, rows, seed=2):
    """Independent values, as indices in each profile's vocabulary."""
    values = np.random.default_rng(seed).choice(len(law), (STREAMS, rows), p=law)
    out = np.empty(values.shape)
    for row, profile in enumerate(profiles):
        index, other = vocabulary_index(profile)
        out[row] = np.array([index.get(str(value), other) for value in range(len(law))])[values[row]]
    return out


@pytest.mark.parametrize("rows", [2000, 10_000])
@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_errors_of_the_reference_in_values_of_like_frequency_are_no_drift(law, rows):
    profiles = references(law, rows)
    findings = Esr().build(profiles, arl0=1e6).update(streams(profiles, law, 20_000))
    assert len(findings) <= 2  # the budget is 0.4


def test_a_shift_from_frequent_to_rare_values_is_still_seen():
    law = 1 / np.arange(1, 51)
    law /= law.sum()
    profiles = references(law, 10_000)
    values = streams(profiles, law, 1000), streams(profiles, 0.7 * law + 0.3 / 50, 1000, seed=3)
    findings = Esr().build(profiles, arl0=1e6).update(np.concatenate(values, axis=1))
    assert {f.row for f in findings} == set(range(STREAMS))
    assert min(f.index for f in findings) >= 1000
    assert np.median([f.index for f in findings if f.change == "change"]) < 1350


@pytest.mark.parametrize("rows", [1000, 10_000])
def test_errors_are_as_many_as_there_are_values_alike(rows):
    for profile in references(LAWS["even 50"], rows):
        assert 35 < sorted_errors(esr_bins(profile)) <= 49
    for profile in references(np.array([0.5, 0.3, 0.15, 0.05]), rows):
        assert sorted_errors(esr_bins(profile)) == 0
        assert bet_order(esr_bins(profile)).tolist() == [0, 1, 2, 3, 4]


def test_the_order_of_bets_hardly_goes_along_with_errors():
    for profile in references(np.full(12, 1 / 12), 10_000):
        bins = esr_bins(profile)
        order = bet_order(bins)
        assert sorted(order.tolist()) == list(range(13))
        assert abs(np.corrcoef(bins.counts[order[:-1]], np.arange(12))[0, 1]) < 0.35  # in the order of frequency it is above 0.9


def test_a_subject_without_values_has_neither_order_nor_errors():
    bins = esr_bins(profile_categories(np.full(100, -1, np.int32), ()))
    assert (bet_order(bins).tolist(), sorted_errors(bins)) == ([0], 0)
