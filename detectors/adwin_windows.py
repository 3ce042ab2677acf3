"""ADWIN's windows: the little of them that must be kept, and how a block of values passes through.

A cut is a position, so sums of the first values of the window are all that is needed, and only at positions that can still become a
border (`detectors.adwin_cuts`): the last 2 M - 1 multiples of each power of two. They are the *ladder*, O(M log t) numbers.

A block makes one running sum of values and squares, the state in front; `numpy.cumsum` adds in order, so nothing depends on where a batch
ends. The ladder with the block's own multiples behind each level serves every check within the block, and its end is the next ladder.
Beside each sum the ladder has the index of its value in the stream, so that an onset is exact whatever was missing.

All sums are about the window's first value. As that value is in the window, its squared distance from the mean is at most t times the
variance, which bounds what the squares lose to rounding, however large the offset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detectors.adwin_cuts import Lines
from detectors.base import FloatArray
from detectors.restarting import RowArrays, Workspace, add_up
from schemas.events import Int64Array

__all__ = ["Block", "Windows"]


@dataclass(frozen=True, slots=True)
class Block:
    """Values of some rows on their way into the windows, without the missing.

    Parameters
    ----------
    rows : array of int (rows,)
        Rows of the bank.
    first : int
        Index in the stream of the first column.
    before, after : array of int (rows,)
        Values in the window before the block, and after it.
    columns : array of int (rows, n)
        Where a value stood before the missing were squeezed out.
    moments : array of complex (rows, n)
        Running sum of the window in the real part, of its squares in the imaginary part: one addition for both.
    """

    rows: Int64Array
    first: int
    before: Int64Array
    after: Int64Array
    columns: Int64Array
    moments: NDArray[np.complex128]

    def index(self, at: int, count: int) -> int:
        """Index in the stream of value number `count` of the window at position `at` of `rows`, counted from 1."""
        return self.first + int(self.columns[at, count - self.before[at] - 1])


@dataclass(slots=True)
class Windows(RowArrays):
    """The window of each row. `sums` and `places` (rows, levels, slots) are the ladder; its first level is 0 or 1.

    ``sums[r, j, k]`` is the sum of the first ``unit << level`` values with ``unit = (count >> level) - slots + 1 + k``, and
    ``places[r, j, k]`` is the index in the stream of the last of them. Both are 0 where `unit` is not positive.
    """

    count: Int64Array
    shift: FloatArray  # the window's first value: all sums are about it
    total: FloatArray
    squares: FloatArray
    sums: FloatArray
    places: Int64Array

    @classmethod
    def fresh(cls, rows: int, slots: int) -> Self:
        """Empty windows with a ladder of so many slots a level."""
        count, places = np.zeros(rows, dtype=np.int64), np.zeros((rows, 0, slots), dtype=np.int64)
        shift, total, squares = np.zeros((3, rows))
        return cls(np.full(rows, -1), count, shift, total, squares, places.astype(float), places)

    @property
    def slots(self) -> int:
        """Sums on a level of the ladder."""
        return int(self.sums.shape[2])

    def take(self, rows: Int64Array, values: FloatArray, first: int, workspace: Workspace) -> Block:
        """Add up values (len(rows), n), NaN where there is none; nothing is kept before `commit` but the first value of a window."""
        packed, columns, lengths = _squeeze(values)
        before = self.count[rows]
        moments = workspace.take("moments", (len(rows), 2 * packed.shape[1])).view(np.complex128)
        if packed.size:
            fresh = (before == 0) & (lengths > 0)
            self.shift[rows[fresh]] = packed[fresh, 0]
            np.subtract(packed, self.shift[rows][:, None], out=moments.real)
            np.multiply(moments.real, moments.real, out=moments.imag)
            add_up(moments, self.total[rows] + 1j * self.squares[rows])
        return Block(rows, first, before, before + lengths, columns, moments)

    def ladder(self, row: int, levels: Int64Array) -> Lines:
        """The ladder alone: enough for the window as it is now."""
        starts = (self.count[row : row + 1, None] >> levels) - self.slots + 1
        sums = self.sums[row, : len(levels)].reshape(1, -1)
        return Lines(sums, levels, self.slots * np.arange(len(levels)), starts)

    def lines(self, block: Block, levels: Int64Array, workspace: Workspace) -> Lines:
        """The ladder with the sums at the new multiples of each level behind it: enough for every count within the block."""
        self._reserve(len(levels))
        rows, slots = len(block.rows), self.slots
        passed = block.before[:, None] >> levels
        fresh = ((block.after[:, None] >> levels) - passed).max(axis=0)
        offsets = slots * np.arange(len(levels)) + np.cumsum(fresh) - fresh
        lines = workspace.take("lines", (rows, slots * len(levels) + int(fresh.sum())))
        lines[:, (offsets[:, None] + np.arange(slots)).ravel()] = self.sums[block.rows, : len(levels)].reshape(rows, -1)
        below = block.moments.real
        for level, n, begin in zip(levels, fresh, offsets + slots, strict=True):
            line = lines[:, begin : begin + n]
            if level == 0:
                line[:] = below
            elif n:
                # The first new multiple is the first of the level below if an odd number of those had passed, else the second.
                odd, even = below[:, : 2 * n : 2], below[:, 1 : 2 * n : 2]
                line[:] = odd
                np.copyto(line[:, : even.shape[1]], even, where=(block.before >> (level - 1) & 1 == 0)[:, None])
            below = line
        return Lines(lines, levels, offsets, passed - slots + 1)

    def commit(self, block: Block, lines: Lines) -> None:
        """Keep the block: what the windows are after it."""
        climbed = (block.after[:, None] >> lines.levels) - (block.before[:, None] >> lines.levels)
        changed = int(np.count_nonzero(climbed.max(axis=0)))  # the lowest: what is a multiple on a level is one on those below
        each, level = np.arange(len(block.rows))[:, None, None], np.arange(changed)[:, None]
        # A new rung is the old one that lies `climbed` further, or comes from the block.
        rung = climbed[:, :changed, None] + np.arange(self.slots)
        length = (lines.starts[:, :changed, None] + rung) << lines.levels[:changed, None]
        old = self.places[block.rows[each], level, np.minimum(rung, self.slots - 1)]
        new = block.first + block.columns[each, np.maximum(length - block.before[each] - 1, 0)]
        self.places[block.rows, :changed] = np.where(rung < self.slots, old, new)
        self.sums[block.rows, :changed] = lines.sums[each, lines.offsets[:changed, None] + rung]
        (some,) = np.nonzero(block.after > block.before)
        moments = block.moments[some, block.after[some] - block.before[some] - 1]
        self.total[block.rows[some]], self.squares[block.rows[some]] = moments.real, moments.imag
        self.count[block.rows] = block.after

    def _reserve(self, levels: int) -> None:
        more = levels - self.sums.shape[1]
        if more > 0:
            width = ((0, 0), (0, more), (0, 0))
            self.sums, self.places = np.pad(self.sums, width), np.pad(self.places, width)


def _squeeze(values: FloatArray) -> tuple[FloatArray, Int64Array, Int64Array]:
    """Move what is there to the front of its row: (values, columns they stood in, how many); zeros behind."""
    here = ~np.isnan(values)
    lengths = here.sum(axis=1)
    columns = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    if here.all():
        return values, columns, lengths
    front = np.arange(lengths.max(initial=0)) < lengths[:, None]
    packed, places = np.zeros(front.shape), np.zeros(front.shape, dtype=np.int64)
    packed[front], places[front] = values[here], columns[here]
    return packed, places, lengths
