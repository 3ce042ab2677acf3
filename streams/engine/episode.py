"""One stream's alert state: what is firing, what was told of it, what the cool-down holds back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from schemas.alerts import Severity
from schemas.events import Position
from streams.engine.story import Story

__all__ = ["ALL", "Episode", "Moment", "Stream", "as_plain", "is_over", "of_plain"]

#: Segment of a stream that has every row.
ALL = "all"
_LISTS = ("deciding", "agreeing", "early", "recalled_by", "held_by")
_STORIES = ("story", "sure", "past", "recalled", "held")
#: Provisional changes of a stream that wait to be confirmed or withdrawn; of more, the oldest are left as they were told.
_MOST_SUSPECTED = 8


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
class Episode:
    """Lives as long as its stream, because sequence numbers do."""

    sequence: int = 0
    firing: bool = False
    key: str = ""
    severity: Severity = "warning"
    told_until: int = -1  # index at which the last change was told
    updates: int = 0  # further changes told in this episode
    deciding: list[str] = field(default_factory=list)  # detectors that are to say "back"
    agreeing: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)  # detectors of this stream that see part of the labels: what they say is provisional
    story: Story | None = None  # what was told last
    sure: Story | None = None  # what was told last in this episode that is not provisional
    suspected: list[Story] = field(default_factory=list)  # provisional changes that were told, and neither confirmed nor withdrawn
    past: Story | None = (
        None  # provisional and unconfirmed when its detectors said "back"; until `index`, and probably no longer so from `onset`
    )
    past_onset: int = 0  # when that began
    recalled: Story | None = None  # a sure change that is probably the past one
    recalled_by: list[str] = field(default_factory=list)
    held: Story | None = None
    held_by: list[str] = field(default_factory=list)
    rest_until: int | None = None  # clock before which no change is told
    rest_provisional: bool = False  # begun by a provisional change: others need not wait
    expires: int | None = None

    def resting(self, clock: int, story: Story) -> bool:
        """Whether the cool-down holds this change back."""
        if self.rest_until is None or clock >= self.rest_until:
            return False
        return not self.rest_provisional or story.provisional is True

    def rest(self, until: int, story: Story) -> None:
        """Let the cool-down that `story` begins last until a clock."""
        self.rest_until, self.rest_provisional = until, story.provisional is True

    def is_further(self, story: Story) -> bool:
        """Whether the change began after the last that was told; what is sure is a repetition only of what was sure."""
        if story.provisional:
            return story.onset > self.told_until
        return self.sure is None or story.onset > self.sure.index

    def confirms(self, story: Story) -> bool:
        """Whether this is, for sure, a change that was suspected."""
        return not story.provisional and any(_same(story, suspected) for suspected in self.suspected)

    def tell(self, story: Story) -> None:
        """Note that a change is told."""
        self.told_until = max(self.told_until, story.index)
        if story.provisional:
            self.suspected = [*self.suspected, story][-_MOST_SUSPECTED:]
        else:
            self.sure = story
            self.suspected = [suspected for suspected in self.suspected if not _same(story, suspected)]

    def let_go(self, back: Story) -> None:
        """Note that what was suspected, and nobody has confirmed, is over."""
        if self.suspected and self.sure is None:
            self.past, self.past_onset = back, self.suspected[0].onset

    def repeats(self, story: Story) -> bool:
        """Whether a sure change is what was suspected, told, and over before it could be confirmed."""
        if story.provisional or self.past is None:
            return False
        return story.onset <= self.past.index and self.past_onset <= story.index

    def lasts(self, frontier_ms: int) -> bool:
        """Whether the past change would have been over for sure labels too: they have had twice the time that its end took to be found."""
        return self.past is not None and frontier_ms > 3 * self.past.index - 2 * self.past.onset

    def standing(self) -> Story | None:
        """The last change told that was not withdrawn."""
        return max((story for story in (self.sure, *self.suspected) if story is not None), key=lambda story: story.index, default=None)

    def rate(self, watching: int, *, provisional: bool | None) -> Severity:
        """Agreement of all detectors raises the severity; it never gates, and a provisional change is not made critical."""
        if not provisional and watching >= 3 and len(self.agreeing) >= watching:
            return "critical"
        return self.severity if self.firing else "warning"


def _same(sure: Story, suspected: Story) -> bool:
    """Whether two detectors tell of one change: what they looked at overlaps, or lies no further apart than it took them to find it.

    Of a small change the onset is a guess; a suspicion may date it after the sure detector has found it.
    """
    slack = (sure.index - sure.onset) + (suspected.index - suspected.onset)
    return sure.onset <= suspected.index and suspected.onset <= sure.index + slack


def is_over(story: Story, frontier_ms: int) -> bool:
    """Whether a provisional change would have been confirmed by now: sure labels have had twice the time that it took to be found."""
    return story.provisional is True and frontier_ms > 2 * story.index - story.onset


def as_plain(episode: Episode) -> dict[str, Any]:
    """Make JSON values of an episode."""
    plain: dict[str, Any] = {f.name: getattr(episode, f.name) for f in fields(episode)}
    for name in _LISTS:
        plain[name] = list(plain[name])
    for name in _STORIES:
        story: Story | None = plain[name]
        plain[name] = None if story is None else story.model_dump(mode="json", by_alias=True)
    plain["suspected"] = [story.model_dump(mode="json", by_alias=True) for story in episode.suspected]
    return plain


def of_plain(plain: Mapping[str, Any]) -> Episode:
    """Make an episode of what `as_plain` returned."""
    values = {f.name: plain[f.name] for f in fields(Episode)}
    for name in _STORIES:
        values[name] = None if plain[name] is None else Story.model_validate(plain[name])
    values["suspected"] = [Story.model_validate(story) for story in plain["suspected"]]
    return Episode(**values)
