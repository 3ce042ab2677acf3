from __future__ import annotations

import pytest

from schemas.alerts import Alert, AlertData, AlertPosition, Kind, State, iso
from streams.demo.synthetic import INJECTIONS, time_of
from streams.demo.verdict import judge


def alert(subject: str, kind: Kind, state: State, row: int, *, episode: str | None = None) -> Alert:
    data = AlertData(
        state=state,
        kind=kind,
        severity="warning",
        model="fraud",
        model_version="3",
        segment="all",
        subject=subject,
        alert_key=episode or subject,
        stream=subject,
        sequence=1,
        started_at=iso(time_of(row)),
        detected_at=iso(time_of(row)),
        summary="",
        config="",
        position=AlertPosition(topic="t", partition=0, offset=row),
    )
    return Alert(id=f"{subject}{row}", source="/", subject=subject, time=data.detected_at, data=data)


@pytest.fixture
def perfect() -> list[Alert]:
    found = [alert(s, i.kind, "firing", i.begins + 10) for i in INJECTIONS for s in i.subjects]
    return found + [alert(s, i.kind, "resolved", i.ends + 10) for i in INJECTIONS if i.recovers for s in i.subjects]


def test_exactly_what_was_injected_passes(perfect: list[Alert]) -> None:
    assert judge(perfect).passed


def test_an_update_of_an_episode_is_no_other_alert(perfect: list[Alert]) -> None:
    first = perfect[0]
    assert judge([*perfect, alert(first.data.subject, first.data.kind, "updated", 9_000)]).passed


def test_each_missing_alert_fails(perfect: list[Alert]) -> None:
    for i, missing in enumerate(perfect):
        verdict = judge(perfect[:i] + perfect[i + 1 :])
        assert not verdict.passed
        assert any(missing.data.subject in text for outcome in verdict.outcomes for text in outcome.missing)


@pytest.mark.parametrize("row", [100, 29_000])
def test_any_other_alert_fails(perfect: list[Alert], row: int) -> None:
    other = alert("balance", "feature_drift", "firing", row)
    again = alert(perfect[0].data.subject, perfect[0].data.kind, "firing", row, episode="another")
    for extra in (other, again):
        verdict = judge([*perfect, extra])
        assert (verdict.passed, verdict.extra) == (False, (extra,))


def test_an_alert_before_the_fault_does_not_count(perfect: list[Alert]) -> None:
    early = alert(INJECTIONS[0].subjects[0], INJECTIONS[0].kind, "firing", INJECTIONS[0].begins - 1, episode="early")
    verdict = judge([early, *perfect[1:]])
    assert verdict.outcomes[0].missing
    assert verdict.extra
