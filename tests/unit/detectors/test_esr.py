import math

import numpy as np
import pytest
from pydantic import ValidationError

from detectors import parse
from detectors.causes import CAUSES
from detectors.esr import Esr
from detectors.profiling import profile_categories, profile_numbers
from tests.unit.detectors.samples import found, profiles_of

ARL0 = 1e6
STREAMS = 8


def normal(seed, n, streams=STREAMS):
    return np.random.default_rng(seed).standard_normal((streams, n))


@pytest.fixture(scope="module")
def profiles():
    return profiles_of(normal(1, 5000))


def run(profiles, values, *, arl0=ARL0, **params):
    return Esr(**params).build(profiles, arl0=arl0).update(values)


def changes(findings, row):
    return [f.change for f in found(findings, row)]


def test_a_quiet_stream_is_silent(profiles):
    assert run(profiles, normal(2, 20_000)) == []


@pytest.mark.parametrize(
    ("shift", "scale", "cause", "slowest"),
    [
        (0.25, 1.0, "mean up", 900),
        (-0.5, 1.0, "mean down", 300),
        (1.0, 1.0, "mean up", 60),
        (8.0, 1.0, "mean up", 15),
        (0.0, 1.5, "spread up", 250),
        (0.0, 0.5, "spread down", 250),
    ],
)
def test_a_lasting_step_is_told_once_and_so_is_its_end(profiles, shift, scale, cause, slowest):
    values = normal(3, 13_000)
    values[:, 1000:11_000] = shift + scale * values[:, 1000:11_000]
    findings = run(profiles, values)
    for row in range(STREAMS):
        change, back = found(findings, row)
        assert (change.change, back.change) == ("change", "back")
        assert change.cause == back.cause == cause
        assert 1000 <= change.index < 1000 + slowest
        assert abs(change.onset - 1000) <= max(30, slowest / 3)
        assert 11_000 <= back.index < 11_000 + slowest + 250
        assert abs(back.onset - 11_000) <= max(30, slowest / 3)
        assert change.statistic >= change.threshold == math.log(ARL0 / 5)


def test_a_drift_that_lasts_causes_no_storm(profiles):
    values = normal(4, 21_000)
    values[:, 1000:] += np.array([0.25, 0.5, 1.0, 2.0, -0.25, -0.5, -1.0, -2.0])[:, None]
    findings = run(profiles, values)
    assert [changes(findings, row) for row in range(STREAMS)] == [["change"]] * STREAMS


def test_missing_values_are_a_change(profiles):
    values = normal(5, 6000)
    values[:, 1000:3000][np.random.default_rng(5).random((STREAMS, 2000)) < 0.1] = np.nan
    findings = run(profiles, values)
    for row in range(STREAMS):
        assert [(f.change, f.cause) for f in found(findings, row)] == [("change", "missing values"), ("back", "missing values")]
        assert found(findings, row)[0].index < 1100


def category_stream(seed, n, shares):
    return np.random.default_rng(seed).choice(len(shares), size=(1, n), p=shares).astype(float)


@pytest.mark.parametrize(
    ("now", "cause"), [([0.5, 0.3, 0.15, 0.05], "unseen values"), ([0.35, 0.5, 0.15, 0.0], "category shares")], ids=["unseen", "shares"]
)
def test_categories_are_watched(now, cause):
    profile = profile_categories(category_stream(6, 5000, [0.5, 0.35, 0.15])[0].astype(np.int32), ("a", "b", "c"))
    before, after = category_stream(7, 1000, [0.5, 0.35, 0.15]), category_stream(8, 2000, [0.5, 0.35, 0.15])
    findings = run([profile], np.concatenate([before, category_stream(9, 2000, now), after], axis=1))
    assert [(f.change, f.cause) for f in findings] == [("change", cause), ("back", cause)]
    assert abs(findings[0].onset - 1000) < 50
    assert abs(findings[1].onset - 3000) < 50


def test_a_step_on_a_step_is_a_second_change(profiles):
    values = normal(10, 8000)
    values[:, 1000:6000] += 0.5
    values[:, 3000:6000] += 1.0
    findings = run(profiles, values)
    for row in range(STREAMS):
        first, second, back = found(findings, row)
        assert (first.change, second.change, back.change) == ("change", "change", "back")
        assert abs(first.onset - 1000) < 60
        assert abs(second.onset - 3000) < 60
        assert abs(back.onset - 6000) < 30


def error_streams(seed, before, during, *, drifted, after):
    """Streams of losses with that error rate, and another for `drifted` rows from row 2000 on; references of 5000 rows."""
    rng = np.random.default_rng(seed)
    profiles = [profile_numbers((rng.random(5000) < before).astype(float)) for _ in range(2 * STREAMS)]
    rates = np.repeat([before, during, before], [2000, drifted, after])
    return profiles, (rng.random((2 * STREAMS, len(rates))) < rates).astype(float)


@pytest.mark.parametrize(("before", "during"), [(0.035, 0.058), (0.043, 0.06)])
def test_a_weak_drift_that_lasts_is_one_episode(before, during):
    findings = run(*error_streams(27, before, during, drifted=40_000, after=0), direction="up")
    told = [changes(findings, row) for row in range(2 * STREAMS)]
    assert told.count(["change"]) >= 13
    assert sum(map(len, told)) <= 2 * STREAMS + 4  # where the first rows of a drift were by far the worst, it seems to end with them


def test_the_end_of_a_weak_drift_is_told_in_about_the_time_that_it_took_to_find_it():
    findings = run(*error_streams(27, 0.035, 0.058, drifted=20_000, after=15_000), direction="up")
    taken = []
    for row in range(2 * STREAMS):
        change, back = found(findings, row)
        assert (change.change, back.change) == ("change", "back")
        taken.append((change.index - 2000, back.index - 22_000))
    to_change, to_back = np.median(taken, axis=0)
    assert 0 < to_back < 2.5 * to_change


def test_a_drift_that_ends_at_a_tolerated_shift_is_over(profiles):
    values = normal(28, 9000)
    values[:, 1000:5000] += 0.8
    values[:, 5000:] += 0.2
    findings = run(profiles, values, tolerance=0.3)
    assert [changes(findings, row) for row in range(STREAMS)] == [["change", "back"]] * STREAMS


def test_an_error_rate_that_jumps_about_is_told_at_each_jump():
    rng = np.random.default_rng(11)
    profile = profile_numbers((rng.random(5000) < 0.06).astype(float))
    rates = np.repeat([0.06, 0.94, 0.22, 0.77, 0.06], 1000)
    findings = run([profile] * STREAMS, (rng.random((STREAMS, 5000)) < rates).astype(float))
    for row in range(STREAMS):
        assert changes(findings, row) == ["change", "change", "change", "back"]
        assert [abs(f.onset - at) < 40 for f, at in zip(found(findings, row), (1000, 2000, 3000, 4000), strict=True)] == [True] * 4


def test_a_drift_that_ends_at_once_is_not_left_hanging(profiles):
    values = normal(12, 6000)
    values[:, 1000:1030] += 2.0
    findings = run(profiles, values)
    assert [changes(findings, row) for row in range(STREAMS)] == [["change", "back"]] * STREAMS
    assert all(f.index < 2000 for f in findings)


def test_an_autocorrelated_stream_neither_flaps_nor_sticks():
    rng = np.random.default_rng(13)
    noise = rng.standard_normal((4, 26_000))
    for i in range(1, 26_000):
        noise[:, i] = 0.8 * noise[:, i - 1] + 0.6 * noise[:, i]
    values = noise[:, 10_000:]
    values[:, 1000:13_000] += 2.0
    findings = run(profiles_of(noise[:, :10_000]), values)
    assert [changes(findings, row) for row in range(4)] == [["change", "back"]] * 4


def test_a_stream_that_wanders_is_told_of_ever_less_often():
    rng = np.random.default_rng(14)
    profile = profile_numbers(rng.standard_normal(5000))
    walk = 20 + np.cumsum(rng.standard_normal((1, 40_000)), axis=1) % 10
    findings = run([profile], np.concatenate([rng.standard_normal((1, 1000)), walk * rng.standard_normal((1, 40_000))], axis=1))
    assert 1 <= len(findings) < 30


def test_upwards_only_a_better_error_rate_is_no_change():
    rng = np.random.default_rng(15)
    profile = profile_numbers((rng.random(5000) < 0.3).astype(float))
    better = (rng.random((1, 5000)) < 0.1).astype(float)
    assert run([profile], better, direction="up") == []
    assert changes(run([profile], better), 0) == ["change"]


def test_upwards_only_the_first_errors_ever_are_a_change():
    findings = run([profile_numbers(np.zeros(5000))], np.array([[0.0] * 995 + [0.0, 0.0, 0.0, 1.0, 1.0] * 20]), direction="up")
    assert [(f.change, f.cause) for f in findings] == [("change", "mean up")]


def test_upwards_only_a_small_reference_still_sees_a_large_rise():
    rng = np.random.default_rng(16)
    profile = profile_numbers((rng.random(150) < 0.2).astype(float))
    errors = (rng.random((1, 1500)) < np.repeat([0.2, 0.7], [500, 1000])).astype(float)
    findings = run([profile], errors, direction="up", arl0=1e7)
    assert changes(findings, 0) == ["change"]
    assert 500 < findings[0].index < 800


def test_a_rare_error_that_becomes_less_rare_is_a_change():
    rng = np.random.default_rng(17)
    profile = profile_numbers((rng.random(10_000) < 0.001).astype(float))
    errors = (rng.random((1, 6000)) < np.repeat([0.001, 0.02], 3000)).astype(float)
    findings = run([profile], errors, direction="up")
    assert changes(findings, 0) == ["change"]
    assert 3000 < findings[0].index < 4000


def test_a_tolerated_shift_is_no_change_and_a_larger_one_is(profiles):
    values = normal(18, 10_000)
    values[:, 1000:] += np.repeat([0.15, 1.0], STREAMS // 2)[:, None]
    findings = run(profiles, values, tolerance=0.3)
    assert {f.row for f in findings} == {4, 5, 6, 7}


def test_its_own_budget_wins_over_that_of_the_model(profiles):
    values = normal(19, 2000)
    values[:, 1000:] += 0.5
    assert run(profiles, values, arl0=10.0, values_between_false_alarms=1e8) == run(profiles, values, arl0=1e8)


@pytest.mark.parametrize(("scale", "offset"), [(1e-3, 0.0), (2.54, 32.0), (1e6, -1e7)])
@pytest.mark.parametrize("digits", [1, 12])
def test_units_do_not_matter(scale, offset, digits):
    reference, values = normal(20, 5000, 4).round(digits), normal(21, 6000, 4)
    values[:, 2000:4000] = 1.3 * values[:, 2000:4000] + 0.4
    values = values.round(digits)
    in_other_units = run(profiles_of(scale * reference + offset), scale * values + offset)
    assert in_other_units == run(profiles_of(reference), values)
    assert len(in_other_units) >= 8


def test_a_reading_shows_the_evidence_so_far(profiles):
    bank = Esr().build(profiles, arl0=ARL0)
    assert (bank.reading(0).statistic, bank.reading(0).n, bank.reading(0).breached) == (0.0, 0, False)
    values = normal(22, 2003)
    values[0, 1000:] += 1
    bank.update(values)
    assert bank.reading(0).breached
    assert bank.reading(0).threshold == math.log(ARL0 / 5)
    assert not bank.reading(1).breached
    assert bank.reading(1).n == 2000  # whole blocks


def test_all_causes_are_of_the_closed_set(profiles):
    rng = np.random.default_rng(23)
    values = np.concatenate([normal(24, 1000), rng.standard_exponential((STREAMS, 2000)) - 1, rng.standard_t(2, (STREAMS, 2000))], axis=1)
    findings = run(profiles, values)
    assert len(findings) >= STREAMS
    assert {f.cause for f in findings} <= set(CAUSES)


def test_false_alarms_are_as_rare_as_asked_for():
    streams, arl0 = 60, 2000.0
    bank = Esr().build(profiles_of(normal(25, 10_000, streams)), arl0=arl0)
    alarms = 0
    for seed in range(100, 160):
        findings = bank.update(normal(seed, 500, streams))
        drifted = sorted({f.row for f in findings if f.change == "change"})
        alarms += len(drifted)
        bank.reset(drifted)
    expected = streams * 60 * 500 / arl0
    assert 0.3 * expected < alarms < 1.2 * expected


@pytest.mark.parametrize("wrong", [{"direction": "down"}, {"tolerance": -1}, {"values_between_false_alarms": 0}, {"arl0": 1}])
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValidationError):
        parse({"kind": "esr", **wrong})
