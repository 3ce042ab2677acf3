"""Logs of sources as plain timestamps, the blocks cut from them, and what a sequencer let go, as plain tuples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from schemas.events import Announcement, Block, Codes, Faults, Source, Tick
from streams.engine.sequencer import Sequencer

MODEL = "fraud"
GRACE = 1_000
NO_FAULTS = Faults((), np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.uint8))


class Row(NamedTuple):
    clock: int
    source: Source
    offset: int
    late: bool = False


def block(source: Source, stamps: Sequence[int], *, start: int = 0, offsets: Sequence[int] | None = None, end: int | None = None) -> Block:
    """Rows with nothing but timestamps; at consecutive offsets from `start` unless told otherwise."""
    n = len(stamps)
    at = np.arange(start, start + n) if offsets is None else np.array(offsets, np.int64)
    return Block(
        model=MODEL,
        source=source,
        roles=("features",),
        start=start,
        end=start + n if end is None else end,
        offsets=at,
        stamps=np.array(stamps, np.int64),
        times=np.array(stamps, np.int64),
        ids=("",) * n,
        versions=Codes(("1",), np.zeros(n, np.int32)),
        number_names=(),
        numbers=np.empty((0, n)),
        category_names=(),
        categories=(),
        segments=(),
        faults=NO_FAULTS,
    )


def tick(source: Source, end: int, *, idle_ms: int = 0) -> Tick:
    return Tick(MODEL, source, end, idle_ms)


def announce(*sources: Source) -> Announcement:
    return Announcement(MODEL, sources)


def sequencer(*sources: Source, max_hold: int = 1_000) -> Sequencer:
    """A sequencer that knows its sources."""
    made = Sequencer(grace_ms=GRACE, max_hold=max_hold)
    made.push(announce(*sources))
    return made


def drain(sequencer: Sequencer) -> list[Row]:
    """Everything that may go now, one tuple a row; checks what every release promises."""
    release = sequencer.release()
    if release is None:
        return []
    rows = [
        Row(int(piece.clocks[i]), piece.block.source, int(piece.block.offsets[i]), piece.late)
        for piece in release.pieces
        for i in range(piece.lo, piece.hi)
    ]
    if release.order is not None:
        assert sorted(release.order.tolist()) == list(range(release.n))
        assert release.order.tolist() != list(range(release.n)), "rows in order need no permutation"
        rows = [rows[i] for i in release.order]
    assert [row.clock for row in rows] == release.clocks.tolist()
    assert [row.late for row in rows] == release.late.tolist()
    assert all(len(piece) for piece in release.pieces)
    assert release.first_row + release.n == sequencer.counts.released
    assert sequencer.release() is None
    return rows
