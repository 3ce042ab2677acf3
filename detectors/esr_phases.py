"""What S means for a stream: it is watched, it has drifted, or it is being verified after the drift gave way to something else.

- *watch*: S >= A is a ``change``; the stream is then
- *drifted*, and silent. When the rows may no longer be those of the regime (`detectors.esr_regime`), or the regime has become like
  the reference, S starts again from 0 to
- *verify*. 200 rows or more that have good odds to be the reference's are ``back``; as long again is waited when S is then nearer to A
  than to what it would be by chance. S >= A, or odds for the drift after a long time, is a drift that goes on: in silence if the
  rows are as likely of the old regime, and if not, S >= A is a ``change`` once more, to a new one.

How long to verify is a matter of what a row tells: a shift of 1 σ is verified in 200 rows, one of an error rate from .035 to .058 in some
2000. Autocorrelated streams are verified for longer, as their bets are smaller.

Measured on 24 streams each, reference of 5000 rows, drift for 60 000 rows, false alarms 10⁶ values apart; rows are median and ninth decile:

=====================  ===============  ======================  ==============
drift                  rows to change   streams told just once  rows to back
=====================  ===============  ======================  ==============
errors .035 → .058     1760, 3200       24                      4310, 6060
errors .043 → .060     4790, 17 800     22                      6860, 11 100
+.25 σ                 350, 490         24                      540, 840
-.25 σ                 410, 670         23                      690, 1080
=====================  ===============  ======================  ==============
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detectors.base import BankState, Finding, FloatArray
from detectors.causes import CAUSES, Cause, cause_of
from detectors.esr_regime import Regimes, log_ratio
from detectors.esr_statistic import Rows, Statistic
from detectors.esr_tables import BLOCK, TILE, Direction, Table, on_grid
from detectors.esr_trail import Trail
from detectors.histogram import Codes

__all__ = ["Phases", "log_level"]

#: Rows to verify at least, for each unit of inflation, and at most. Twice as many must fit into what a trail looks back on.
_VERIFY_ROWS, _MOST_VERIFY_ROWS = 200, 800
#: Log-odds of the reference that end a drift, as a part of ln A.
_ODDS = 1 / 4
#: Rows to verify at most: so many times ln(A) by the information in a row, and a bound to that. S finds half such a drift in as many.
_PATIENCE, _MOST_PATIENCE = 4.0, 20_000
#: From the fourth change of an episode on, each one needs twice the evidence of the one before, up to 64 times; a regime that lasted so
#: many rows ends that. A stream that wanders is told of ever less often, and one that jumps every now and then each time.
_FREE_CHANGES, _MOST_DOUBLINGS, _SETTLED_ROWS = 3, 6, 4000
_MOST_LEVEL = 1e100


class _Phase(IntEnum):
    WATCH = 0
    DRIFTED = 1
    VERIFY = 2


class Phases:
    """Phases of many streams.

    Parameters
    ----------
    tables : sequence of Table
        One per stream.
    statistic : Statistic
        Their S: started again when a stream is to be verified.
    trail : Trail
        Their last rows.
    direction : {"both", "up"}
        ``up``: only a higher location was looked for, so that is the cause.
    state : mapping, optional
        What `state` returned.
    """

    def __init__(
        self, tables: Sequence[Table], statistic: Statistic, trail: Trail, *, direction: Direction, state: BankState | None = None
    ) -> None:
        streams = len(tables)
        self._tables, self._statistic, self._trail, self._direction = tables, statistic, trail, direction
        self._regimes = Regimes(tables, statistic.shares, None if state is None else state["regimes"])
        self._log_a = np.array([t.log_threshold for t in tables])
        self._a = np.exp(self._log_a)
        self._least = np.array([min(_VERIFY_ROWS * math.ceil(t.inflation), _MOST_VERIFY_ROWS) for t in tables], np.int64)
        self._patience = self._least.copy()  # rows to verify at most
        self._phase = np.zeros(streams, np.int64)
        self._since = np.zeros(streams, np.int64)  # first value of the present law, as believed
        self._verify_from = np.zeros(streams, np.int64)
        self._changes = np.zeros(streams, np.int64)  # of the present episode that followed each other closely
        self._cause = np.zeros(streams, np.int64)  # of the last change
        if state is not None:
            for name, array in self._arrays().items():
                array[:] = state[name]

    def advance(self, levels: FloatArray, counts: FloatArray, first: int) -> list[Finding]:
        """Take blocks of one tile.

        Parameters
        ----------
        levels : float64 (blocks, streams)
            S after each block.
        counts : float64 (streams, blocks, width)
            Rows per bin in each block.
        first : int
            Index of the first value of the first block.
        """
        above = levels >= self._a
        if not self._phase.any() and not above.any():
            return []
        eventful = above.any(axis=0) & (self._phase != _Phase.DRIFTED)
        drifted = np.flatnonzero(self._phase == _Phase.DRIFTED)
        if len(drifted):
            eventful[self._regimes.take(drifted, counts[drifted])] = True
        verified = np.flatnonzero((self._phase == _Phase.VERIFY) & ~eventful)
        if len(verified):
            decided, odds = self._weigh(verified, levels[:, verified].T, counts[verified], first)
            eventful[verified[decided]] = True
            self._regimes.odds[verified[~decided]] = odds[~decided, -1]
        findings: list[Finding] = []
        for stream in np.flatnonzero(eventful).tolist():
            findings += self._step_through(stream, levels[:, stream].copy(), counts[stream], first)
        end = first + len(levels) * BLOCK
        if end % TILE == 0:
            self._refresh(end)
        return findings

    def _refresh(self, end: int) -> None:
        drifted = np.flatnonzero(self._phase == _Phase.DRIFTED)
        if len(drifted):
            for stream in self._regimes.refresh(drifted).tolist():
                self._verify(stream, end)
                self._statistic.rerun(stream, np.zeros((0, self._statistic.binning.width)))

    def _step_through(self, stream: int, levels: FloatArray, counts: FloatArray, first: int) -> list[Finding]:
        """Take blocks of one stream one by one."""
        findings = []
        for i, block in enumerate(counts):
            end = first + (i + 1) * BLOCK
            match self._phase[stream]:
                case _Phase.WATCH:
                    if levels[i] >= self._a[stream]:
                        findings.append(self._leave_reference(stream, levels[i], end))
                case _Phase.DRIFTED:
                    if self._regimes.step(stream, block):
                        self._verify(stream, end)
                        levels[i + 1 :] = self._statistic.rerun(stream, counts[i + 1 :])
                case _:
                    one = np.array([stream])
                    decided, odds = self._weigh(one, levels[None, i : i + 1], block[None, None], end - BLOCK)
                    self._regimes.odds[one] = odds[:, -1]
                    if decided[0] and odds[0, -1] > 0 and levels[i] < self._a[stream]:
                        findings.append(self._return(stream, levels[i], end))
                    elif decided[0] or levels[i] >= self._a[stream]:
                        findings += self._leave_regime(stream, levels[i], end)
        return findings

    def _weigh(self, streams: Rows, levels: FloatArray, counts: FloatArray, first: int) -> tuple[NDArray[np.bool_], FloatArray]:
        """Return whether the odds of the reference end the verification of each stream within these blocks, and these odds after each."""
        odds = self._regimes.weigh(streams, counts)
        rows = first + BLOCK * np.arange(1, counts.shape[1] + 1) - self._verify_from[streams, None]
        least, most = self._least[streams, None], self._patience[streams, None]
        # By chance S is about the number of blocks; what is above the geometric mean of that and A is nearer to A.
        promising = levels * levels >= self._a[streams, None] * least / BLOCK
        sure = odds >= _ODDS * self._log_a[streams, None]
        due = rows >= np.where(promising, 2, 1) * np.where(sure, least, most)
        return np.asarray(due.any(axis=1), np.bool_), odds

    def _verify(self, stream: int, end: int) -> None:
        self._phase[stream] = _Phase.VERIFY
        self._verify_from[stream] = end
        self._regimes.odds[stream] = 0.0

    def _leave_reference(self, stream: int, level: float, end: int) -> Finding:
        start, codes = self._look_back(stream, end)
        rough = _change_point(codes, self._statistic.leading_bets(stream))
        onset = _change_point(codes, log_ratio(self._histogram(codes[rough:]), self._statistic.shares[stream]))
        return self._drift(stream, level, start + onset, end, codes[onset:])

    def _leave_regime(self, stream: int, level: float, end: int) -> list[Finding]:
        """Tell what followed on the regime, or go on in silence if it was not over after all."""
        start, codes = self._look_back(stream, end)
        onset, evidence = _change_point_to_any(codes, self._regimes.law(stream))
        if self._regimes.is_other(stream, evidence, len(codes) - onset):
            if level < self._a[stream]:
                return [self._return(stream, level, end)]
            return [self._drift(stream, level, start + onset, end, codes[onset:])]
        self._phase[stream] = _Phase.DRIFTED
        self._regimes.resume(stream, self._histogram(codes[max(int(self._verify_from[stream]) - start, 0) :]))
        return []

    def _drift(self, stream: int, level: float, onset: int, end: int, codes: Codes) -> Finding:
        regime = self._histogram(codes)
        settled = self._phase[stream] == _Phase.WATCH or onset - self._since[stream] >= _SETTLED_ROWS
        self._changes[stream] = 1 if settled else self._changes[stream] + 1
        self._phase[stream] = _Phase.DRIFTED
        self._since[stream] = onset
        self._cause[stream] = CAUSES.index(self._cause_of(stream, regime))
        doublings = min(max(int(self._changes[stream]) - _FREE_CHANGES, 0), _MOST_DOUBLINGS)
        information = self._regimes.begin(stream, regime, patience=2.0**doublings)
        patience = _PATIENCE * self._log_a[stream] / max(information, 1e-9)
        self._patience[stream] = max(min(patience, _MOST_PATIENCE), self._least[stream])
        return self._finding(stream, "change", level, onset, end)

    def _return(self, stream: int, level: float, end: int) -> Finding:
        start, codes = self._look_back(stream, end)
        onset = start + _change_point(codes, on_grid(np.log(self._statistic.shares[stream] / self._regimes.law(stream))))
        self._phase[stream] = _Phase.WATCH
        self._since[stream] = onset
        return self._finding(stream, "back", level, onset, end)

    def _look_back(self, stream: int, end: int) -> tuple[int, Codes]:
        return self._trail.look_back(stream, int(self._since[stream]), end)

    def _histogram(self, codes: Codes) -> FloatArray:
        return np.bincount(codes, minlength=self._statistic.binning.width).astype(np.float64)

    def _cause_of(self, stream: int, regime: FloatArray) -> Cause:
        if self._direction == "up":
            return "mean up"
        bins = self._tables[stream].bins
        return cause_of(bins, np.append(regime[: len(bins.counts)], regime[-1]))

    def _finding(self, stream: int, change: Literal["change", "back"], level: float, onset: int, end: int) -> Finding:
        cause = CAUSES[int(self._cause[stream])]
        return Finding(end - 1, stream, change, log_level(level), float(self._log_a[stream]), onset, cause)

    def reset(self, streams: Rows, at: int) -> None:
        """Watch these streams from value `at` on, as if they had just begun."""
        self._phase[streams] = _Phase.WATCH
        self._since[streams] = at

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        names = ("phase", "since", "verify_from", "patience", "changes", "cause")
        return {name: getattr(self, f"_{name}") for name in names}

    def state(self) -> dict[str, object]:
        """Everything needed to go on."""
        return {"regimes": self._regimes.state(), **{name: array.copy() for name, array in self._arrays().items()}}


def log_level(level: float) -> float:
    """ln S, between 0 and ln 1e100: less than S = 1 is no evidence, more means nothing more."""
    return math.log(min(max(level, 1.0), _MOST_LEVEL))


def _change_point(codes: Codes, log_ratios: FloatArray) -> int:
    """Index of the first of `codes` that follow the new law, by maximum likelihood; `log_ratios` are ln(new/old) per bin."""
    return len(codes) - 1 - int(np.cumsum(log_ratios[codes[::-1]]).argmax())


def _change_point_to_any(codes: Codes, old: FloatArray) -> tuple[int, float]:
    """Index of the first of `codes` that no longer follow the law `old`, (width,), by maximum likelihood, and that log-likelihood ratio.

    The new law may be any.
    """
    rows = np.arange(len(codes))
    counts = np.zeros((len(codes), len(old)))
    counts[rows, codes[::-1]] = 1
    np.cumsum(counts, axis=0, out=counts)  # of the last 1, 2, 3, … rows
    ratios = np.maximum(counts, 1) / (rows[:, None] + 1) / old
    evidence = (counts * np.log(ratios)).sum(axis=1)
    return len(codes) - 1 - int(evidence.argmax()), float(evidence.max())
