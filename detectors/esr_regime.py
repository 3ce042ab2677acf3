"""The law that drifted streams follow now, and the evidence that they no longer do.

While a stream is away from its reference (law p), the rows since the onset are its *regime*, with histogram q. Two CUSUMs run over
blocks of its rows: of ln p/q, "like the reference again", and of ln r/q, "unlike the regime", where r is the histogram of the last
hundred rows or so, always of rows before those it bets on. q takes in new rows while both are low: so it gets better with time, but
does not absorb a return. As with the bets of e-SR, every row pays for what a histogram of few rows doesn't know.

Either says that the regime may be over, not that the stream has returned. That is for the *odds* of p against (p + q)/2, half the
drift, in the rows that follow. Half, because q may be less than it was believed to be: all that is beyond a quarter of the drift
speaks against p. The odds of half a small shift err with the third power, so that e^(ln(A)/4) : 1 is reached in error once in
A^¾ times if q is right; where the drift is over, it takes about as many rows as ln A with q itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.base import BankState, FloatArray
from detectors.esr_statistic import SHRINK_ROWS, Rows
from detectors.esr_tables import TILE, Table, on_grid

__all__ = ["Regimes", "log_ratio"]

#: Taken from each row's bet: so many times ln(A)/n, where n is the number of rows that q was learnt from. A change that was found in
#: less than 100 rows is so large that its end is seen in spite of what they don't tell.
_TOWARDS_PENALTY, _AWAY_PENALTY, _TOWARDS_LEAST_ROWS = 0.5, 1.5, 100.0
#: Odds are even a quarter of the way from the tolerated shift ε, not from p, to the drift: so many times ε sqrt(KL/2) a row does that.
_TOLERATED = 0.75
#: Memory of q in rows: it follows slow movement, and is good enough to tell small shifts.
_MEMORY = 4000.0
#: r: rows at most at the beginning, and how much of what it holds is kept at each tile. Both come to 100 rows of weight.
_RECENT_ROWS, _RECENT_KEPT = 75.0, 0.5
#: q takes in rows while both CUSUMs are below this.
_CALM = 2.0
#: q is mixed with 20 rows of p; beyond so many rows of its own with fewer and fewer, since they would count as evidence against it.
_FEW_ROWS = 50.0
#: Rows from which q must have been learnt, times the inflation, before it can be said to have faded.
_FADED_ROWS, _MOST_FADED_ROWS = 100.0, 2000.0


class Regimes:
    """Regimes of many streams; rows are streams, and those that are not drifted stand idle.

    Parameters
    ----------
    tables : sequence of Table
        One per stream.
    shares : float64 (streams, width)
        p of each stream over all codes; 1 for codes that it does not use.
    state : mapping, optional
        What `state` returned.
    """

    def __init__(self, tables: Sequence[Table], shares: FloatArray, state: BankState | None = None) -> None:
        streams = len(tables)
        self._shares, self._used = shares, shares < 1
        self._half = np.where(self._used, 0.5, 0.0)
        self._log_a = np.array([t.log_threshold for t in tables])
        self._inflation = np.array([t.inflation for t in tables])
        self._tolerance = np.array([t.tolerance for t in tables])
        self._limits = np.repeat(self._log_a[:, None], 2, axis=1)
        self._cusums = np.zeros((streams, 2))  # towards the reference, away from the regime
        self._regime = np.zeros(shares.shape)  # rows per bin: what q is made of
        self._recent = np.zeros(shares.shape)  # r
        self._tile = np.zeros(shares.shape)  # since the last refresh
        self._bets = np.zeros((*shares.shape, 3))  # towards, away, odds
        self.odds = np.zeros(streams)  # log-odds of the reference against half the drift, in rows that are being verified
        if state is not None:
            for name, array in self._arrays().items():
                array[:] = state[name]
            self._set_bets(np.flatnonzero(self._regime.any(axis=1)))

    def begin(self, stream: int, rows: FloatArray, *, patience: float) -> float:
        """Begin a regime with `rows` per bin; leaving it for another takes `patience` times ln A.

        Returns
        -------
        float
            How much each of them told the regime from the reference, on average, in nats.
        """
        self._limits[stream] = self._log_a[stream] * np.array([1.0, patience])
        self._cusums[stream] = 0.0
        self._regime[stream] = rows
        self._recent[stream] = rows * min(1.0, _RECENT_ROWS / rows.sum())
        self._tile[stream] = 0
        return float(self._set_bets(np.array([stream]))[0] / rows.sum())

    def resume(self, stream: int, rows: FloatArray) -> None:
        """Go on with a regime that was not over; these `rows` per bin are of it too."""
        self._cusums[stream] = 0.0
        self._regime[stream] = self._regime[stream] * max(1 - rows.sum() / _MEMORY, 0.0) + rows
        self._recent[stream] = rows * min(1.0, _RECENT_ROWS / rows.sum())
        self._tile[stream] = 0
        self._set_bets(np.array([stream]))

    def is_other(self, stream: int, evidence: float, rows: int) -> bool:
        """Return whether the log-likelihood ratio of so many rows' own histogram to q is enough to tell of another regime.

        By chance it comes to half a unit per bin, and to about as much again for having been sought from many rows on.
        """
        known = self._regime[stream].sum()
        fair = evidence * known / (known + rows)  # q is a histogram too
        return bool(fair - self._used[stream].sum() >= self._limits[stream, 1])

    def take(self, streams: Rows, counts: FloatArray) -> Rows:
        """Take blocks of drifted streams, counts (streams, blocks, width), but leave out, and return, streams whose regime would end."""
        walk = counts @ self._bets[streams, :, :2]
        walk[:, 0] += self._cusums[streams]
        np.cumsum(walk, axis=1, out=walk)
        path = walk - np.minimum(np.minimum.accumulate(walk, axis=1), 0.0)  # max(0, G + bet), block after block
        quiet = (path.max(axis=1) < self._limits[streams]).all(axis=1)
        going_on = streams[quiet]
        self._cusums[going_on] = path[quiet, -1]
        self._tile[going_on] += counts[quiet].sum(axis=1)
        return np.asarray(streams[~quiet], np.int64)

    def step(self, stream: int, block: FloatArray) -> bool:
        """Take one block of a stream; return whether its regime has ended."""
        self._tile[stream] += block
        self._cusums[stream] = np.maximum(self._cusums[stream] + block @ self._bets[stream, :, :2], 0.0)
        return bool((self._cusums[stream] >= self._limits[stream]).any())

    def weigh(self, streams: Rows, counts: FloatArray) -> FloatArray:
        """Log-odds of the reference after each of these blocks, (streams, blocks), from counts (streams, blocks, width)."""
        gains = np.einsum("sbw,sw->sb", counts, self._bets[streams, :, 2])
        return np.asarray(self.odds[streams, None] + np.cumsum(gains, axis=1), np.float64)

    def refresh(self, streams: Rows) -> Rows:
        """At the end of a tile: let q and r follow the rows of drifted streams. Return those whose q has become like p.

        A short drift may be over before enough of it was seen to know its return; q then absorbs the return.
        """
        calm = streams[self._cusums[streams].max(axis=1) < _CALM]
        self._regime[calm] = self._regime[calm] * (1 - TILE / _MEMORY) + self._tile[calm]
        self._recent[streams] = self._recent[streams] * _RECENT_KEPT + self._tile[streams]
        self._tile[streams] = 0
        evidence = self._set_bets(streams)
        by_chance = self._half[streams].sum(axis=1)  # half a unit per bin
        known = self._regime[streams].sum(axis=1) >= np.minimum(_FADED_ROWS * self._inflation[streams], _MOST_FADED_ROWS)
        return np.asarray(streams[known & (evidence - by_chance < self._log_a[streams] / 2)], np.int64)

    def law(self, stream: int) -> FloatArray:
        """q of a stream, (width,)."""
        return np.asarray(self._law(np.array([stream]))[0])

    def _law(self, streams: Rows) -> FloatArray:
        """Histogram of the regime, mixed with some of p; half a row more in each bin: that none came so far does not make it impossible."""
        rows, half = self._regime[streams], self._half[streams]
        return _mixed(rows + half, self._shares[streams])

    def _set_bets(self, streams: Rows) -> FloatArray:
        """Set the bets by q and r; return how much the regime's own rows speak for q and against p, a log-likelihood ratio."""
        law, rows, inflation = self._law(streams), self._regime[streams], self._inflation[streams, None]
        n = rows.sum(axis=1, keepdims=True)
        log_a = self._log_a[streams, None]
        towards = np.log(self._shares[streams] / law) / inflation
        away = np.log(_mixed(self._recent[streams], law) / law) / inflation
        self._bets[streams, :, 0] = on_grid(towards - _TOWARDS_PENALTY * log_a / np.maximum(n, _TOWARDS_LEAST_ROWS))
        self._bets[streams, :, 1] = on_grid(away - _AWAY_PENALTY * log_a / n)
        gains = law * np.log(law / self._shares[streams])
        information = np.maximum(gains.sum(axis=1, where=self._used[streams], keepdims=True), 0.0)  # KL
        tolerated = _TOLERATED * self._tolerance[streams, None] * np.sqrt(information / 2)
        self._bets[streams, :, 2] = on_grid((tolerated - np.log((1 + law / self._shares[streams]) / 2)) / inflation)
        return -np.asarray((rows * towards).sum(axis=1))

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        names = ("limits", "cusums", "regime", "recent", "tile")
        return {"odds": self.odds, **{name: getattr(self, f"_{name}") for name in names}}

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything needed to go on."""
        return {name: array.copy() for name, array in self._arrays().items()}


def log_ratio(rows: FloatArray, old: FloatArray) -> FloatArray:
    """ln(new/old) per bin, (width,), where the new law is the histogram of `rows`, mixed with some of the old law."""
    return on_grid(np.log(_mixed(rows[None, :], old)[0] / old))


def _mixed(rows: FloatArray, prior: FloatArray) -> FloatArray:
    n = rows.sum(axis=1, keepdims=True)
    weight = SHRINK_ROWS * np.minimum(_FEW_ROWS / np.maximum(n, 1.0), 1.0) ** 2
    return np.asarray((rows + weight * prior) / (n + weight), np.float64)
