"""One model's way from messages to alerts.

Sequencer → monitors and feed (by column) → everything that they say, sorted by row → alert policy (by row).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from schemas.alerts import Alert, iso
from schemas.config import Config, Model
from schemas.events import RESERVED_SUBJECTS, Int64Array, Message, Position, Role
from streams.engine.alerting import AlertPolicy, Moment, Stream
from streams.engine.episode import ALL
from streams.engine.faults import FaultCounts
from streams.engine.feed import FEED, INSTANT_MS, Clear, Feed, Raise, feed_stream
from streams.engine.group import Observation
from streams.engine.join.chunk import Arrays
from streams.engine.monitors import Crowded, Gone, GroupKey, Learnt, Monitors, References, Seen, Unreferenced
from streams.engine.outcomes import COVERAGE_LOW, Judged, Outcomes, Settled
from streams.engine.release import Release
from streams.engine.roster import MOST_VERSIONS, REMINDED_AFTER_MS, RETIRED_AFTER_MS
from streams.engine.rows import PREDICTION_COLUMNS, position_at, rows_of, time_at
from streams.engine.sequencer import Sequencer
from streams.engine.stats import ActiveAlert, ModelStats, SourceStats
from streams.engine.story import Story

__all__ = ["Pipeline"]

#: Changes when groups, learners or detectors store themselves in another shape: then they begin anew, as with another configuration.
MONITORS_FORMAT = 2
ROLES: tuple[Role, ...] = ("features", "predictions", "labels")
Told: TypeAlias = Raise | Clear | Seen | Gone | Judged | Settled


class Pipeline:
    """Everything about one model: order, monitors, outcomes, feed, alerts.

    Parameters
    ----------
    config : Config
        The whole configuration.
    model : Model
        This model's section.
    references : mapping
        References that were loaded from files.
    arrays : Arrays, optional
        Where columns of predictions that wait for their labels are kept; in memory when None.
    state : mapping, optional
        What `state` returned. When the model's configuration, its references or the shape of the monitors' state have changed
        since, the cursors, the rows held back and the alert numbers are kept, all detectors start anew, and a ``monitoring``
        event says so.
    """

    def __init__(
        self,
        config: Config,
        model: Model,
        references: References,
        *,
        arrays: Arrays | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self._model = model
        hashes = sorted(r.content_hash for (name, _), r in references.items() if name == model.name)
        self._identity = [f"monitors {MONITORS_FORMAT}", model.config_hash, *hashes]
        options = config.engine
        saved: Mapping[str, Any] = state or {}
        same = saved.get("identity") == self._identity
        self._reset = bool(saved) and (saved["reset"] or not same)
        self._sequencer = (
            Sequencer.from_state(saved["sequencer"], grace_ms=options.grace, max_hold=options.max_hold)
            if saved
            else Sequencer(grace_ms=options.grace, max_hold=options.max_hold)
        )
        self._feed = Feed(options.silence, saved.get("feed"))
        self._policy = AlertPolicy(model, application=config.application, cooldown_ms=config.alerts.cooldown, state=saved.get("policy"))
        self._monitors = Monitors(model, references, saved["monitors"] if same else None)
        self._outcomes: Outcomes | None = None
        if model.joins_labels:
            self._outcomes = Outcomes(
                model,
                max_pending=options.max_pending,
                in_memory=options.pending_in_memory,
                catch_up_ms=options.silence,
                arrays=arrays,
                state=saved.get("outcomes"),
                same=same,
            )
        self._faults = FaultCounts(saved.get("faults"))
        self._rows: Counter[Role] = Counter(saved.get("rows", {}))
        clock, time, position = saved.get("last", (0, 0, ("", 0, 0)))
        self._last = Moment(clock, time, Position(*position))

    def process(self, messages: Sequence[Message]) -> list[Alert]:
        """Take messages of this model, in journal order; return the alerts they lead to."""
        for message in messages:
            self._feed.hear(message, self._sequencer.push(message), self._sequencer.counts.released)
        alerts: list[Alert] = []
        if (release := self._sequencer.release()) is not None:
            alerts += self._tell_silence(release.first_row)
            alerts += self._apply(release)
        alerts += self._tell_silence(self._sequencer.counts.released)
        return alerts

    def _tell_silence(self, gone: int) -> Iterator[Alert]:
        if (silent := self._feed.silent(gone, self._last.time)) is not None:
            yield from self._tell(silent, self._last)

    def _apply(self, release: Release) -> Iterator[Alert]:
        clocks = np.maximum.accumulate(np.maximum(release.clocks, self._last.clock))
        yield from self._begin_anew(_moment(release, clocks, 0))
        told: list[Told] = [*self._feed.released(release, clocks), *self._of_monitors(release, clocks)]
        if self._outcomes is not None:
            told += self._outcomes.process(release, clocks, self._feed.silences)
        told.sort(key=_in_order)
        self._count(release)
        done = 0
        for what in told:
            yield from self._expire(release, clocks, done, what.row)
            done = what.row
            yield from self._tell(what, _moment(release, clocks, what.row))
        yield from self._expire(release, clocks, done, release.n - 1)
        self._last = _moment(release, clocks, release.n - 1)

    def _expire(self, release: Release, clocks: Int64Array, done: int, until: int) -> Iterator[Alert]:
        """Let the policy do what becomes due between two rows, each thing at the first row whose clock has come."""
        while (due := self._policy.next_due(int(clocks[until]))) is not None:
            row = max(int(np.searchsorted(clocks, due)), done)
            yield from self._policy.expire(_moment(release, clocks, row))

    def _tell(self, what: Told, at: Moment) -> Iterator[Alert]:
        match what:
            case Raise():
                since = at.time if what.since_ms is None else what.since_ms
                story = Story(kind=what.kind, severity=what.severity, started_ms=since, onset=0, index=0, cause="", summary=what.summary)
                yield from self._policy.event(what.stream, at, story, lasting_ms=what.lasting_ms)
            case Clear():
                yield from self._policy.clear(what.stream, at, what.summary)
            case Gone():
                days = RETIRED_AFTER_MS // 86_400_000
                why = f"version {what.version!r} has had no {what.role} for {days} days, and another version takes its place"
                yield from self._policy.forget(at, lambda stream: _is_of(stream, what), why)
            case Settled():
                yield from self._policy.settle(what.stream, at, what.until_ms)
            case Seen(key=key, observation=observation):
                yield from self._observed(Stream(key.version, key.segment, observation.subject), observation, at)
            case Judged():
                yield from self._observed(what.stream, what.observation, at)

    def _observed(self, stream: Stream, seen: Observation, at: Moment) -> Iterator[Alert]:
        if not seen.decides:
            if seen.finding.change == "change":
                yield from self._policy.agree(stream, at, seen.detector, seen.story, watching=seen.watching)
        elif seen.finding.change == "change":
            yield from self._policy.change(stream, at, seen.detector, seen.story, agreeing=seen.agreeing, watching=seen.watching)
        else:
            said = f"{seen.subject}: like the reference again since about {iso(seen.story.started_ms)[:16].replace('T', ' ')}"
            yield from self._policy.back(stream, at, seen.detector, seen.story.model_copy(update={"summary": said}))

    def _of_monitors(self, release: Release, clocks: Int64Array) -> Iterator[Told]:
        for role in ROLES[:2]:
            rows = rows_of(release, role)
            if rows is None:
                continue
            for told in self._monitors.process(rows, clocks[rows.at]):
                match told:
                    case Seen() | Gone():
                        yield told
                    case Crowded():
                        yield _of_crowded(told)
                    case Unreferenced(key=key) if key.segment == ALL:
                        yield _of_unreferenced(told)
                    case Learnt(row, key, reference) if key.segment == ALL:
                        said = f"{role}: watching begins; the reference was learnt from {reference.origin} ({reference.content_hash})"
                        yield Clear(row, _reference_stream(key), said)

    def _begin_anew(self, at: Moment) -> Iterator[Alert]:
        """At the first row after a change of the configuration or a reference: say that the detectors know nothing any more."""
        if not self._reset:
            return
        self._reset = False
        why = "its detectors begin anew after a change of the configuration or the reference"
        yield from self._policy.forget(at, lambda stream: stream.version != FEED or stream.subject in RESERVED_SUBJECTS, why)
        said = f"{self._model.name}: the configuration, a reference or driftsonde itself has changed; all detectors begin anew"
        yield from self._tell(Raise(0, feed_stream("state"), "monitoring", "info", said, lasting_ms=INSTANT_MS), at)

    def _count(self, release: Release) -> None:
        for piece in release.pieces:
            for role in piece.block.roles:
                self._rows[role] += len(piece)
        self._faults.take(release)

    def stats(self) -> ModelStats:
        """Counters as they stand."""
        firing = self._policy.firing()
        counts = self._sequencer.counts
        stats = ModelStats(
            model=self._model.name,
            rows={role: self._rows[role] for role in ROLES if role in self._rows},
            duplicates=counts.duplicates,
            late=counts.late,
            forced=counts.forced,
            gaps=counts.gaps,
            held=self._sequencer.held,
            last_time_ms=self._last.time,
            subjects=self._monitors.subjects(),
            drifted=sum(story.kind in ("feature_drift", "prediction_drift", "data_quality") for _, story in firing),
            sources=tuple(SourceStats(*p.source, p.cursor, p.clock, p.held, p.rows, p.idle, p.stalled) for p in self._sequencer.progress()),
            faults=dict(self._faults.counts + self._monitors.faults),
            unmonitored=dict(self._monitors.unmonitored),
            alerts=dict(self._policy.sent),
            suppressed=dict(self._policy.suppressed),
            active=tuple(ActiveAlert(*stream, story.kind, story.severity) for stream, story in firing),
            scores=self._monitors.scores(),
            references=self._monitors.references(),
        )
        return stats if self._outcomes is None else self._outcomes.fill(stats)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: nested dict of JSON values, bytes and numpy arrays."""
        return {
            "identity": self._identity,
            "reset": self._reset,
            "sequencer": self._sequencer.state(),
            "feed": self._feed.state(),
            "policy": self._policy.state(),
            "monitors": self._monitors.state(),
            "outcomes": None if self._outcomes is None else self._outcomes.state(),
            "faults": self._faults.state(),
            "rows": dict(self._rows),
            "last": [self._last.clock, self._last.time, list(self._last.position)],
        }


def _in_order(what: Told) -> tuple[Any, ...]:
    """By row; at one row first what ends, then what begins, then observations by subject, those that decide first."""
    match what:
        case Clear():
            return (what.row, 0, *what.stream)
        case Raise():
            return (what.row, 1, *what.stream)
        case Gone():
            return (what.row, 0, what.version, what.role)
        case Seen(observation=seen):
            return (what.row, 2, *what.key, seen.subject, not seen.decides, seen.detector)
        case Judged() | Settled():  # of several cohorts that close at one row, in their own order
            return (what.row, 3, what.place)


def _is_of(stream: Stream, gone: Gone) -> bool:
    role = "features"
    if stream.subject in (*PREDICTION_COLUMNS, "reference of predictions"):
        role = "predictions"
    elif stream.subject in RESERVED_SUBJECTS or stream.subject == COVERAGE_LOW:
        role = "labels"
    return stream.version == gone.version and role == gone.role


def _of_crowded(told: Crowded) -> Raise:
    said = (
        f"{told.role}: more than {MOST_VERSIONS} model versions that the configuration does not name; rows of further ones are NOT watched"
        " (does the version field hold something else?)"
    )
    return Raise(told.row, feed_stream(f"versions of {told.role}"), "monitoring", "warning", said, lasting_ms=REMINDED_AFTER_MS)


def _of_unreferenced(told: Unreferenced) -> Raise:
    of = f"{told.key.role} of version {told.key.version!r}"
    if told.rows:
        said = f"{of} have no reference: it is being learnt from the next {told.rows} rows, and nothing is watched until then"
        return Raise(told.row, _reference_stream(told.key), "monitoring", "info", said)
    said = f"{of} are NOT watched: they have no reference, and the configuration allows none to be learnt"
    return Raise(told.row, _reference_stream(told.key), "monitoring", "warning", said)


def _reference_stream(key: GroupKey) -> Stream:
    return Stream(key.version, key.segment, f"reference of {key.role}")


def _moment(release: Release, clocks: Int64Array, row: int) -> Moment:
    return Moment(int(clocks[row]), time_at(release, row), position_at(release, row))
