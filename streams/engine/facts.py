"""What the sequencer tells beside rows: facts about the sources, for the monitor's own alerts, and counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from schemas.events import Source

__all__ = ["Counters", "Fact", "Gap", "Resumed", "SourceCounters", "Stalled"]


class Gap(NamedTuple):
    """Offsets [expected, found) of a source were never seen (rule Q4)."""

    source: Source
    expected: int
    found: int


class Stalled(NamedTuple):
    """A source has not been heard of while others ticked (rule Q9).

    `row` is the number of rows of the model that had gone before: the fact belongs in front of the row of that number.
    """

    source: Source
    row: int


class Resumed(NamedTuple):
    """A stalled source has been heard again; `row` as in `Stalled`."""

    source: Source
    row: int


Fact: TypeAlias = Gap | Stalled | Resumed


class SourceCounters(NamedTuple):
    """How far one source has come.

    `cursor` (offset) and `clock_ms` are None until known; `held` rows wait, `rows` have gone.
    """

    topic: str
    partition: int
    cursor: int | None
    clock_ms: int | None
    held: int
    rows: int


@dataclass(frozen=True, slots=True)
class Counters:
    """What became of the rows since the beginning.

    Parameters
    ----------
    released : int
        Rows that have gone, late and forced ones included.
    duplicates, late, forced : int
        Rows skipped as already seen; let go after a row that should have followed them; let go for want of room.
    gaps : int
        Ranges of offsets that were never seen.
    held : int
        Rows that wait now.
    sources : tuple of SourceCounters
        By topic and partition.
    """

    released: int
    duplicates: int
    late: int
    forced: int
    gaps: int
    held: int
    sources: tuple[SourceCounters, ...]
