"""What the sequencer tells beside rows: facts about the sources, for the monitor's own alerts, and counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from schemas.events import Source

__all__ = ["Counts", "Fact", "Gap", "Progress", "Resumed", "Stalled"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets [expected, found) of a source were never seen (rule Q4)."""

    source: Source
    expected: int
    found: int


@dataclass(frozen=True, slots=True)
class Stalled:
    """A source has not been heard of while others ticked (rule Q9).

    Parameters
    ----------
    row : int
        Rows of the model that had gone before, counted as `Release.first_row` is: the fact belongs in front of the row of this
        number, however the journal was batched.
    """

    source: Source
    row: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """A stalled source has been heard again; `row` as in `Stalled`."""

    source: Source
    row: int


Fact: TypeAlias = Gap | Stalled | Resumed


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows since the beginning.

    Parameters
    ----------
    released : int
        Rows that have gone, late and forced ones included.
    duplicates, late, forced : int
        Rows skipped as already seen; let go after a row that should have followed them; let go for want of room.
    gaps : int
        Ranges of offsets that were never seen.
    """

    released: int
    duplicates: int
    late: int
    forced: int
    gaps: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one source has come.

    Parameters
    ----------
    cursor : int or None
        All offsets below have been seen; None before the first block or tick.
    clock : int or None
        Greatest timestamp of its rows, ms; None before the first.
    held, rows : int
        Rows that wait now; rows that have gone.
    idle, stalled, ended : bool
        Why nobody waits for it, if nobody does (rules Q6, Q9, Q11).
    """

    source: Source
    cursor: int | None
    clock: int | None
    held: int
    rows: int
    idle: bool
    stalled: bool
    ended: bool
