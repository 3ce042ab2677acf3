"""The life of an episode, one transition a test."""

from __future__ import annotations

import pytest

from schemas.alerts import Alert, Evidence
from schemas.config import Model
from schemas.events import Position
from streams.engine.alerting import AlertPolicy, Moment, Stream
from streams.engine.story import Story

SOURCES = {"features": {"topic": "f", "fields": {"id": "id", "features": "x"}}}
MODEL = Model.model_validate({"name": "fraud", "owner": "payments", "runbook": "https://r", "sources": SOURCES})
AMOUNT = Stream("3", "all", "amount")
COOLDOWN = 600_000


def policy(state=None) -> AlertPolicy:
    return AlertPolicy(MODEL, application="driftsonde", cooldown_ms=COOLDOWN, state=state)


def at(clock: int) -> Moment:
    return Moment(clock, clock, Position("f", 0, clock))


def story(index: int, onset: int, detector: str = "esr") -> Story:
    said = Evidence(detector=detector, statistic=2.0, threshold=1.0, breached=True)
    return Story(
        kind="feature_drift", severity="warning", started_ms=onset, onset=onset, index=index, cause="mean up", summary="s", evidence=(said,)
    )


def states(alerts: list[Alert]) -> list[str]:
    return [f"{a.data.state}/{a.data.severity}" for a in alerts]


def test_an_episode_fires_once_and_is_resolved_under_one_key():
    p = policy()
    fired = list(p.change(AMOUNT, at(1000), "esr", story(100, 80)))
    again = list(p.change(AMOUNT, at(1100), "esr", story(110, 90)))  # the same change, seen again
    done = list(p.back(AMOUNT, at(5000), "esr", story(500, 400)))
    assert (states(fired), again, states(done)) == (["firing/warning"], [], ["resolved/warning"])
    assert fired[0].data.alert_key == done[0].data.alert_key
    assert [a.data.sequence for a in fired + done] == [1, 2]
    assert done[0].data.started_at == fired[0].data.started_at


def test_a_change_that_began_after_the_last_told_is_an_update_with_its_own_onset():
    p = policy()
    [fired] = p.change(AMOUNT, at(1000), "esr", story(100, 80))
    [updated] = p.change(AMOUNT, at(1000 + COOLDOWN), "esr", story(900, 850))
    assert (updated.data.state, updated.data.alert_key) == ("updated", fired.data.alert_key)
    assert updated.data.started_at == "1970-01-01T00:00:00.850Z"


def test_a_subject_that_never_settles_is_told_ever_less_often():
    p, told = policy(), []
    list(p.change(AMOUNT, at(0), "esr", story(0, 0)))
    for minute in range(1, 24 * 60):
        if p.next_due(minute * 60_000) is not None:
            told += [(minute, a.data.state) for a in p.expire(at(minute * 60_000))]
        told += [(minute, a.data.state) for a in p.change(AMOUNT, at(minute * 60_000), "esr", story(60 * minute, 60 * minute - 30))]
    assert told == [(m, "updated") for m in (10, 30, 70, 150, 310, 630, 1270)]  # ten minutes of cool-down, doubled each time
    assert p.suppressed["cooldown"] > 1000


def test_another_detector_that_finds_the_same_change_sends_nothing_but_must_go_back_too():
    p = policy()
    list(p.change(AMOUNT, at(1000), "esr", story(100, 80)))
    assert list(p.change(AMOUNT, at(1050), "adwin", story(105, 78))) == []
    assert list(p.back(AMOUNT, at(5000), "esr", story(500, 400))) == []
    assert states(list(p.back(AMOUNT, at(6000), "adwin", story(600, 400)))) == ["resolved/warning"]


def test_when_all_detectors_agree_the_severity_rises_once():
    p = policy()
    list(p.change(AMOUNT, at(1000), "esr", story(100, 80), agreeing=("esr", "psi"), watching=4))
    assert list(p.agree(AMOUNT, at(1100), "adwin", story(110, 85, "adwin"), watching=4)) == []
    raised = list(p.agree(AMOUNT, at(1200), "page_hinkley", story(120, 85, "page_hinkley"), watching=4))
    assert states(raised) == ["updated/critical"]
    assert [e.detector for e in raised[0].data.evidence] == ["esr", "adwin", "page_hinkley"]
    assert list(p.agree(AMOUNT, at(1300), "adwin", story(130, 85, "adwin"), watching=4)) == []


@pytest.mark.parametrize(("index", "onset"), [(79, 60), (300, 250)], ids=["a change before the one told", "a change after it"])
def test_agreement_about_another_change_does_not_count(index, onset):
    p = policy()
    list(p.change(AMOUNT, at(1000), "esr", story(100, 80), agreeing=("esr", "psi"), watching=3))
    assert list(p.agree(AMOUNT, at(1001), "adwin", story(index, onset, "adwin"), watching=3)) == []


def test_two_detectors_alone_are_never_critical():
    p = policy()
    assert states(list(p.change(AMOUNT, at(1000), "esr", story(100, 80), agreeing=("esr", "psi"), watching=2))) == ["firing/warning"]


def test_in_the_cool_down_a_change_is_held_and_fires_when_it_ends():
    p = policy()
    list(p.change(AMOUNT, at(1000), "esr", story(100, 80)))
    list(p.back(AMOUNT, at(5000), "esr", story(500, 400)))
    assert list(p.change(AMOUNT, at(6000), "esr", story(600, 580))) == []
    assert p.next_due(5000 + COOLDOWN - 1) is None
    assert p.next_due(5000 + COOLDOWN) == 5000 + COOLDOWN
    late = list(p.expire(at(5000 + COOLDOWN)))
    assert states(late) == ["firing/warning"]
    assert p.next_due(10**12) is None


def test_a_change_that_went_back_within_the_cool_down_is_suppressed_and_counted():
    p = policy()
    list(p.change(AMOUNT, at(1000), "esr", story(100, 80)))
    list(p.back(AMOUNT, at(5000), "esr", story(500, 400)))
    list(p.change(AMOUNT, at(6000), "esr", story(600, 580)))
    list(p.back(AMOUNT, at(7000), "esr", story(700, 680)))
    assert (p.next_due(10**12), dict(p.suppressed)) == (None, {"cooldown": 1})


def test_when_its_detectors_are_gone_an_episode_ends_and_a_held_change_never_fires():
    p = policy()
    list(p.change(AMOUNT, at(1000), "esr", story(100, 80)))
    list(p.back(AMOUNT, at(2000), "esr", story(200, 150)))
    list(p.change(AMOUNT, at(3000), "esr", story(300, 280)))  # held by the cool-down
    other = AMOUNT._replace(version="4")
    list(p.change(other, at(3000), "esr", story(300, 280)))
    assert states(list(p.forget(at(4000), lambda stream: True, "its detectors begin anew"))) == ["resolved/warning"]
    assert p.next_due(10 * COOLDOWN) is None
    assert p.firing() == []


def test_an_event_that_lasts_ends_by_itself():
    p = policy()
    assert states(list(p.event(AMOUNT, at(1000), story(0, 0), lasting_ms=500))) == ["firing/warning"]
    assert list(p.event(AMOUNT, at(1200), story(0, 0), lasting_ms=500)) == []
    assert p.next_due(2000) == 1500
    assert states(list(p.expire(at(1500)))) == ["resolved/warning"]


def test_clearing_what_does_not_fire_says_nothing():
    assert list(policy().clear(AMOUNT, at(1), "over")) == []


@pytest.mark.parametrize("stop", range(6))
def test_restored_anywhere_the_life_goes_on(stop):
    def steps(p):
        yield lambda p: p.change(AMOUNT, at(1000), "esr", story(100, 80), agreeing=("esr",), watching=3)
        yield lambda p: p.agree(AMOUNT, at(1100), "psi", story(110, 85, "psi"), watching=3)
        yield lambda p: p.agree(AMOUNT, at(1200), "adwin", story(120, 85, "adwin"), watching=3)
        yield lambda p: p.back(AMOUNT, at(5000), "esr", story(500, 400))
        yield lambda p: p.change(AMOUNT, at(6000), "esr", story(600, 580))
        yield lambda p: p.expire(at(5000 + COOLDOWN))

    def life(restore_before: int | None) -> list[bytes]:
        p, out = policy(), []
        for i, step in enumerate(steps(p)):
            if i == restore_before:
                p = policy(p.state())
            out += [a.to_json() for a in step(p)]
        return out

    assert life(stop) == life(None)
    assert len(life(None)) == 4


def test_a_published_alert_carries_the_model_s_owner_and_hashes_and_fits_its_schema():
    import jsonschema
    import orjson

    [alert] = policy().change(AMOUNT, at(1000), "esr", story(100, 80))
    body = orjson.loads(alert.to_json())
    jsonschema.validate(body, dict(Alert.json_schema()))
    assert body["data"]["owner"] == "payments"
    assert body["data"]["config"] == MODEL.config_hash
    assert body["subject"] == body["data"]["stream"] == "fraud/3/all/amount"
    assert Alert.from_json(alert.to_json()) == alert
