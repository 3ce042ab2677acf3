"""Was every injected drift alerted, and nothing else?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.alerts import Alert, iso
from streams.demo.synthetic import INJECTIONS, Injection, time_of

__all__ = ["Outcome", "Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was alerted of one injected fault.

    Parameters
    ----------
    fired : tuple of Alert
        The first alert of each subject that was found.
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
    """Compare alerts with the faults of the synthetic traffic."""
    outcomes = tuple(_outcome(injection, alerts) for injection in INJECTIONS)
    explained = {alert.data.alert_key for outcome in outcomes for alert in outcome.fired}
    return Verdict(outcomes, tuple(alert for alert in alerts if alert.data.alert_key not in explained))


def _outcome(injection: Injection, alerts: Sequence[Alert]) -> Outcome:
    begins, ends = iso(time_of(injection.begins)), iso(time_of(injection.ends))
    fired: list[Alert] = []
    missing: list[str] = []
    for subject in injection.subjects:
        mine = [a for a in alerts if a.data.subject == subject and a.data.kind == injection.kind]
        first = next((a for a in mine if a.data.state == "firing" and begins <= a.data.detected_at < ends), None)
        if first is None:
            missing.append(f"{injection.kind} of {subject!r}")
            continue
        fired.append(first)
        if injection.recovers and not any(a.data.state == "resolved" and a.data.alert_key == first.data.alert_key for a in mine):
            missing.append(f"the end of {injection.kind} of {subject!r}")
    return Outcome(injection, tuple(fired), tuple(missing))
