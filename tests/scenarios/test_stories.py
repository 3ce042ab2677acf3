"""What an on-call engineer should be told, and when: short stories over the whole engine. One row is one second."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.scenarios.shop import PAST, Shop, Traffic, rows_of_day

N = 12_000
ROW = np.arange(N)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


def day() -> Traffic:
    return rows_of_day(2, N)


def test_nothing_happens_and_nothing_is_said(shop):
    assert [shop.watch(rows_of_day(seed, N)) for seed in (2, 3, 4)] == [[], [], []]


def test_customers_are_older_for_an_hour_which_fires_once_and_resolves_after_the_recovery(shop):
    now = day()
    now.age[4000:8000] += 12  # one standard deviation
    said = shop.watch(now)
    assert [(state, kind, of) for _, state, kind, of in said] == [
        ("firing", "feature_drift", "age"),
        ("updated", "feature_drift", "age"),  # all detectors agree: critical
        ("resolved", "feature_drift", "age"),
    ]
    fired, agreed, resolved = (row for row, *_ in said)
    assert 4000 <= fired < 4100
    assert agreed < 5000
    assert 8000 < resolved < 8600


def test_amounts_are_sent_in_cents(shop):
    now = day()
    now.amount[6000:] *= 100
    alerts = shop.alerts(now)
    assert [(a.data.state, a.data.subject) for a in alerts] == [("firing", "amount"), ("updated", "amount")]
    assert shop.watch(now)[0][0] < 6020
    effect = alerts[1].data.effect
    assert effect is not None
    assert 80 < effect.current / effect.reference < 120
    assert alerts[1].data.severity == "critical"


def test_a_feature_is_null_for_an_hour_which_is_bad_data_and_no_drift(shop):
    now = day()
    now.age[4000:7600] = np.nan
    [(fired, *first), (resolved, *last)] = shop.watch(now)
    assert (first, last) == (["firing", "data_quality", "age"], ["resolved", "data_quality", "age"])
    assert 4000 <= fired < 4020
    assert 7600 < resolved < 8000


def test_the_shop_opens_in_a_country_that_the_reference_does_not_know(shop):
    now, rng = day(), np.random.default_rng(9)
    now.country = ["UA" if row >= 6000 and rng.random() < 0.05 else country for row, country in enumerate(now.country)]
    [alert] = shop.alerts(now)
    assert (alert.data.state, alert.data.subject) == ("firing", "country")
    assert "unseen values" in alert.data.summary
    assert 6000 <= shop.watch(now)[0][0] < 6200


def test_ages_creep_up_over_two_hours_and_are_told_before_half_of_it(shop):
    now = day()
    now.age += 12 * np.clip((ROW - 3000) / 7000, 0, 1)
    said = shop.watch(now)
    assert {of for *_, of in said} == {"age"}
    assert said[0][1] == "firing"
    assert 3000 < said[0][0] < 6500
    assert len(said) <= 4  # a movement that goes on is told ever less often


def test_a_wave_that_the_reference_has_seen_many_times_stays_quiet():
    def waving(traffic: Traffic, first: int) -> Traffic:
        wave = 10 * np.sin(2 * np.pi * (first + np.arange(len(traffic))) / 2000)
        return replace(traffic, age=traffic.age + wave)

    assert Shop({"1": waving(rows_of_day(1, PAST), 0)}).watch(waving(day(), PAST)) == []


def test_ten_wild_rows_are_over_before_anybody_is_called(shop):
    now = day()
    now.amount[5000:5010] = 1e6
    said = shop.watch(now)
    assert [(state, of) for _, state, _, of in said] in ([], [("firing", "amount"), ("resolved", "amount")])
    assert all(row < 5500 for row, *_ in said)


def test_half_way_a_second_version_comes_with_its_own_reference_and_is_measured_by_that():
    second_past = rows_of_day(8, PAST, version="2")
    second_past.age += 12  # the second version serves older customers
    now = day()
    now.version[6000:] = ["2"] * 6000
    now.age[6000:] += 12
    two = Shop({"1": rows_of_day(1, PAST), "2": second_past})
    assert two.watch(now) == []
    now.age[9000:] += 12
    said = two.watch(now)
    assert {of for *_, of in said} == {"2:age"}
    assert 9000 <= said[0][0] < 9100


def test_two_features_move_at_once_and_each_is_told_once(shop):
    now = day()
    now.age[5000:] += 12
    now.basket[5000:] += 2
    said = shop.watch(now)
    assert sorted(of for row, state, _, of in said if state == "firing") == ["age", "basket"]
    assert all(5000 <= row < 5100 for row, state, *_ in said if state == "firing")
    assert {of for *_, of in said} == {"age", "basket"}


def test_the_predictions_stop_and_come_back(shop):
    [went, came] = shop.watch(day(), silent=(4000, 7000))
    assert went[1:] == ("firing", "silence", "shop.predictions/0")
    assert 4900 <= went[0] < 4910  # the limit is fifteen minutes
    assert came == (7000, "resolved", "silence", "shop.predictions/0")


def test_the_model_says_fine_to_everything(shop):
    now = day()
    now.prediction[6000:] = ["fine"] * 6000
    said = shop.watch(now)
    assert said[0][1:] == ("firing", "prediction_drift", "prediction")
    assert {of for *_, of in said} == {"prediction"}
    assert 6000 < said[0][0] < 7000


def test_a_story_is_the_same_in_blocks_of_any_size(shop):
    now = day()
    now.age[4000:8000] += 12
    now.country[6000:] = [None] * 6000
    assert [a.to_json() for a in shop.alerts(now, every=37)] == [a.to_json() for a in shop.alerts(now, every=5000)]
