"""Which sources have gone silent (rule Q10).

A source is silent when the clock of the released rows has passed its own by more than the limit: the configured one, or 20 of the
source's usual gaps, whichever is longer. Both clocks come from the rows, so a backtest says the same as the live run. That *all*
are silent can only be seen by ticks, live.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from schemas.events import Block, Int64Array, Message, Source, Tick
from streams.engine.release import Release

__all__ = ["SilenceChange", "SilenceWatch"]

USUAL_GAPS = 20
#: Rows that a source must have had before its silence means anything.
ROWS_NEEDED = 20


class SilenceChange(NamedTuple):
    """At which row of the release a source went silent, or was heard again."""

    row: int
    source: Source
    silent: bool
    since_ms: int


@dataclass(slots=True)
class _Heard:
    first: int
    last: int
    rows: int
    silent: bool = False

    def limit(self, least: int) -> int:
        """How long this source may say nothing, ms."""
        usual = (self.last - self.first) // max(self.rows - 1, 1)
        return max(least, USUAL_GAPS * usual)


class SilenceWatch:
    """Watches the sources of one model.

    Parameters
    ----------
    limit_ms : int
        Shortest silence that is reported.
    state : mapping, optional
        What `state` returned.
    """

    def __init__(self, limit_ms: int, state: Mapping[str, Any] | None = None) -> None:
        self._limit = limit_ms
        self._heard: dict[Source, _Heard] = {}
        self._idle: dict[Source, int] = {}  # ms that a source has been at its end; those that have sent rows
        if state is not None:
            self._heard = {Source(*s): _Heard(**h) for s, h in state["heard"]}
            self._idle = {Source(*s): idle for s, idle in state["idle"]}

    def hear(self, message: Message) -> None:
        """Note what ticks say about sources that are at their end."""
        match message:
            case Block():
                self._idle[message.source] = 0
            case Tick() if message.source in self._idle:
                self._idle[message.source] = message.idle_ms
            case _:
                pass

    def all_silent(self) -> bool:
        """Whether every source that has sent rows has been at its end for longer than the limit, by wall clock."""
        return bool(self._idle) and all(idle >= self._limit for idle in self._idle.values())

    def released(self, release: Release, clocks: Int64Array) -> Iterator[SilenceChange]:
        """Yield which sources went silent or were heard again in a release, by row."""
        rows: dict[Source, list[Int64Array]] = {}
        inverse = None
        if release.order is not None:
            inverse = np.empty(release.n, np.int64)
            inverse[release.order] = np.arange(release.n)
        a = 0
        for piece in release.pieces:
            b = a + piece.hi - piece.lo
            at = np.arange(a, b) if inverse is None else inverse[a:b]
            rows.setdefault(piece.block.source, []).append(at)
            a = b
        changes = [c for s, parts in rows.items() for c in self._spoke(s, np.sort(np.concatenate(parts)), clocks)]
        changes += [c for s in self._heard.keys() - rows.keys() for c in self._waited(s, -1, clocks)]
        yield from sorted(changes)

    def _spoke(self, source: Source, at: Int64Array, clocks: Int64Array) -> Iterator[SilenceChange]:
        heard = self._heard.get(source)
        mine = clocks[at]
        if heard is None:
            heard = self._heard[source] = _Heard(int(mine[0]), int(mine[0]), 0)
        gaps = np.diff(mine, prepend=heard.last)
        taken = 0
        for i in np.flatnonzero(gaps > self._limit).tolist():
            self._take(heard, mine[taken:i])
            taken = i
            yield from self._waited(source, int(at[i]), clocks)
            if heard.silent:
                heard.silent = False
                yield SilenceChange(int(at[i]), source, False, heard.last)
        self._take(heard, mine[taken:])
        yield from self._waited(source, -1, clocks)

    @staticmethod
    def _take(heard: _Heard, clocks: Int64Array) -> None:
        if len(clocks):
            heard.last, heard.rows = int(clocks[-1]), heard.rows + len(clocks)

    def _waited(self, source: Source, until: int, clocks: Int64Array) -> Iterator[SilenceChange]:
        """Note silence from the last row of `source` up to row `until` (-1: to the end of the release)."""
        heard = self._heard[source]
        if heard.silent or heard.rows < ROWS_NEEDED:
            return
        row = int(np.searchsorted(clocks, heard.last + heard.limit(self._limit), side="right"))
        if row < (len(clocks) if until < 0 else until):
            heard.silent = True
            yield SilenceChange(row, source, True, heard.last)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; JSON values only."""
        return {
            "heard": [[list(s), asdict(h)] for s, h in sorted(self._heard.items())],
            "idle": [[list(s), idle] for s, idle in sorted(self._idle.items())],
        }
