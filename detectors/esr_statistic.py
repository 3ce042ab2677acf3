"""The e-SR statistic of many streams: S = Σ w_j R_j, where each component's R_j ← (1 + R_j) · exp(its log-bets over a block).

R_j is the gain of a gambler who starts anew with one unit at every block, betting on component j from there on. While the
reference holds no bet gains on average, so S minus the number of blocks is a martingale, whatever the dependence between
components: S reaches A after at least A blocks in the mean. No table of thresholds, no correction for many components.

Beside the fixed components there are *plug-in* bets that know no shape: the histogram of the last rows, shrunk to the reference,
bets on the next 50.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from detectors.base import BankState, FloatArray
from detectors.esr_tables import BLOCK, TILE, Table, on_grid
from detectors.histogram import Binning, Codes

__all__ = ["SHRINK_ROWS", "Rows", "Statistic"]

Rows = NDArray[np.int64]

#: Rows of the reference that a histogram of recent rows is mixed with.
SHRINK_ROWS = 20.0
#: R is cut here at the end of each tile: far above any threshold, and a tile can hardly multiply it beyond the largest float.
_CEILING = 1e100


class Statistic:
    """S for each stream, block by block.

    Parameters
    ----------
    tables : sequence of Table
        One per stream.
    state : mapping, optional
        What `state` returned.
    """

    def __init__(self, tables: Sequence[Table], state: BankState | None = None) -> None:
        self.binning = Binning([t.bins for t in tables])
        rows, width = len(tables), self.binning.width
        fixed = max((t.log_bets.shape[1] for t in tables), default=0)
        plugs = max((len(t.memories) for t in tables), default=0)
        self.shares = np.ones((rows, width))
        self._fixed = np.zeros((rows, width, fixed))
        self._weights = np.zeros((rows, fixed + plugs))
        self._kept = np.zeros((rows, 1, plugs))  # share of a plug-in's counts that is still remembered after a tile
        self._inflation = np.array([t.inflation for t in tables]).reshape(-1, 1, 1)
        self._penalty = np.array([t.penalty for t in tables]).reshape(-1, 1, 1)
        for row, table in enumerate(tables):
            n, k = table.log_bets.shape[1], len(table.memories)
            self.shares[row] = self.binning.laid_out(table.shares, fill=1.0)
            self._fixed[row, :, :n] = self.binning.laid_out(table.log_bets, fill=0.0)
            self._weights[row, :n] = table.weights[:n]
            self._weights[row, fixed : fixed + k] = table.weights[n:]
            self._kept[row, 0, :k] = np.maximum(1 - TILE / table.memories, 0)
        self._gain = np.zeros((rows, fixed + plugs))  # R
        self._recent = np.zeros((rows, width, plugs))  # what the plug-ins remember: rows per bin
        self._recent_rows = np.zeros((rows, 1, plugs))
        self._tile = np.zeros((rows, width))  # rows per bin since the last refresh
        self.blocks = 0
        if state is not None:
            self._gain, self._recent = state["gain"].copy(), state["recent"].copy()
            self._recent_rows, self._tile = state["recent_rows"].copy(), state["tile"].copy()
            self.blocks = int(state["blocks"])
        self._plugs = self._plug_in_bets(self._recent, self._recent_rows, slice(None))

    def counts(self, codes: Codes) -> FloatArray:
        """Rows per bin in each block, (rows, blocks, width), from codes (rows, blocks * 5)."""
        rows, blocks, width = len(codes), codes.shape[1] // BLOCK, self.binning.width
        first = np.arange(rows * blocks).reshape(rows, blocks, 1) * width
        flat = np.add(codes.reshape(rows, blocks, BLOCK), first, dtype=np.intp).reshape(-1)
        return np.bincount(flat, minlength=rows * blocks * width).reshape(rows, blocks, width).astype(np.float64)

    def run(self, counts: FloatArray) -> Iterator[tuple[int, int, FloatArray]]:
        """Take blocks, pausing before each refresh of the plug-in bets.

        Parameters
        ----------
        counts : float64 (rows, blocks, width)
            What `counts` returned.

        Yields
        ------
        start, stop : int
            Range of blocks taken.
        levels : float64 (stop - start, rows)
            S after each of them.
        """
        edges = self._edges(counts.shape[1])
        plugs = self._remember(counts, edges)  # all at once: what the plug-ins bet depends on rows, not on gains
        growth = np.empty((counts.shape[1], *self._gain.shape))
        fixed = self._fixed.shape[2]
        growth[:, :, :fixed] = (counts @ self._fixed).transpose(1, 0, 2)
        for (start, stop), bets in zip(pairwise(edges), plugs, strict=False):
            growth[start:stop, :, fixed:] = (counts[:, start:stop] @ bets).transpose(1, 0, 2)
        np.exp(growth, out=growth)
        restarted = np.empty_like(self._gain)
        for (start, stop), bets in zip(pairwise(edges), plugs, strict=False):
            self._plugs = bets
            gain, path = self._gain, growth[start:stop]
            with np.errstate(over="ignore"):
                for block in path:  # becomes R after that block
                    np.add(gain, 1.0, out=restarted)
                    gain = np.multiply(restarted, block, out=block)
                levels = _levels(path, self._weights)
            self._gain = gain.copy()
            self.blocks += stop - start
            yield start, stop, levels
            if self.blocks * BLOCK % TILE == 0:
                np.minimum(self._gain, _CEILING, out=self._gain)
        self._plugs = plugs[-1]

    def _edges(self, blocks: int) -> list[int]:
        """Where the tiles begin within the next `blocks` blocks, and their end."""
        size = TILE // BLOCK
        return [0, *range(size - self.blocks % size, blocks, size), blocks]

    def rerun(self, row: int, counts: FloatArray) -> FloatArray:
        """Set R of a stream to 0 and take its last blocks again; return S after each. Only between the steps of `run`.

        Parameters
        ----------
        counts : float64 (blocks, width)
            Rows per bin in those blocks; all within the present tile; may be empty.
        """
        path = np.exp(np.concatenate([counts @ self._fixed[row], counts @ self._plugs[row]], axis=1))
        gain = np.zeros(self._gain.shape[1])
        for block in path:
            gain = np.multiply(1.0 + gain, block, out=block)
        self._gain[row] = gain
        return _levels(path[:, None, :], self._weights[row : row + 1])[:, 0]

    def _remember(self, counts: FloatArray, edges: Sequence[int]) -> list[FloatArray]:
        """Let the plug-ins remember these blocks; return their bets in each part between `edges`, and those after the last."""
        recent, recent_rows = [self._recent], [self._recent_rows]
        for stop, rows in zip(edges[1:], np.add.reduceat(counts, edges[:-1], axis=1).transpose(1, 0, 2), strict=True):
            self._tile += rows
            if (self.blocks + stop) * BLOCK % TILE == 0:  # the last part may end within a tile
                recent.append(recent[-1] * self._kept + self._tile[:, :, None])
                recent_rows.append(recent_rows[-1] * self._kept + self._tile.sum(axis=1)[:, None, None])
                self._tile[:] = 0
        self._recent, self._recent_rows = recent[-1], recent_rows[-1]
        if len(recent) == 1:
            return [self._plugs]
        return [self._plugs, *self._plug_in_bets(np.stack(recent[1:]), np.stack(recent_rows[1:]), slice(None))]

    def _plug_in_bets(self, recent: FloatArray, recent_rows: FloatArray, rows: slice | Rows) -> FloatArray:
        """Log-bets of the plug-ins that remember `recent`, (..., rows, width, plugs)."""
        ratio = (recent / self.shares[rows, :, None] + SHRINK_ROWS) / (recent_rows + SHRINK_ROWS)
        return on_grid(np.log(ratio) / self._inflation[rows] - self._penalty[rows])

    def level(self, row: int) -> float:
        """S of a stream, at most 1e100."""
        return min(float(_levels(self._gain[None, row : row + 1], self._weights[row : row + 1])[0, 0]), _CEILING)

    def leading_bets(self, row: int) -> FloatArray:
        """Log-bets per bin of the component that has gained most, (width,)."""
        best = int((self._gain[row] * self._weights[row]).argmax())
        fixed = self._fixed.shape[2]
        return self._fixed[row, :, best] if best < fixed else self._plugs[row, :, best - fixed]

    def reset(self, rows: Rows) -> None:
        """Forget all that these streams have shown."""
        for memory in (self._gain, self._recent, self._recent_rows, self._tile):
            memory[rows] = 0
        self._plugs[rows] = self._plug_in_bets(self._recent[rows], self._recent_rows[rows], rows)

    def state(self) -> dict[str, object]:
        """Everything needed to go on."""
        arrays = {"gain": self._gain, "recent": self._recent, "recent_rows": self._recent_rows, "tile": self._tile}
        return {"blocks": self.blocks, **{name: array.copy() for name, array in arrays.items()}}


def _levels(path: FloatArray, weights: FloatArray) -> FloatArray:
    """S = Σ w_j R_j, (blocks, rows), from R (blocks, rows, components)."""
    return np.asarray(np.einsum("brj,rj->br", path, weights), np.float64)
