from __future__ import annotations

import pytest

from schemas.alerts import Alert, AlertData, AlertPosition, Kind, State, iso
from streams.demo.synthetic import BURST, CONCEPT, INJECTIONS, PRICES, time_of
from streams.demo.verdict import judge


def alert(
    subject: str,
    kind: Kind,
    state: State,
    row: int,
    *,
    episode: str | None = None,
    provisional: bool | None = None,
    segment: str = "all",
) -> Alert:
    data = AlertData(
        state=state,
        kind=kind,
        severity="warning",
        model="fraud",
        model_version="3",
        segment=segment,
        subject=subject,
        alert_key=episode or subject,
        stream=f"fraud/3/{segment}/{subject}",
        sequence=1,
        started_at=iso(time_of(row)),
        detected_at=iso(time_of(row)),
        summary="",
        provisional=provisional,
        config="",
        position=AlertPosition(topic="t", partition=0, offset=row),
    )
    return Alert(id=f"{subject}{row}", source="/", subject=subject, time=data.detected_at, data=data)


@pytest.fixture
def perfect() -> list[Alert]:
    found = [alert(s, i.kind, "firing", i.begins + 10, provisional=True if i is CONCEPT else None) for i in INJECTIONS for s in i.subjects]
    found += [alert(s, "concept_drift", "updated", CONCEPT.begins + 5_000, provisional=False) for s in CONCEPT.subjects]
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


@pytest.mark.parametrize("times", [1, 3])
def test_how_often_a_confirmation_is_told_does_not_matter(perfect: list[Alert], times: int) -> None:
    again = [alert("loss", "concept_drift", "updated", CONCEPT.begins + 5_000 + i, provisional=False) for i in range(times)]
    assert judge([*perfect, *again]).passed


def test_a_concept_drift_that_was_never_provisional_fails(perfect: list[Alert]) -> None:
    sure = [alert(s, "concept_drift", "firing", CONCEPT.begins + 10, provisional=False) for s in CONCEPT.subjects]
    others = [a for a in perfect if a.data.kind != "concept_drift"]
    assert not judge([*others, *sure]).passed


def test_a_lasting_fault_that_is_said_to_be_over_fails(perfect: list[Alert]) -> None:
    verdict = judge([*perfect, alert("amount", "feature_drift", "resolved", 35_000)])
    assert not verdict.passed
    assert "the lasting of feature_drift of 'amount'" in verdict.outcomes[INJECTIONS.index(PRICES)].missing


def test_another_segment_is_another_stream(perfect: list[Alert]) -> None:
    first = perfect[0].data
    elsewhere = alert(first.subject, first.kind, "firing", INJECTIONS[0].begins + 10, segment="country=DE", episode="elsewhere")
    assert judge([elsewhere, *perfect[1:]]).outcomes[0].missing


@pytest.mark.parametrize("row", [100, BURST.begins + 10, 35_900])
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
