"""What the engine has to say about a model's feed rather than its data: silence, gaps, stalled sources.

Everything is told as `Raise` and `Clear`, at a row of the release: data, which the pipeline hands to the alert policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from schemas.alerts import Kind, Severity, iso
from schemas.events import Int64Array, Message, Source, Tick
from streams.engine.alerting import Stream
from streams.engine.release import Release
from streams.engine.rows import time_at
from streams.engine.sequencer import Fact, Gap, Resumed, Stalled
from streams.engine.silence import SilenceChange, SilenceWatch

__all__ = ["FEED", "INSTANT_MS", "Clear", "Feed", "Raise", "feed_stream"]

#: Stands for the version in alerts about the feed.
FEED = "feed"
#: How long something that happens in an instant is shown as firing, ms of the data's clock.
INSTANT_MS = 600_000
ALL_SOURCES = "all sources"


@dataclass(frozen=True, slots=True)
class Raise:
    """A condition holds from this row on; for `lasting_ms`, or until it is cleared. `since_ms` None means: since this row."""

    row: int
    stream: Stream
    kind: Kind
    severity: Severity
    summary: str
    since_ms: int | None = None
    lasting_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """A condition holds no longer."""

    row: int
    stream: Stream
    summary: str


def feed_stream(subject: str) -> Stream:
    """Stream of alerts about a part of the feed."""
    return Stream(FEED, "all", subject)


class Feed:
    """Watches the sources of one model.

    Parameters
    ----------
    silence_ms : int
        Shortest silence that is reported.
    state : mapping, optional
        What `state` returned.
    """

    def __init__(self, silence_ms: int, state: Mapping[str, Any] | None = None) -> None:
        self._silence = SilenceWatch(silence_ms, None if state is None else state["silence"])
        self._facts: list[Fact] = []
        self.silences: list[SilenceChange] = []  # at the rows of the newest release
        self._silent_after: set[int] = set()  # rows gone when all sources were silent; empty between batches
        if state is not None:
            self._facts = [_FACTS[kind](**{**fields, "source": Source(*fields["source"])}) for kind, fields in state["facts"]]

    def hear(self, message: Message, facts: list[Fact], gone: int) -> None:
        """Note a message, what the sequencer says of it, and how many rows of the model had gone by then."""
        self._silence.hear(message)
        self._facts += facts
        if gone and isinstance(message, Tick) and self._silence.all_silent():
            self._silent_after.add(gone)

    def silent(self, gone: int, last_ms: int) -> Raise | None:
        """The alert that all sources fell silent after `gone` rows, the last one of time `last_ms`, if they did.

        Known only live, by ticks. To be asked for in front of a release, and behind it.
        """
        if gone not in self._silent_after:
            return None
        self._silent_after.remove(gone)
        return _of_all_silent(0, last_ms)

    def released(self, release: Release, clocks: Int64Array) -> Iterator[Raise | Clear]:
        """Yield what there is to say at the rows of a release."""
        yield Clear(0, feed_stream(ALL_SOURCES), _HEARD_AGAIN)
        end = release.first_row + release.n
        for gone in sorted(gone for gone in self._silent_after if gone < end):
            self._silent_after.remove(gone)
            after = gone - release.first_row
            yield _of_all_silent(after - 1, time_at(release, after - 1))
            yield Clear(after, feed_stream(ALL_SOURCES), _HEARD_AGAIN)
        waiting = []
        for fact in self._facts:
            row = _row_of(release, fact)
            if row is None:
                waiting.append(fact)
            else:
                yield _of_fact(fact, row)
        self._facts = waiting
        self.silences = list(self._silence.released(release, clocks))
        yield from map(_of_silence, self.silences)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; JSON values only."""
        facts = [[type(f).__name__, {**asdict(f), "source": list(f.source)}] for f in self._facts]
        return {"silence": self._silence.state(), "facts": facts}


_HEARD_AGAIN = f"{ALL_SOURCES}: heard again"
_FACTS: dict[str, type[Gap] | type[Stalled] | type[Resumed]] = {kind.__name__: kind for kind in (Gap, Stalled, Resumed)}


def _of_all_silent(row: int, since_ms: int) -> Raise:
    return Raise(row, feed_stream(ALL_SOURCES), "silence", "warning", f"{ALL_SOURCES}: nothing since {iso(since_ms)}", since_ms)


def _of_fact(fact: Fact, row: int) -> Raise | Clear:
    name = f"{fact.source.topic}/{fact.source.partition}"
    match fact:
        case Gap(expected=expected, found=found):
            said = f"{name}: offsets {expected} to {found - 1} never came (retention, or a position that was reset)"
            return Raise(row, feed_stream(f"gap {name}"), "monitoring", "warning", said, lasting_ms=INSTANT_MS)
        case Stalled():
            said = f"{name}: neither rows nor ticks while others go on; the rest goes on without it"
            return Raise(row, feed_stream(f"stalled {name}"), "monitoring", "warning", said)
        case Resumed():
            return Clear(row, feed_stream(f"stalled {name}"), f"{name}: heard again")


def _of_silence(change: SilenceChange) -> Raise | Clear:
    name = f"{change.source.topic}/{change.source.partition}"
    if not change.silent:
        return Clear(change.row, feed_stream(name), f"{name}: heard again")
    said = f"{name}: nothing since {iso(change.since_ms)} while other sources go on"
    return Raise(change.row, feed_stream(name), "silence", "warning", said, change.since_ms)


def _row_of(release: Release, fact: Fact) -> int | None:
    """The row of the release at which a fact is told; None when that row has not been released yet.

    A gap belongs to its source's first row behind it, wherever that row comes to lie; the others have their place in the journal.
    """
    if not isinstance(fact, Gap):
        row = fact.row - release.first_row
        return row if row < release.n else None
    a = 0
    for piece in release.pieces:
        offsets = piece.block.offsets[piece.lo : piece.hi]
        if piece.block.source == fact.source and offsets[-1] >= fact.found:
            i = a + int(np.searchsorted(offsets, fact.found))
            return i if release.order is None else int(np.flatnonzero(release.order == i)[0])
        a += piece.hi - piece.lo
    return None
