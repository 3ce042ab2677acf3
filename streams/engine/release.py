"""What the sequencer lets go: pieces of blocks, and the order their rows are in.

Rows stay where they are, in the columns of their blocks. A release says which slices of which blocks, and how to permute their
concatenation; a release of one block is a slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from schemas.events import Block, Int64Array

__all__ = ["BoolArray", "Piece", "Release", "merge"]

BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Rows [lo, hi) of a block.

    Parameters
    ----------
    clocks : int64 (len(block),)
        Clock of each row of the whole block, ms; of those that are new (rule Q4), the others' are meaningless.
    late : bool
        Whether these rows are late (rule Q7).
    """

    block: Block
    lo: int
    hi: int
    clocks: Int64Array
    late: bool = False

    def __len__(self) -> int:
        return self.hi - self.lo


@dataclass(frozen=True, slots=True, eq=False)
class Release:
    """Rows in the order in which they are to be processed.

    Parameters
    ----------
    first_row : int
        Number of the first row, counted over all releases of the model.
    pieces : tuple of Piece
        Where the rows are. A piece is never empty.
    order : int64 (n,) or None
        Row i of the release is row ``order[i]`` of the concatenated pieces; None when that is i itself.
    clocks : int64 (n,)
        Clock of each row of the release, ms. Never decreases, but for late rows.
    late : bool (n,)
        Which rows of the release are late.
    """

    first_row: int
    pieces: tuple[Piece, ...]
    order: Int64Array | None
    clocks: Int64Array
    late: BoolArray

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.clocks)


def merge(runs: Sequence[Sequence[Piece]], first_row: int) -> Release:
    """Make one release of `runs`, which follow one another; within a run, rows go by (clock, source, offset).

    Pieces of one source are given in the order of their offsets.
    """
    pieces: list[Piece] = []
    orders: list[Int64Array | None] = []
    starts: list[int] = []
    n = 0
    for run in runs:
        joined = _join(sorted(run, key=lambda piece: piece.block.source))
        clocks = _concatenate([p.clocks[p.lo : p.hi] for p in joined])
        # Pieces lie by (source, offset), so a stable sort by clock alone gives (clock, source, offset).
        in_order = bool((clocks[1:] >= clocks[:-1]).all())
        orders.append(None if in_order else np.argsort(clocks, kind="stable"))
        starts.append(n)
        pieces += joined
        n += len(clocks)
    clocks = _concatenate([p.clocks[p.lo : p.hi] for p in pieces])
    late = np.repeat(np.array([p.late for p in pieces]), np.array([len(p) for p in pieces]))
    order = None
    if any(o is not None for o in orders):
        ends = [*starts[1:], n]
        order = _concatenate([np.arange(a, b) if o is None else o + a for o, a, b in zip(orders, starts, ends, strict=True)])
        clocks, late = clocks[order], late[order]
    return Release(first_row, tuple(pieces), order, clocks, late)


def _join(pieces: list[Piece]) -> list[Piece]:
    """Put together pieces that continue one another: a block that went in three steps is one slice again."""
    joined = pieces[:1]
    for piece in pieces[1:]:
        last = joined[-1]
        if piece.block is last.block and piece.lo == last.hi:
            joined[-1] = replace(last, hi=piece.hi)
        else:
            joined.append(piece)
    return joined


def _concatenate(arrays: list[Int64Array]) -> Int64Array:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
