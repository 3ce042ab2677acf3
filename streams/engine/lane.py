"""One source as the sequencer sees it: how far it has come, and its rows that wait for other sources."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from schemas.events import Int64Array, Source
from streams.engine.facts import Progress
from streams.engine.release import Piece

__all__ = ["FOREVER", "NEVER", "Lane", "running_clock"]

#: Clock of a source that has sent no row; below every timestamp.
NEVER = int(np.iinfo(np.int64).min)
#: Frontier of a source that has ended; above every timestamp.
FOREVER = int(np.iinfo(np.int64).max)


def running_clock(stamps: Int64Array, lo: int, before: int) -> Int64Array:
    """Clock of the rows from `lo` on: the running maximum of their stamps, starting at `before` (rule Q1).

    Examples
    --------
    >>> running_clock(np.array([90, 120, 110, 130]), 1, 115)[1:]
    array([120, 120, 130])
    """
    clocks = np.full(len(stamps), before, np.int64)
    np.maximum.accumulate(stamps[lo:], out=clocks[lo:])
    np.maximum(clocks, before, out=clocks)
    return clocks


@dataclass(slots=True, eq=False)
class Lane:
    """State of one source.

    Parameters
    ----------
    clock : int
        Greatest timestamp of this model's rows so far, ms; NEVER before the first.
    cursor : int or None
        All offsets below have been seen.
    idle : bool
        At its end for at least the grace, by its last tick, and no rows since (rule Q6).
    stalled : bool
        Not heard of while others ticked (rule Q9).
    ended : bool
        Nothing more comes (rule Q11).
    heard : int
        The beat in which it was last heard of.
    ticked : int
        The beat in which it last ticked; -1 before its first tick.
    rows : int
        Rows let go so far.
    pieces : deque of Piece
        Rows that wait, by offset; their clocks never decrease.
    """

    source: Source
    heard: int
    clock: int = NEVER
    cursor: int | None = None
    idle: bool = False
    stalled: bool = False
    ended: bool = False
    ticked: int = -1
    rows: int = 0
    pieces: deque[Piece] = field(default_factory=deque)

    @property
    def quiet(self) -> bool:
        """Whether nobody need wait for this source."""
        return self.idle or self.stalled or self.ended

    def frontier(self, followed: int) -> int:
        """Return the clock below which nothing more comes (rule Q2); a quiet source follows the others at `followed` (rule Q6)."""
        if self.ended:
            return FOREVER
        return max(self.clock, followed) if self.quiet else self.clock

    def count(self, clock: int, *, inclusive: bool) -> int:
        """How many waiting rows have a clock below `clock`, or up to it."""
        side: Literal["left", "right"] = "right" if inclusive else "left"
        total = 0
        for piece in self.pieces:
            if piece.clocks[piece.hi - 1] < clock:  # the whole piece: by far the most frequent cases need no search
                total += len(piece)
            elif piece.clocks[piece.lo] > clock:
                break
            else:
                n = int(piece.clocks[piece.lo : piece.hi].searchsorted(clock, side))
                total += n
                if n < len(piece):
                    break
        return total

    def head(self, n: int) -> Int64Array:
        """Clocks of the first `n` waiting rows, or of all when there are fewer."""
        parts: list[Int64Array] = [np.empty(0, np.int64)]
        for piece in self.pieces:
            parts.append(piece.clocks[piece.lo : min(piece.hi, piece.lo + n)])
            n -= len(parts[-1])
            if n == 0:
                break
        return np.concatenate(parts)

    def take(self, n: int) -> list[Piece]:
        """Remove the first `n` waiting rows and return them."""
        taken: list[Piece] = []
        self.rows += n
        while n:
            piece = self.pieces.popleft()
            if len(piece) > n:
                self.pieces.appendleft(replace(piece, lo=piece.lo + n))
                piece = replace(piece, hi=piece.lo + n)
            taken.append(piece)
            n -= len(piece)
        return taken

    def progress(self) -> Progress:
        """How far this source has come."""
        clock = None if self.clock == NEVER else self.clock
        held = sum(map(len, self.pieces))
        return Progress(self.source, self.cursor, clock, held, self.rows, self.idle, self.stalled, self.ended)

    def state(self) -> list[Any]:
        """Everything but the waiting rows, as JSON values."""
        flags = [self.idle, self.stalled, self.ended]
        return [*self.source, self.heard, self.clock, self.cursor, *flags, self.ticked, self.rows]

    @classmethod
    def from_state(cls, state: Sequence[Any]) -> Lane:
        """Build the lane that gave `state`, without waiting rows."""
        topic, partition, *fields = state
        return cls(Source(topic, partition), *fields)
