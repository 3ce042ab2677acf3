"""The life of an alert: one episode fires once, is updated when it changes in kind, and is resolved with hysteresis.

=========  ============================================  ===========================================================
state      what happens                                  then
=========  ============================================  ===========================================================
quiet      a deciding detector finds a change            ``firing``
firing     a further change, begun after the last told   ``updated``; not within the cool-down, which doubles with each
firing     all of the subject's detectors agree          ``updated``, once, severity critical
firing     another detector finds the same change        noted as agreeing, nothing sent
firing     every detector that fired says "back"         ``resolved``; the subject rests for the cool-down
resting    a deciding detector finds a change            held; ``firing`` when the cool-down ends, unless it went back
=========  ============================================  ===========================================================

Time is the clock of the released rows. Sequence numbers are gap-free within a stream, for ever; ids are functions of the input.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from schemas.alerts import Alert, AlertData, AlertPosition, Severity, State, alert_id, alert_key, iso, stream_name
from schemas.config import Model
from schemas.events import Position
from streams.engine.story import Story

__all__ = ["AlertPolicy", "Moment", "Stream"]


class Stream(NamedTuple):
    """What an alert is about."""

    version: str
    segment: str
    subject: str


class Moment(NamedTuple):
    """The released row at which something is decided: its clock, its event time (ms) and its place in the log."""

    clock: int
    time: int
    position: Position


@dataclass(slots=True)
class _Episode:
    """One stream's alert state; lives as long as the stream, because sequence numbers do."""

    sequence: int = 0
    firing: bool = False
    key: str = ""
    severity: Severity = "warning"
    told_until: int = -1  # row index at which the last change was told
    updates: int = 0  # further changes told in this episode
    deciding: list[str] = field(default_factory=list)
    agreeing: list[str] = field(default_factory=list)
    story: Story | None = None
    held: Story | None = None
    held_by: list[str] = field(default_factory=list)
    rest_until: int | None = None  # clock before which no change is told
    expires: int | None = None


class AlertPolicy:
    """Turns what monitors observe into alert events, for one model.

    Parameters
    ----------
    model : Model
        For owner, runbook and the configuration's hash.
    application : str
        Source of the events.
    cooldown_ms : int
        How long a subject rests after it was resolved.
    state : mapping, optional
        What `state` returned.
    """

    def __init__(self, model: Model, *, application: str, cooldown_ms: int, state: Mapping[str, Any] | None = None) -> None:
        self._model, self._source, self._cooldown = model, f"/driftsonde/{application}", cooldown_ms
        self._hash = model.config_hash
        self._episodes: dict[Stream, _Episode] = {}
        self.sent: Counter[tuple[str, str, str]] = Counter()
        self.suppressed: Counter[str] = Counter()
        if state is not None:
            self._episodes = {Stream(*e["stream"]): _restored(e["episode"]) for e in state["episodes"]}
            self.sent.update({(s["kind"], s["severity"], s["state"]): s["n"] for s in state["sent"]})
            self.suppressed.update(state["suppressed"])

    def change(
        self, stream: Stream, at: Moment, detector: str, story: Story, *, agreeing: tuple[str, ...] = (), watching: int = 0
    ) -> Iterator[Alert]:
        """A deciding detector says that the stream has changed."""
        episode = self._episode(stream)
        if episode.firing:
            further = story.onset > episode.told_until
            episode.deciding = sorted({*episode.deciding, detector})
            episode.agreeing = sorted({*(() if further else episode.agreeing), *agreeing, detector})
            severity = _severity(episode, watching)
            if further and self._resting(episode, at):
                self._hold(episode, story)
            elif further or severity != episode.severity:
                yield from self._update(stream, episode, at, story.model_copy(update={"severity": severity}))
        elif self._resting(episode, at):
            self._hold(episode, story)
            episode.held_by = sorted({*episode.held_by, detector})
        else:
            episode.deciding, episode.agreeing = [detector], sorted({detector, *agreeing})
            yield from self._fire(stream, episode, at, story.model_copy(update={"severity": _severity(episode, watching)}))

    def agree(self, stream: Stream, at: Moment, detector: str, story: Story, *, watching: int) -> Iterator[Alert]:
        """A detector that only explains sees a change: if it is the one that was told, it may raise the episode's severity."""
        episode = self._episode(stream)
        if not episode.firing or episode.story is None or detector in episode.agreeing:
            return
        if story.index < episode.story.onset or story.onset > episode.told_until:  # another change: before this one, or after it
            return
        episode.agreeing = sorted({*episode.agreeing, detector})
        severity = _severity(episode, watching)
        told = tuple(e for e in episode.story.evidence if e.detector != detector) + story.evidence
        episode.story = episode.story.model_copy(update={"evidence": told, "severity": severity})
        if severity != episode.severity:
            yield self._emit(stream, episode, "updated", at, episode.story)

    def back(self, stream: Stream, at: Moment, detector: str, story: Story) -> Iterator[Alert]:
        """A deciding detector says that the stream is like the reference again."""
        episode = self._episode(stream)
        if episode.held_by:
            episode.held_by = [d for d in episode.held_by if d != detector]
            if not episode.held_by:
                episode.held = None
                self.suppressed["cooldown"] += 1
        if not episode.firing or detector not in episode.deciding:
            return
        episode.deciding.remove(detector)
        if not episode.deciding:
            yield from self._resolve(stream, episode, at, story)

    def event(self, stream: Stream, at: Moment, story: Story, *, lasting_ms: int | None = None) -> Iterator[Alert]:
        """Raise a condition that no detector decides (silence, a missing reference); for `lasting_ms`, or until `clear`."""
        episode = self._episode(stream)
        if not episode.firing:
            episode.expires = None if lasting_ms is None else at.clock + lasting_ms
            yield from self._fire(stream, episode, at, story)

    def clear(self, stream: Stream, at: Moment, summary: str) -> Iterator[Alert]:
        """End a condition that `event` has raised."""
        episode = self._episode(stream)
        if episode.firing and episode.story is not None:
            yield from self._resolve(stream, episode, at, episode.story.model_copy(update={"summary": summary}))
            episode.rest_until = None

    def forget(self, at: Moment, whose: Callable[[Stream], bool], why: str) -> Iterator[Alert]:
        """End the episodes of streams whose detectors are gone, and drop what the cool-down held back: nobody could say "back"."""
        for stream, episode in sorted(self._episodes.items(), key=lambda item: item[0]):
            if whose(stream):
                self.suppressed["cooldown"] += episode.held is not None
                episode.held, episode.held_by = None, []
                yield from self.clear(stream, at, f"{stream.subject}: closed, {why}")

    def next_due(self, clock: int) -> int | None:
        """Return the earliest clock <= `clock` at which `expire` has something to do; None when there is nothing."""
        due = [
            t
            for e in self._episodes.values()
            for t in (e.expires, e.rest_until if e.held is not None else None)
            if t is not None and t <= clock
        ]
        return min(due, default=None)

    def expire(self, at: Moment) -> Iterator[Alert]:
        """Do what has become due by `at`: fire what the cool-down held back, end what lasts only so long."""
        for stream, episode in sorted(self._episodes.items(), key=lambda item: item[0]):
            if episode.expires is not None and episode.expires <= at.clock and episode.story is not None:
                episode.expires = None
                yield from self._resolve(stream, episode, at, episode.story)
                episode.rest_until = None
            if episode.held is None or self._resting(episode, at):
                continue
            if episode.firing:
                yield from self._update(stream, episode, at, episode.held)
                episode.held = None
            else:
                episode.deciding, episode.agreeing, episode.held_by = episode.held_by, list(episode.held_by), []
                story, episode.held = episode.held, None
                yield from self._fire(stream, episode, at, story)

    def firing(self) -> list[tuple[Stream, Story]]:
        """Episodes that are firing now, by stream."""
        return sorted(((s, e.story) for s, e in self._episodes.items() if e.firing and e.story is not None), key=lambda item: item[0])

    def _episode(self, stream: Stream) -> _Episode:
        return self._episodes.setdefault(stream, _Episode())

    @staticmethod
    def _resting(episode: _Episode, at: Moment) -> bool:
        return episode.rest_until is not None and at.clock < episode.rest_until

    def _hold(self, episode: _Episode, story: Story) -> None:
        self.suppressed["cooldown"] += episode.held is not None  # only the last of several is told
        episode.held = story

    def _fire(self, stream: Stream, episode: _Episode, at: Moment, story: Story) -> Iterator[Alert]:
        episode.firing, episode.updates = True, 0
        episode.rest_until = at.clock + self._cooldown
        episode.key = alert_key(self._name(stream), at.position)
        episode.told_until = story.index
        yield self._emit(stream, episode, "firing", at, story)

    def _update(self, stream: Stream, episode: _Episode, at: Moment, story: Story) -> Iterator[Alert]:
        if story.onset > episode.told_until:
            episode.updates += 1
            episode.rest_until = at.clock + (self._cooldown << episode.updates)  # a subject that never settles is told ever less often
        episode.told_until = max(episode.told_until, story.index)
        yield self._emit(stream, episode, "updated", at, story)

    def _resolve(self, stream: Stream, episode: _Episode, at: Moment, story: Story) -> Iterator[Alert]:
        begun = episode.story or story
        said = story.model_copy(update={"started_ms": begun.started_ms, "kind": begun.kind, "severity": episode.severity})
        yield self._emit(stream, episode, "resolved", at, said)
        episode.firing, episode.deciding, episode.agreeing = False, [], []
        self.suppressed["cooldown"] += episode.held is not None
        episode.held = None
        episode.rest_until = at.clock + self._cooldown

    def _emit(self, stream: Stream, episode: _Episode, state: State, at: Moment, story: Story) -> Alert:
        episode.sequence += 1
        episode.severity, episode.story = story.severity, story
        self.sent[story.kind, story.severity, state] += 1
        name = self._name(stream)
        return Alert(
            id=alert_id(name, episode.sequence, at.position),
            source=self._source,
            subject=name,
            time=iso(at.time),
            data=AlertData(
                state=state,
                kind=story.kind,
                severity=story.severity,
                model=self._model.name,
                model_version=stream.version,
                segment=stream.segment,
                subject=stream.subject,
                alert_key=episode.key,
                stream=name,
                sequence=episode.sequence,
                started_at=iso(story.started_ms),
                detected_at=iso(at.time),
                summary=story.summary,
                evidence=story.evidence,
                effect=story.effect,
                owner=self._model.owner,
                runbook=self._model.runbook,
                reference=story.reference,
                config=self._hash,
                position=AlertPosition(**at.position._asdict()),
            ),
        )

    def _name(self, stream: Stream) -> str:
        return stream_name(self._model.name, *stream)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; JSON values only."""
        return {
            "episodes": [{"stream": list(s), "episode": _plain(e)} for s, e in sorted(self._episodes.items(), key=lambda item: item[0])],
            "sent": [{"kind": k, "severity": v, "state": s, "n": n} for (k, v, s), n in sorted(self.sent.items())],
            "suppressed": dict(self.suppressed),
        }


def _severity(episode: _Episode, watching: int) -> Severity:
    """Agreement of detectors raises the severity; it never gates."""
    return "critical" if watching >= 3 and len(episode.agreeing) >= watching else episode.severity if episode.firing else "warning"


def _plain(episode: _Episode) -> dict[str, Any]:
    plain: dict[str, Any] = {f.name: getattr(episode, f.name) for f in fields(episode)}
    for name in ("deciding", "agreeing", "held_by"):
        plain[name] = list(plain[name])
    for name in ("story", "held"):
        story: Story | None = plain[name]
        plain[name] = None if story is None else story.model_dump(mode="json", by_alias=True)
    return plain


def _restored(plain: Mapping[str, Any]) -> _Episode:
    values = {f.name: plain[f.name] for f in fields(_Episode)}
    for name in ("story", "held"):
        values[name] = None if plain[name] is None else Story.model_validate(plain[name])
    return _Episode(**values)
