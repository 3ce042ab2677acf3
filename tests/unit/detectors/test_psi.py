import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import chi2

from detectors import parse
from detectors.profiling import profile_categories, profile_numbers
from detectors.psi import Psi
from tests.unit.detectors.samples import found, profiles_of, series

ARL0 = 1e6
STREAMS = 6


def normal(seed, n, streams=STREAMS):
    return np.random.default_rng(seed).standard_normal((streams, n))


@pytest.fixture(scope="module")
def profiles():
    return profiles_of(normal(1, 10_000))


def run(profiles, values, *, arl0=ARL0, **params):
    return Psi(**params).build(profiles, arl0=arl0).update(values)


def test_the_statistic_is_the_index_of_the_last_window():
    reference = np.repeat([0.0, 1.0], [600, 400])
    bank = Psi(window=100, panes=1, bins=3).build([profile_numbers(reference)], arl0=ARL0)
    bank.update(np.repeat([[0.0, 1.0]], [40, 60], axis=1))
    # six bins: below 0, 0, between, 1, above 1, and one for missing: half a row each
    p, q = np.array([600.5, 400.5]) / 1003, np.array([40.5, 60.5]) / 103
    assert bank.reading(0).statistic == pytest.approx(((q - p) * np.log(q / p)).sum(), rel=1e-12)
    assert bank.reading(0).n == 100


def test_the_threshold_follows_from_the_budget(profiles):
    bank = Psi(min_effect=0.0).build(profiles, arl0=1e7)
    assert bank.reading(0).threshold == pytest.approx(chi2.isf(1000 / 1e7 / 6, 9) * (1 / 1000 + 1 / 10_000))


def test_an_effect_that_does_not_matter_is_no_change(profiles):
    bank = Psi(window=10_000, min_effect=0.05).build(profiles, arl0=ARL0)
    assert bank.reading(0).threshold == pytest.approx(0.05 + 9 * 2 / 10_000)


def test_a_threshold_of_the_users_own_wins(profiles):
    assert Psi(threshold=0.2).build(profiles, arl0=ARL0).reading(0).threshold == 0.2


def test_autocorrelation_raises_the_threshold():
    calm, wandering = (profile_numbers(series(law, np.random.default_rng(2), 10_000)) for law in ("normal", "wandering"))
    bank = Psi(min_effect=0.0).build([calm, wandering], arl0=ARL0)
    assert bank.reading(1).threshold == pytest.approx(max(wandering.inflation) * bank.reading(0).threshold)


@pytest.mark.parametrize(
    ("shift", "scale", "cause"), [(0.5, 1.0, "mean up"), (-1.0, 1.0, "mean down"), (0.0, 1.5, "spread up"), (0.0, 0.6, "spread down")]
)
def test_a_lasting_step_is_told_once_and_so_is_its_end(profiles, shift, scale, cause):
    values = normal(3, 20_000)
    values[:, 3000:15_000] = shift + scale * values[:, 3000:15_000]
    findings = run(profiles, values)
    for row in range(STREAMS):
        change, back = found(findings, row)
        assert (change.change, back.change, change.cause, back.cause) == ("change", "back", cause, cause)
        assert 3000 < change.index < 4000
        assert abs(change.onset - 3000) <= 200
        assert 16_000 <= back.index < 17_000
        assert abs(back.onset - 15_000) <= 300
        assert change.statistic > change.threshold > back.statistic


def test_missing_values_are_a_change(profiles):
    values = normal(4, 6000)
    values[:, 2000:][np.random.default_rng(4).random((STREAMS, 4000)) < 0.05] = np.nan
    assert {(f.change, f.cause) for f in run(profiles, values)} == {("change", "missing values")}


@pytest.mark.parametrize(
    ("now", "cause"), [([0.5, 0.3, 0.15, 0.05], "unseen values"), ([0.35, 0.5, 0.15, 0.0], "category shares")], ids=["unseen", "shares"]
)
def test_categories_are_watched(now, cause):
    rng = np.random.default_rng(5)
    profile = profile_categories(rng.choice(3, 5000, p=[0.5, 0.35, 0.15]), ("a", "b", "c"))
    before, after = rng.choice(4, (1, 2000), p=[0.5, 0.35, 0.15, 0.0]), rng.choice(4, (1, 2000), p=now)
    findings = run([profile], np.concatenate([before, after], axis=1).astype(float))
    assert [(f.change, f.cause) for f in findings] == [("change", cause)]


def test_a_drift_at_the_edge_of_what_is_seen_does_not_flap(profiles):
    values = normal(6, 50_000)
    values[:, 2000:] += 0.2
    findings = run(profiles, values)
    assert all(1 <= len(found(findings, row)) <= 8 for row in range(STREAMS))


def test_nothing_is_said_before_a_window_is_full(profiles):
    bank = Psi().build(profiles, arl0=ARL0)
    assert bank.update(normal(7, 999) + 5) == []
    assert (bank.reading(0).statistic, bank.reading(0).n) == (0.0, 900)
    assert len(bank.update(normal(8, 1) + 5)) == STREAMS


def test_units_do_not_matter():
    reference, values = normal(9, 5000), normal(10, 8000)
    values[:, 3000:5000] += 0.8
    in_other_units = run(profiles_of(2.54 * reference + 32), 2.54 * values + 32)
    assert in_other_units == run(profiles_of(reference), values)
    assert len(in_other_units) == 2 * STREAMS


def test_false_alarms_are_as_rare_as_asked_for():
    streams, arl0 = 60, 20_000.0
    bank = Psi(min_effect=0.0).build(profiles_of(normal(11, 10_000, streams)), arl0=arl0)
    alarms = 0
    for seed in range(200, 220):
        findings = bank.update(normal(seed, 5000, streams))
        alarms += sum(f.change == "change" for f in findings)
    expected = streams * 20 * 5000 / arl0
    assert expected / 2 < alarms < expected * 2


@pytest.mark.parametrize("wrong", [{"window": 1001}, {"bins": 1}, {"panes": 0}, {"threshold": 0}, {"min_effect": -1}, {"size": 3}])
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        parse({"kind": "psi", **wrong})
