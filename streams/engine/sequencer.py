"""Puts the rows of one model into one order, whatever the order in which its sources were read.

A *source* is one partition of one topic. The rules, whose reasons stand in DESIGN.md:

- Q1 A row's *clock* is the running maximum of the record timestamps of this model's rows in its source, kept in the state. Its
  *key* is (clock, topic, partition, offset).
- Q2 A source's *frontier* is its clock: what is still to come from it has no lower one. Rows go when their key is below the
  frontier of every other source, in key order. A single source is never held back.
- Q3 The sources are announced; a further announcement adds to them. Before the first, everything is held. A source that has sent
  no row holds back all others. One that sends without having been announced counts as announced.
- Q4 A source's *cursor* is the offset up to which it has been seen; its first block or tick sets it. A block that starts above it
  is a gap: reported, counted. Rows below it are duplicates: skipped, counted. A tick moves it, and is no gap.
- Q5 A tick changes when rows go, never in which order, unless a row is late. One whose end lies below the cursor is old news: it
  shows that stage 1 is there, not that the source is at its end.
- Q6 A source is *idle* when its last tick says that it has been at its end for the grace or longer, and no rows came since. Its
  frontier is then max(clock, L - grace), L the greatest clock of all. When every source is idle, everything goes.
- Q7 A row whose key is below that of a row already gone is *late*: it goes at once, marked, counted.
- Q8 No clock is doubted here: stage 1 has already refused records from the future, and rows that aren't there move no clock.
- Q9 At most `max_hold` rows are held; the rest goes in key order and is counted as forced. A source not heard of in 30 beats is
  *stalled*: reported, and treated as idle until it is heard again. A *beat* passes when a source ticks that has already ticked in
  the present one; as each source ticks once a second, that is a second of the others' ticks, told by the journal alone.
- Q10 Silence is judged elsewhere, by the clocks of released rows.
- Q11 A source that has ended has an infinite frontier.

What goes, and in which order, is decided in `push`; `release` only hands it over. So how often it is called changes nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.errors import InvariantError
from schemas.events import Announcement, Block, End, Int64Array, Message, Source, Tick
from streams.engine import held
from streams.engine.facts import Counts, Fact, Gap, Progress, Resumed, Stalled
from streams.engine.lane import FOREVER, NEVER, Lane, running_clock
from streams.engine.release import Piece, Release, merge

__all__ = ["Counts", "Fact", "Gap", "Piece", "Progress", "Release", "Resumed", "Sequencer", "Stalled"]

#: Beats, which are seconds of the others' ticks, after which a source that says nothing is stalled.
STALLED_AFTER = 30


class Sequencer:
    """The order of one model's rows.

    Parameters
    ----------
    grace_ms : int
        How long a source may be at its end before the others go on without it. >= 0.
    max_hold : int
        Rows held at most. >= 1.
    """

    def __init__(self, *, grace_ms: int, max_hold: int) -> None:
        self._grace = grace_ms
        self._max_hold = max_hold
        self._lanes: list[Lane] = []  # by source: the order that breaks ties between equal clocks
        self._announced = False
        self._greatest = NEVER
        self._top = (NEVER, Source("", -1))  # clock and source of the greatest key gone; within a source, offsets only grow
        self._beat = 0
        self._gone = self._handed_over = self._held = 0
        self._duplicates = self._late = self._forced = self._gaps = 0
        self._runs: list[list[Piece]] = [[]]  # gone, not handed over; each run goes in key order, late rows are a run of their own

    def push(self, message: Message) -> list[Fact]:
        """Take a message of this model; return what the monitor should tell about its own sources.

        Raises
        ------
        InvariantError
            New rows of a source that has ended.
        """
        facts: list[Fact] = []
        match message:
            case Announcement(sources=sources):
                self._announced = True
                for source in sources:
                    self._lane(source)
            case Block():
                self._read(message, self._hear(message.source, facts), facts)
            case Tick():
                self._count_beat(self._lane(message.source), facts)  # a tick that begins a beat belongs to it
                lane = self._hear(message.source, facts)
                cursor = lane.cursor or 0
                lane.idle = message.idle_ms >= self._grace and message.end >= cursor
                lane.cursor = max(message.end, cursor)
            case End():
                self._hear(message.source, facts).ended = True
        if self._held:
            self._let_go()
        return facts

    def release(self) -> Release | None:
        """Hand over all rows that have gone since the last call, in order; None when there are none."""
        runs = [run for run in self._runs if run]
        if not runs:
            return None
        release = merge(runs, self._handed_over)
        self._runs = [[]]
        self._handed_over = self._gone
        return release

    @property
    def held(self) -> int:
        """Rows that wait now."""
        return self._held

    @property
    def counts(self) -> Counts:
        """What became of the rows since the beginning."""
        return Counts(self._gone, self._duplicates, self._late, self._forced, self._gaps)

    def progress(self) -> tuple[Progress, ...]:
        """How far each source has come, by topic and partition."""
        return tuple(lane.progress() for lane in self._lanes)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: JSON values and arrays.

        Raises
        ------
        InvariantError
            Rows have gone that `release` has not handed over; they would be lost.
        """
        if self._gone > self._handed_over:
            raise InvariantError(f"{self._gone - self._handed_over} rows were not handed over; expected release() before state()")
        return {
            "announced": self._announced,
            "greatest": self._greatest,
            "top": [self._top[0], *self._top[1]],
            "beat": self._beat,
            "counts": [self._gone, self._duplicates, self._late, self._forced, self._gaps],
            "lanes": [lane.state() for lane in self._lanes],
            "held": held.save([piece for lane in self._lanes for piece in lane.pieces]),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], *, grace_ms: int, max_hold: int) -> Sequencer:
        """Build a sequencer that goes on where the one that gave `state` stood."""
        self = cls(grace_ms=grace_ms, max_hold=max_hold)
        self._announced, self._greatest, self._beat = state["announced"], state["greatest"], state["beat"]
        clock, topic, partition = state["top"]
        self._top = (clock, Source(topic, partition))
        self._gone, self._duplicates, self._late, self._forced, self._gaps = state["counts"]
        self._handed_over = self._gone
        self._lanes = [Lane.from_state(lane) for lane in state["lanes"]]
        for piece in held.load(state["held"]):
            self._lane(piece.block.source).pieces.append(piece)
            self._held += len(piece)
        return self

    def _lane(self, source: Source) -> Lane:
        at = bisect_left(self._lanes, source, key=lambda lane: lane.source)
        if at == len(self._lanes) or self._lanes[at].source != source:
            self._lanes.insert(at, Lane(source, heard=self._beat))
        return self._lanes[at]

    def _hear(self, source: Source, facts: list[Fact]) -> Lane:
        lane = self._lane(source)
        lane.heard = self._beat
        if lane.stalled:
            lane.stalled = False
            facts.append(Resumed(source, self._gone))
        return lane

    def _count_beat(self, ticking: Lane, facts: list[Fact]) -> None:
        if ticking.ticked == self._beat:
            self._beat += 1
            for lane in self._lanes:
                if self._beat - lane.heard >= STALLED_AFTER and not lane.stalled and not lane.ended:
                    lane.stalled = True
                    facts.append(Stalled(lane.source, self._gone))
        ticking.ticked = self._beat

    def _read(self, block: Block, lane: Lane, facts: list[Fact]) -> None:
        cursor = block.start if lane.cursor is None else lane.cursor
        if block.start > cursor:
            self._gaps += 1
            facts.append(Gap(lane.source, cursor, block.start))
        new = int(block.offsets.searchsorted(cursor))
        self._duplicates += new
        lane.cursor = max(block.end, cursor)
        lane.idle = False  # also after duplicates only: stage 1 reads again what it had read, so it is not at the end
        if new < len(block):
            if lane.ended:
                raise InvariantError(f"{block.source}: found rows from offset {block.offsets[new]} on, expected none after its end")
            self._sort_in(block, new, lane)

    def _sort_in(self, block: Block, new: int, lane: Lane) -> None:
        """Let the rows of `block` from `new` on wait for their turn; those that have missed it go at once."""
        clocks = running_clock(block.stamps, new, lane.clock)
        lane.clock = int(clocks[-1])
        self._greatest = max(self._greatest, lane.clock)
        on_time = max(new, self._first_on_time(lane.source, clocks))
        if late := on_time - new:
            self._runs += [[Piece(block, new, on_time, clocks, late=True)], []]
            lane.rows += late
            self._late += late
            self._gone += late
        if on_time < len(block):
            lane.pieces.append(Piece(block, on_time, len(block), clocks))
            self._held += len(block) - on_time

    def _first_on_time(self, source: Source, clocks: Int64Array) -> int:
        clock, last = self._top
        return int(clocks.searchsorted(clock, "left" if source >= last else "right"))

    def _let_go(self) -> None:
        if self._announced:
            clock, last = self._lowest()
            self._take([lane.count(clock, inclusive=i <= last) for i, lane in enumerate(self._lanes)])
        if (excess := self._held - self._max_hold) > 0:
            self._forced += excess
            self._take(self._first(excess))

    def _lowest(self) -> tuple[int, int]:
        """Lowest frontier, and the index of its lane: what may go are rows below it, and at it those of lanes up to this one.

        Rows of that lane may: they are not above its frontier, and all other frontiers are.
        """
        if all(lane.quiet for lane in self._lanes):
            return FOREVER, len(self._lanes) - 1
        followed = self._greatest - self._grace
        frontiers = [lane.frontier(followed) for lane in self._lanes]
        lowest = min(frontiers)
        return lowest, frontiers.index(lowest)

    def _first(self, n: int) -> list[int]:
        """How many rows of each lane are among the `n` first in key order."""
        heads = [lane.head(n) for lane in self._lanes]
        lanes = np.repeat(np.arange(len(heads)), [len(head) for head in heads])
        first = np.argsort(np.concatenate(heads), kind="stable")[:n]
        counts: list[int] = np.bincount(lanes[first], minlength=len(heads)).tolist()
        return counts

    def _take(self, counts: list[int]) -> None:
        """Let the first rows of each lane go."""
        for lane, n in zip(self._lanes, counts, strict=True):
            if n:
                taken = lane.take(n)
                self._runs[-1] += taken
                self._top = max(self._top, (int(taken[-1].clocks[taken[-1].hi - 1]), lane.source))
                self._held -= n
                self._gone += n
