"""Was every injected drift alerted, and nothing else?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schemas.alerts import Alert, AlertData, iso
from streams.demo.synthetic import INJECTIONS, Injection, time_of

__all__ = ["Outcome", "Verdict", "judge"]

#: Model, version and segment that all alerts must be about.
_WHERE = "fraud/3/all"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was alerted of one injected fault.

    Parameters
    ----------
    fired : tuple of Alert
        The one firing alert of each subject that was found.
    missing : tuple of str
        What should have been alerted and was not.
    """

    injection: Injection
    fired: tuple[Alert, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of each fault, and alerts that no fault explains."""

    outcomes: tuple[Outcome, ...]
    extra: tuple[Alert, ...]

    @property
    def passed(self) -> bool:
        """Whether every injected fault and nothing else was alerted."""
        return not self.extra and not any(outcome.missing for outcome in self.outcomes)


def judge(alerts: Sequence[Alert]) -> Verdict:
    """Compare alerts with what was injected into the synthetic traffic.

    Each stream that an injection names must fire once, with its kind; any other episode, a second one of the same stream too, is extra.
    """
    outcomes = tuple(_outcome(injection, alerts) for injection in INJECTIONS)
    explained = {alert.data.alert_key for outcome in outcomes for alert in outcome.fired}
    return Verdict(outcomes, tuple(alert for alert in alerts if alert.data.alert_key not in explained))


def _outcome(injection: Injection, alerts: Sequence[Alert]) -> Outcome:
    begins, ends = iso(time_of(injection.begins)), iso(time_of(injection.ends))
    fired: list[Alert] = []
    missing: list[str] = []
    for subject in injection.subjects:
        mine = [a for a in alerts if a.data.stream == f"{_WHERE}/{subject}" and a.data.kind == injection.kind]
        first = next((a for a in mine if a.data.state == "firing" and begins <= a.data.detected_at < ends), None)
        if first is None:
            missing.append(f"{injection.kind} of {subject!r}")
            continue
        fired.append(first)
        episode = [a.data for a in mine if a.data.alert_key == first.data.alert_key]
        missing += [f"{what} {injection.kind} of {subject!r}" for what in _lacks(injection, episode)]
    return Outcome(injection, tuple(fired), tuple(missing))


def _lacks(injection: Injection, episode: Sequence[AlertData]) -> Iterator[str]:
    """Yield what should have become of an episode and did not; how often it was updated does not matter."""
    resolved = any(data.state == "resolved" for data in episode)
    if injection.recovers and not resolved:
        yield "the end of"
    if resolved and not injection.recovers:
        yield "the lasting of"
    if injection.kind == "concept_drift":
        if not episode[0].provisional:
            yield "the first, provisional word of"
        if all(data.provisional for data in episode):
            yield "the confirmation of"
