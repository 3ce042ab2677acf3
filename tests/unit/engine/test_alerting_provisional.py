"""The life of what young labels show: suspected, then confirmed or withdrawn by those that have had their time."""

from __future__ import annotations

import pytest

from schemas.alerts import Alert, Evidence
from schemas.config import Model
from schemas.events import Position
from streams.engine.alerting import AlertPolicy, Moment, Stream
from streams.engine.story import Story

SOURCES = {"predictions": {"topic": "p", "fields": {"id": "id", "prediction": "y"}}}
MODEL = Model.model_validate({"name": "fraud", "task": "binary", "sources": SOURCES})
LOSS, AMOUNT = Stream("3", "all", "loss"), Stream("3", "all", "amount")
COOLDOWN = 600_000
YOUNG = "esr (age 1h)"


def policy(state=None) -> AlertPolicy:
    return AlertPolicy(MODEL, application="driftsonde", cooldown_ms=COOLDOWN, state=state)


def at(clock: int) -> Moment:
    return Moment(clock, clock, Position("p", 0, clock))


def story(index: int, onset: int, *, provisional: bool | None = False, detector: str = "esr", kind: str = "concept_drift") -> Story:
    series = "age 1h" if provisional else "matured"
    said = Evidence(detector=detector, statistic=2.0, threshold=1.0, breached=True, series=series)
    return Story(
        kind=kind,
        severity="warning",
        started_ms=onset,
        onset=onset,
        index=index,
        cause="mean up",
        summary="loss: up",
        evidence=(said,),
        provisional=provisional,
    )


def suspect(p: AlertPolicy, clock: int, index: int, onset: int, detector: str = YOUNG) -> list[Alert]:
    return list(p.change(LOSS, at(clock), detector, story(index, onset, provisional=True)))


def sure(p: AlertPolicy, clock: int, index: int, onset: int, **more) -> list[Alert]:
    return list(p.change(LOSS, at(clock), "esr", story(index, onset), **more))


def back(p: AlertPolicy, clock: int, detector: str) -> list[Alert]:
    return list(p.back(LOSS, at(clock), detector, story(clock, clock - 10, provisional=detector == YOUNG)))


def short(alerts: list[Alert]) -> list[str]:
    word = {True: "provisional", False: "sure", None: "plain"}
    return [f"{a.data.state} {word[a.data.provisional]}" for a in alerts]


def test_a_suspicion_that_is_confirmed_is_one_episode():
    p = policy()
    alerts = suspect(p, 1000, 100, 80) + sure(p, 1001, 110, 85)
    assert short(alerts) == ["firing provisional", "updated sure"]  # at once: the cool-down of the suspicion has only begun
    assert alerts[1].data.summary == "confirmed: loss: up"
    alerts += back(p, 5000, YOUNG) + back(p, 6000, "esr")
    assert short(alerts)[2:] == ["resolved sure"]
    assert len({a.data.alert_key for a in alerts}) == 1
    assert [a.data.sequence for a in alerts] == [1, 2, 3]


def test_a_suspicion_dated_shortly_after_the_sure_change_is_the_same():
    p = policy()
    suspect(p, 1000, 140, 115)
    assert short(sure(p, 2000, 110, 80)) == ["updated sure"]
    assert list(p.settle(LOSS, at(9000), 10**6)) == [], "nothing is left to withdraw"


def test_a_suspicion_that_nothing_confirms_is_withdrawn_once_sure_labels_have_had_twice_its_time():
    p = policy()
    alerts = suspect(p, 1000, 100, 80)
    assert list(p.settle(LOSS, at(2000), 120)) == []
    alerts += p.settle(LOSS, at(2001), 121)
    assert short(alerts) == ["firing provisional", "updated provisional", "resolved provisional"]
    assert alerts[1].data.summary.startswith("withdrawn: loss: up; by 1970-01-01 00:00 all labels had come")
    assert len({a.data.alert_key for a in alerts}) == 1
    assert (p.firing(), list(p.settle(LOSS, at(2002), 10_000)), back(p, 3000, YOUNG)) == ([], [], [])


def test_after_a_withdrawal_the_truth_need_not_wait_but_another_suspicion_must():
    p = policy()
    suspect(p, 1000, 100, 80)
    list(p.settle(LOSS, at(2000), 1000))
    assert suspect(p, 2500, 1200, 1150) == []
    assert short(sure(p, 3000, 1300, 1160)) == ["firing sure"]
    assert p.next_due(10**9) is None  # the suspicion that was held is told with it
    assert (back(p, 4000, "esr"), short(back(p, 5000, YOUNG))) == ([], ["resolved sure"])


def test_a_suspicion_goes_back_by_itself_and_sure_labels_that_see_both_say_nothing_more():
    p = policy()
    assert short(suspect(p, 1000, 100, 80) + back(p, 1500, YOUNG)) == ["firing provisional", "resolved provisional"]
    assert list(p.settle(LOSS, at(1600), 105)) == []
    assert sure(p, 1700, 105, 82) == []
    assert list(p.settle(LOSS, at(1750), 1400)) == []
    assert back(p, 1800, "esr") == []
    assert p.suppressed["repeated"] == 1
    assert list(p.settle(LOSS, at(1900), 10**6)) == []
    assert short(sure(p, 2000, 1990, 1980)) == ["firing sure"]  # another one


def test_a_suspicion_goes_back_by_itself_but_sure_labels_do_not_see_its_end():
    p = policy()
    suspect(p, 1000, 100, 80)
    back(p, 1500, YOUNG)
    assert sure(p, 1700, 105, 82) == []
    alerts = list(p.settle(LOSS, at(1900), 1600))
    assert short(alerts) == ["firing sure"]
    assert short(back(p, 5000, "esr")) == ["resolved sure"]


def test_a_suspicion_held_by_the_cool_down_and_overtaken_by_sure_labels_is_never_told():
    p = policy()
    sure(p, 1000, 100, 80)
    back(p, 2000, "esr")
    assert suspect(p, 3000, 300, 280) == []
    assert list(p.settle(LOSS, at(4000), 400)) == []
    assert p.next_due(10**9) is None
    assert p.suppressed["cooldown"] == 1


def test_a_suspicion_while_a_sure_change_stands_is_withdrawn_without_an_end():
    p = policy()
    alerts = sure(p, 1000, 100, 80)
    alerts += suspect(p, 1000 + COOLDOWN, 500, 480)
    assert short(alerts) == ["firing sure", "updated provisional"]
    alerts += p.settle(LOSS, at(1001 + COOLDOWN), 600)
    assert short(alerts)[2:] == ["updated provisional"]
    assert [s.started_ms for _, s in p.firing()] == [80]
    alerts += back(p, 2000 + COOLDOWN, "esr")
    assert (short(alerts)[3:], alerts[-1].data.started_at) == (["resolved sure"], alerts[0].data.started_at)
    assert [a.data.sequence for a in alerts] == [1, 2, 3, 4]


def test_a_further_suspicion_is_confirmed_too_and_the_first_was_not_it():
    p = policy()
    alerts = suspect(p, 1000, 100, 80) + suspect(p, 1000 + COOLDOWN, 500, 480)
    alerts += sure(p, 2000 + COOLDOWN, 120, 90) + sure(p, 3000 + COOLDOWN, 520, 490)
    assert short(alerts) == ["firing provisional", "updated provisional", "updated sure", "updated sure"]
    assert [a.data.summary[:9] for a in alerts[2:]] == ["confirmed"] * 2
    assert list(p.settle(LOSS, at(10**7), 10**7)) == []


def test_of_two_suspicions_the_first_may_be_withdrawn_and_the_other_stays():
    p = policy()
    suspect(p, 1000, 100, 80)
    suspect(p, 1000 + COOLDOWN, 500, 480)
    assert short(list(p.settle(LOSS, at(2000 + COOLDOWN), 300))) == ["updated provisional"]
    assert [s.started_ms for _, s in p.firing()] == [480]
    assert short(sure(p, 3000 + COOLDOWN, 505, 470)) == ["updated sure"]


def test_a_sure_change_that_nobody_suspected_is_told_though_it_is_older_than_a_suspicion():
    p = policy()
    suspect(p, 1000, 500, 480)
    [alert] = sure(p, 1100, 100, 80)
    assert (alert.data.state, alert.data.provisional, alert.data.summary) == ("updated", False, "loss: up")
    assert short(list(p.settle(LOSS, at(1200), 600))) == ["updated provisional"]  # the suspicion still has to be settled


def test_the_same_change_at_another_age_says_nothing_more():
    p = policy()
    suspect(p, 1000, 100, 80)
    assert suspect(p, 1100, 105, 78, "esr (age 12h)") == []
    assert short(sure(p, 1200, 110, 79)) == ["updated sure"]
    assert suspect(p, 1300, 115, 77, "esr (age 1d)") == []


def test_a_suspicion_is_never_critical_however_many_agree_and_its_confirmation_may_be():
    p = policy()
    fired = list(p.change(LOSS, at(1000), YOUNG, story(100, 80, provisional=True), agreeing=("adwin", "page_hinkley"), watching=1))
    for detector in ("adwin", "page_hinkley"):
        assert list(p.agree(LOSS, at(1001), f"{detector} (age 1h)", story(101, 80, provisional=True), watching=3)) == []
        assert list(p.agree(LOSS, at(1002), detector, story(102, 80, detector=detector), watching=3)) == []
    confirmed = sure(p, 1003, 110, 85, agreeing=("esr", "adwin", "page_hinkley"), watching=3)
    assert [a.data.severity for a in fired + confirmed] == ["warning", "critical"]
    [further] = suspect(p, 1003 + COOLDOWN, 500, 480)
    assert further.data.severity == "critical"  # of the episode; a suspicion does not lower it


def test_a_held_sure_change_is_not_displaced_by_a_suspicion():
    p = policy()
    sure(p, 1000, 100, 80)
    back(p, 2000, "esr")
    assert sure(p, 3000, 300, 280) == suspect(p, 4000, 400, 380) == []
    [fired] = p.expire(at(2000 + COOLDOWN))
    assert (fired.data.provisional, fired.data.started_at) == (False, "1970-01-01T00:00:00.280Z")


def test_a_suspicion_held_within_an_episode_is_not_told_when_it_went_back():
    p = policy()
    suspect(p, 1000, 100, 80)
    sure(p, 1100, 110, 85)
    assert suspect(p, 1200, 300, 280) == []  # held by the confirmation's cool-down
    assert back(p, 1300, YOUNG) == []
    assert p.next_due(10**9) is None


def test_an_alert_says_which_other_kinds_are_firing_in_the_model():
    p = policy()
    [alone] = p.change(AMOUNT, at(1000), "esr", story(10, 5, provisional=None, kind="feature_drift"))
    other = AMOUNT._replace(subject="age")
    [two] = p.change(other, at(1001), "esr", story(10, 5, provisional=None, kind="feature_drift"))
    assert (dict(alone.data.also_firing), dict(two.data.also_firing)) == ({}, {})
    [loss] = suspect(p, 1002, 100, 80)
    assert dict(loss.data.also_firing) == {"feature_drift": 2}
    [gone] = policy(p.state()).back(other, at(5000), "esr", story(50, 40, provisional=None, kind="feature_drift"))
    assert dict(gone.data.also_firing) == {"concept_drift": 1}
    list(p.back(other, at(5000), "esr", story(50, 40, provisional=None, kind="feature_drift")))
    [loss] = sure(p, 6000, 110, 85)
    assert dict(loss.data.also_firing) == {"feature_drift": 1}


@pytest.mark.parametrize("stop", range(8))
def test_restored_anywhere_the_life_goes_on(stop):
    def steps(p):
        yield lambda p: suspect(p, 1000, 100, 80)
        yield lambda p: sure(p, 1100, 110, 85)
        yield lambda p: suspect(p, 1200, 300, 280)
        yield lambda p: list(p.expire(at(1100 + COOLDOWN)))
        yield lambda p: list(p.settle(LOSS, at(1200 + COOLDOWN), 400))
        yield lambda p: back(p, 1300 + COOLDOWN, "esr")
        yield lambda p: suspect(p, 1400 + COOLDOWN, 500, 480)
        yield lambda p: sure(p, 1500 + 2 * COOLDOWN, 510, 490)

    def life(restore_before: int | None) -> list[bytes]:
        p, out = policy(), []
        for i, step in enumerate(steps(p)):
            if i == restore_before:
                p = policy(p.state())
            out += [a.to_json() for a in step(p)]
        return out

    assert life(stop) == life(None)
    assert len(life(None)) == 6
