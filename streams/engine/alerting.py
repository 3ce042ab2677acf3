"""The life of an alert: one episode fires once, is updated when it changes in kind, and is resolved with hysteresis.

===========  ============================================  =========================================================================
state        what happens                                  then
===========  ============================================  =========================================================================
quiet        a deciding detector finds a change            ``firing``
firing       a further change, begun after the last told   ``updated``; not within the cool-down, which doubles with each
firing       all of the subject's detectors agree          ``updated``, once, severity critical
firing       another detector finds the same change        noted as agreeing, nothing sent
firing       every detector that fired says "back"         ``resolved``; the subject rests for the cool-down
resting      a deciding detector finds a change            held; ``firing`` when the cool-down ends, unless it went back
===========  ============================================  =========================================================================

A stream of outcomes has several series. Those of a certain age have part of the labels, and what they find is *provisional*; the matured
series has them all, and is *sure*. A provisional change fires, is updated and rests like any other, never becomes critical, and is
*suspected* until:

===========  ============================================  =========================================================================
suspected    a sure change that overlaps it                ``updated``, "confirmed", at once, whatever the cool-down
suspected    sure labels have gone past it without one     ``updated``, "withdrawn"; then ``resolved`` where nothing else stands
suspected    every detector that fired says "back"         ``resolved``, still provisional
resolved     a sure change that overlaps what was over     nothing, if sure labels too see its end; else ``firing``
firing       a sure change that overlaps nothing suspected  as any further change: ``updated``
resting      a sure change, and only suspicions were told  ``firing`` at once: a suspicion never delays what is sure
===========  ============================================  =========================================================================

Time is the clock of the released rows. Sequence numbers are gap-free within a stream, for ever; ids are functions of the input.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from schemas.alerts import Alert, Kind, State, alert_key, iso, stream_name
from schemas.config import Model
from streams.engine.episode import Episode, Moment, Stream, as_plain, is_over, of_plain
from streams.engine.story import Story
from streams.engine.telling import alert_of

__all__ = ["AlertPolicy", "Moment", "Stream"]


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
        self._model, self._application, self._cooldown = model, application, cooldown_ms
        self._hash = model.config_hash
        self._episodes: dict[Stream, Episode] = {}
        self.sent: Counter[tuple[str, str, str]] = Counter()
        self.suppressed: Counter[str] = Counter()
        if state is not None:
            self._episodes = {Stream(*e["stream"]): of_plain(e["episode"]) for e in state["episodes"]}
            self.sent.update({(s["kind"], s["severity"], s["state"]): s["n"] for s in state["sent"]})
            self.suppressed.update(state["suppressed"])
        self._kinds: Counter[Kind] = Counter(story.kind for _, story in self.firing())

    def change(
        self, stream: Stream, at: Moment, detector: str, story: Story, *, agreeing: tuple[str, ...] = (), watching: int = 0
    ) -> Iterator[Alert]:
        """A deciding detector says that the stream has changed."""
        episode = self._episode(stream)
        if story.provisional:
            episode.early = sorted({*episode.early, detector})
        mine = () if story.provisional else (detector, *agreeing)
        if episode.firing:
            confirms, further = episode.confirms(story), episode.is_further(story)
            episode.deciding = sorted({*episode.deciding, detector})
            episode.agreeing = sorted({*(() if further and not confirms else episode.agreeing), *mine})
            severity = episode.rate(watching, provisional=story.provisional)
            if confirms:
                said = {"severity": severity, "summary": f"confirmed: {story.summary}"}
                yield from self._update(stream, episode, at, story.model_copy(update=said))
            elif further and episode.resting(at.clock, story):
                self._hold(episode, story)
            elif further or severity != episode.severity:
                yield from self._update(stream, episode, at, story.model_copy(update={"severity": severity}))
        elif episode.repeats(story):
            episode.recalled, episode.recalled_by = story, sorted({*episode.recalled_by, detector})
        elif episode.resting(at.clock, story):
            self._hold(episode, story)
            episode.held_by = sorted({*episode.held_by, detector})
        else:
            episode.deciding, episode.agreeing = [detector], sorted(set(mine))
            severity = episode.rate(watching, provisional=story.provisional)
            yield from self._fire(stream, episode, at, story.model_copy(update={"severity": severity}))

    def agree(self, stream: Stream, at: Moment, detector: str, story: Story, *, watching: int) -> Iterator[Alert]:
        """A detector that only explains sees a change: if it is the one that was told, it may raise the episode's severity."""
        episode = self._episode(stream)
        if not episode.firing or episode.story is None or detector in episode.agreeing or story.provisional:
            return
        if story.index < episode.story.onset or story.onset > episode.told_until:  # another change: before this one, or after it
            return
        episode.agreeing = sorted({*episode.agreeing, detector})
        severity = episode.rate(watching, provisional=episode.story.provisional)
        now = {(e.detector, e.series) for e in story.evidence}
        told = tuple(e for e in episode.story.evidence if (e.detector, e.series) not in now) + story.evidence
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
        if detector in episode.recalled_by:
            episode.recalled, episode.recalled_by = None, []
            self.suppressed["repeated"] += 1
        if not episode.firing or detector not in episode.deciding:
            return
        episode.deciding.remove(detector)
        if not episode.deciding:
            episode.let_go(story)
            yield from self._resolve(stream, episode, at, story)
        elif episode.held is not None and episode.held.provisional and not set(episode.deciding) & set(episode.early):
            self._drop_held(episode)

    def settle(self, stream: Stream, at: Moment, frontier_ms: int) -> Iterator[Alert]:
        """Sure labels have been watched up to a prediction time: withdraw what they would have confirmed by now.

        Parameters
        ----------
        frontier_ms : int
            All that is sure about predictions up to this time has been told.
        """
        episode = self._episodes.get(stream)
        if episode is None:
            return
        if episode.held is not None and is_over(episode.held, frontier_ms):
            self._drop_held(episode)
        if episode.recalled is not None and episode.lasts(frontier_ms):
            story, by = episode.recalled, episode.recalled_by
            episode.recalled, episode.recalled_by, episode.past = None, [], None
            for detector in by:
                yield from self.change(stream, at, detector, story)
        withdrawn = [story for story in episode.suspected if is_over(story, frontier_ms)]
        if not withdrawn:
            return
        episode.suspected = [story for story in episode.suspected if story not in withdrawn]
        if not episode.suspected:
            episode.deciding = [detector for detector in episode.deciding if detector not in episode.early]
        why = f"by {iso(frontier_ms)[:16].replace('T', ' ')} all labels had come, and do not show it"
        for story in withdrawn:
            said = {"summary": f"withdrawn: {story.summary}; {why}", "severity": episode.severity}
            yield self._emit(stream, episode, "updated", at, story.model_copy(update=said))
        if not episode.deciding:
            yield from self._resolve(
                stream, episode, at, withdrawn[-1].model_copy(update={"summary": f"{stream.subject}: withdrawn, {why}"})
            )
        else:
            episode.story = episode.standing() or episode.story

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
                self._drop_held(episode)
                episode.past, episode.recalled, episode.recalled_by = None, None, []
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
            if episode.held is None or episode.resting(at.clock, episode.held):
                continue
            story, episode.held = episode.held, None
            if episode.firing:
                yield from self._update(stream, episode, at, story)
            else:
                episode.deciding, episode.held_by = episode.held_by, []
                episode.agreeing = [detector for detector in episode.deciding if detector not in episode.early]
                yield from self._fire(stream, episode, at, story)

    def firing(self) -> list[tuple[Stream, Story]]:
        """Episodes that are firing now, by stream."""
        return sorted(((s, e.story) for s, e in self._episodes.items() if e.firing and e.story is not None), key=lambda item: item[0])

    def _episode(self, stream: Stream) -> Episode:
        return self._episodes.setdefault(stream, Episode())

    def _hold(self, episode: Episode, story: Story) -> None:
        """Keep a change for later: only the last of several is told, but a suspicion does not displace what is sure."""
        self.suppressed["cooldown"] += episode.held is not None
        if episode.held is None or episode.held.provisional or not story.provisional:
            episode.held = story

    def _drop_held(self, episode: Episode) -> None:
        self.suppressed["cooldown"] += episode.held is not None
        episode.held, episode.held_by = None, []

    def _fire(self, stream: Stream, episode: Episode, at: Moment, story: Story) -> Iterator[Alert]:
        episode.firing, episode.updates = True, 0
        episode.deciding, episode.held_by = sorted({*episode.deciding, *episode.held_by}), []
        episode.rest(at.clock + self._cooldown, story)
        episode.key = alert_key(stream_name(self._model.name, *stream), at.position)
        episode.told_until, episode.sure = -1, None
        yield self._tell(stream, episode, "firing", at, story)

    def _update(self, stream: Stream, episode: Episode, at: Moment, story: Story) -> Iterator[Alert]:
        if episode.confirms(story):
            episode.rest(at.clock + self._cooldown, story)
        elif episode.is_further(story):
            episode.updates += 1
            episode.rest(at.clock + (self._cooldown << episode.updates), story)  # a subject that never settles is told ever less often
        yield self._tell(stream, episode, "updated", at, story)

    def _tell(self, stream: Stream, episode: Episode, state: State, at: Moment, story: Story) -> Alert:
        episode.tell(story)
        if episode.held is not None and not episode.is_further(episode.held):
            self._drop_held(episode)
        return self._emit(stream, episode, state, at, story)

    def _resolve(self, stream: Stream, episode: Episode, at: Moment, story: Story) -> Iterator[Alert]:
        begun = episode.standing() or episode.story or story
        kept = {"started_ms": begun.started_ms, "kind": begun.kind, "severity": episode.severity}
        said = story.model_copy(update={**kept, "provisional": (episode.sure or begun).provisional})
        yield self._emit(stream, episode, "resolved", at, said)
        episode.firing, episode.deciding, episode.agreeing, episode.suspected = False, [], [], []
        self._drop_held(episode)
        episode.rest(at.clock + self._cooldown, said)

    def _emit(self, stream: Stream, episode: Episode, state: State, at: Moment, story: Story) -> Alert:
        episode.sequence += 1
        if state != "firing" and episode.story is not None:
            self._kinds[episode.story.kind] -= 1
        if state != "resolved":
            self._kinds[story.kind] += 1
        episode.severity, episode.story = story.severity, story
        self.sent[story.kind, story.severity, state] += 1
        also = {kind: n for kind, n in sorted(self._kinds.items()) if n and kind != story.kind}
        return alert_of(self._model, self._hash, self._application, stream, episode, state, at, story, also)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; JSON values only."""
        return {
            "episodes": [{"stream": list(s), "episode": as_plain(e)} for s, e in sorted(self._episodes.items(), key=lambda item: item[0])],
            "sent": [{"kind": k, "severity": v, "state": s, "n": n} for (k, v, s), n in sorted(self.sent.items())],
            "suppressed": dict(self.suppressed),
        }
