import numpy as np
import pytest

from detectors.scores import inflation, scores


def test_directions_are_orthonormal_under_the_reference():
    counts = np.array([100, 300, 0, 600, 1000, 1500, 1500, 1500, 1500, 1000, 600, 300, 100])
    phi, share = scores(counts), counts / counts.sum()
    assert (phi * share) @ phi.T == pytest.approx(np.eye(4), abs=1e-9)
    assert phi @ share == pytest.approx(np.zeros(4), abs=1e-9)


def test_location_increases_and_scale_grows_towards_both_ends():
    location, scale, skew, _ = scores(np.full(12, 100))
    assert (np.diff(location) > 0).all()
    assert scale == pytest.approx(scale[::-1])
    assert skew == pytest.approx(-skew[::-1])


@pytest.mark.parametrize("rare", [1, 10, 1000, 5000])
def test_two_values_show_location_only(rare):
    phi = scores(np.array([10_000 - rare, rare]))
    share = rare / 10_000
    assert phi[0] == pytest.approx([-np.sqrt(share / (1 - share)), np.sqrt((1 - share) / share)])
    assert not phi[1:].any()


def test_a_bin_without_rows_scores_as_its_neighbour():
    assert scores(np.array([0, 50, 0, 50, 0]))[0].tolist() == [-1, -1, -1, 1, 1]


def test_without_rows_there_is_no_direction():
    assert not scores(np.zeros(3, np.int64)).any()


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_autocorrelation_inflates_the_long_run_variance(rho):
    rng = np.random.default_rng(5)
    series = rng.standard_normal(20_000)
    for i in range(1, len(series)):
        series[i] += rho * series[i - 1]
    assert inflation(series) == pytest.approx((1 + rho) / (1 - rho), rel=0.15)


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (np.full(1000, 3.0), 1.0),
        (np.tile([1.0, -1.0], 500), 1.0),
        (np.cumsum(np.random.default_rng(6).standard_normal(10_000)), 1000.0),
        (np.zeros(0), 1.0),
        (np.ones(1), 1.0),
    ],
    ids=["constant", "alternating", "random walk", "empty", "single"],
)
def test_inflation_stays_between_1_and_1000(series, expected):
    assert inflation(series) == pytest.approx(expected, abs=0.01)
