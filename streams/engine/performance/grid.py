"""Where the rows lie, at a resolution that follows the data and never depends on the order of rows: medians and ranks from parts.

Quantile sketches promise an error, but the sketch of a whole is not the sum of those of its parts. A histogram with fixed bins is,
but then its bins must suit the data. Here the bins are given by the leading bits of each value, and as many bits are kept as leave at
most `limit` bins occupied. That number of bits is a property of the *set* of values, and a part never needs fewer than the whole: so
parts can be merged, in any order, to the same bits and the same counts as if all rows had been there at once.

The `top` greatest distinct values are kept as they are. Also that is a property of the set: what is among the greatest of the whole is
so in every part that has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.events import FloatArray, Int64Array

__all__ = ["Grid", "floats_of", "ordered_codes"]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Rows counted by their place on a line, in some columns (say, negatives and positives).

    Parameters
    ----------
    top, limit : int
        Greatest distinct codes kept apart, and most bins below them, 2 or more. A row costs nothing beyond them.
    codes : int64 (bins,)
        Ascending; of each bin the least code in it.
    mixed : bool (bins,)
        Whether there are different codes in the bin.
    counts : int64 (bins, columns)
        Rows.
    shift : int
        Bits dropped of the codes below the top ones: these bins hold code >> shift.

    Examples
    --------
    >>> values = np.array([9, 2, 3, 8, 1000])
    >>> grid = Grid.of(values, np.zeros(5, np.int64), columns=1, top=1, limit=2)
    >>> grid.codes.tolist(), grid.mixed.tolist(), grid.counts[:, 0].tolist(), grid.shift
    ([2, 8, 1000], [True, True, False], [2, 2, 1], 1)
    """

    top: int
    limit: int
    codes: Int64Array
    mixed: NDArray[np.bool_]
    counts: Int64Array
    shift: int

    @classmethod
    def of(cls, codes: Int64Array, column: Int64Array, *, columns: int, top: int, limit: int) -> Grid:
        """Count rows with these codes, each in its column."""
        distinct, inverse = np.unique(codes, return_inverse=True)
        counts = np.bincount(inverse * columns + column, minlength=len(distinct) * columns).reshape(-1, columns)
        return cls(top, limit, distinct, np.zeros(len(distinct), bool), counts, 0)._fitted()

    def __add__(self, other: Grid) -> Grid:
        codes = np.concatenate([self.codes, other.codes])
        order = np.argsort(codes, kind="stable")
        mixed, counts = np.concatenate([self.mixed, other.mixed])[order], np.concatenate([self.counts, other.counts])[order]
        merged = Grid(self.top, self.limit, codes[order], mixed, counts, max(self.shift, other.shift))
        return merged._joined(merged.codes)._fitted()

    def ends(self) -> tuple[Int64Array, Int64Array]:
        """Return the first and the last code that each bin could hold; of a bin with one code only, that one."""
        first = np.where(self.mixed, self.codes >> self.shift << self.shift, self.codes)
        return first, np.where(self.mixed, first + ((1 << self.shift) - 1), self.codes)

    def _fitted(self) -> Grid:
        """Drop as many bits as it takes."""
        low = max(len(self.codes) - self.top, 0)
        shift = max(self.shift, _bits_to_drop(self.codes[:low], self.limit))
        if shift == 0:
            return self
        keys = self.codes.copy()
        keys[:low] = keys[:low] >> shift << shift
        return Grid(self.top, self.limit, self.codes, self.mixed, self.counts, shift)._joined(keys)

    def _joined(self, keys: Int64Array) -> Grid:
        """Make one bin of neighbours with the same key."""
        if not len(keys):
            return self
        starts = np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1])
        if len(starts) == len(keys):
            return self
        codes = self.codes[starts]
        last = self.codes[np.append(starts[1:], len(keys)) - 1]
        mixed = np.logical_or.reduceat(self.mixed, starts) | (codes != last)
        return Grid(self.top, self.limit, codes, mixed, np.add.reduceat(self.counts, starts, axis=0), self.shift)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: 8 bytes and its counts per bin."""
        most = int(self.counts.max(initial=0))
        counts = self.counts.astype(np.min_scalar_type(most))
        return {"codes": self.codes, "mixed": np.packbits(self.mixed), "counts": counts, "shift": self.shift}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], *, top: int, limit: int) -> Grid:
        """Restore a grid."""
        codes = np.asarray(state["codes"], np.int64)
        mixed = np.unpackbits(np.asarray(state["mixed"], np.uint8), count=len(codes)).astype(bool)
        return cls(top, limit, codes, mixed, np.asarray(state["counts"], np.int64), int(state["shift"]))


def ordered_codes(values: FloatArray) -> Int64Array:
    """Return int64 codes in the order of finite float64 values: the bits of a float are ordered as its size is.

    >>> ordered_codes(np.array([-2.0, -0.0, 0.0, 1e-300])).argsort().tolist()
    [0, 1, 2, 3]
    """
    bits: Int64Array = np.abs(values).view(np.int64)
    return np.where(values < 0, -bits, bits)


def floats_of(codes: Int64Array) -> FloatArray:
    """Return the values of `ordered_codes`."""
    return np.copysign(np.abs(codes).view(np.float64), codes)


def _bits_to_drop(codes: Int64Array, limit: int) -> int:
    """Return the least shift that leaves at most `limit` different ones of these ascending codes.

    Neighbours stay apart until the highest bit in which they differ is gone.
    """
    if len(codes) <= limit:
        return 0
    differ = (codes[1:] ^ codes[:-1]).view(np.uint64)
    high, low = (differ >> np.uint64(32)).astype(np.float64), (differ & np.uint64(0xFFFFFFFF)).astype(np.float64)
    lengths = np.where(high > 0, np.frexp(high)[1] + 32, np.frexp(low)[1])
    return int(np.partition(lengths, len(lengths) - limit)[len(lengths) - limit])
