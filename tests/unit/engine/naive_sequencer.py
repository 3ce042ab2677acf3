"""The sequencer's rules, row by row and word for word: slow, plain, and written without a look at the real one's shortcuts."""

from __future__ import annotations

from math import inf

from schemas.events import Announcement, Block, End, Message, Source, Tick
from tests.unit.engine.logs import Row


class NaiveSequencer:
    def __init__(self, *, grace_ms: int, max_hold: int, stalled_after: int) -> None:
        self.grace, self.max_hold, self.stalled_after = grace_ms, max_hold, stalled_after
        self.announced = False
        self.clock: dict[Source, float] = {}
        self.cursor: dict[Source, int] = {}
        self.idle: set[Source] = set()
        self.stalled: set[Source] = set()
        self.ended: set[Source] = set()
        self.beats_unheard: dict[Source, int] = {}
        self.ticked_in_this_beat: set[Source] = set()
        self.held: list[Row] = []
        self.out: list[Row] = []
        self.greatest_gone: tuple[float, Source, int] | None = None
        self.duplicates = self.forced = self.gaps = 0

    def push(self, message: Message) -> None:
        match message:
            case Announcement():
                self.announced = True
                for source in message.sources:
                    self.know(source)
            case Block():
                self.hear(message.source)
                self.idle.discard(message.source)
                self.read(message)
            case Tick():
                source = message.source
                self.hear(source)
                cursor = self.cursor.get(source, 0)
                self.idle.discard(source)
                if message.idle_ms >= self.grace and message.end >= cursor:
                    self.idle.add(source)
                self.cursor[source] = max(cursor, message.end)
                self.beat(source)
            case End():
                self.hear(message.source)
                self.ended.add(message.source)
        self.let_go()

    def know(self, source: Source) -> None:
        self.clock.setdefault(source, -inf)
        self.beats_unheard.setdefault(source, 0)

    def hear(self, source: Source) -> None:
        self.know(source)
        self.beats_unheard[source] = 0
        self.stalled.discard(source)

    def beat(self, source: Source) -> None:
        if source in self.ticked_in_this_beat:
            self.ticked_in_this_beat.clear()
            for other in self.beats_unheard:
                if other != source:
                    self.beats_unheard[other] += 1
                    if self.beats_unheard[other] >= self.stalled_after:
                        self.stalled.add(other)
        self.ticked_in_this_beat.add(source)

    def read(self, block: Block) -> None:
        source = block.source
        cursor = self.cursor.get(source, block.start)
        self.gaps += block.start > cursor
        top = self.greatest_gone
        for offset, stamp in zip(block.offsets.tolist(), block.stamps.tolist(), strict=True):
            if offset < cursor:
                self.duplicates += 1
                continue
            self.clock[source] = max(self.clock[source], stamp)
            row = Row(int(self.clock[source]), source, offset)
            if top is not None and row[:3] < top:
                self.out.append(row._replace(late=True))
            else:
                self.held.append(row)
        self.cursor[source] = max(cursor, block.end)

    def frontier(self, source: Source) -> float:
        if source in self.ended:
            return inf
        if source in self.idle | self.stalled:
            return max(self.clock[source], max(self.clock.values()) - self.grace)
        return self.clock[source]

    def let_go(self) -> None:
        quiet = self.idle | self.stalled | self.ended
        everything = all(source in quiet for source in self.clock)
        while self.announced and self.held:
            row = min(self.held)
            others = [source for source in self.clock if source != row.source]
            if not everything and any((row.clock, row.source) > (self.frontier(other), other) for other in others):
                break
            self.go(row)
        while len(self.held) > self.max_hold:
            self.forced += 1
            self.go(min(self.held))

    def go(self, row: Row) -> None:
        self.held.remove(row)
        self.out.append(row)
        self.greatest_gone = row[:3]
