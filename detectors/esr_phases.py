"""What S means for a stream: it is watched, it has drifted, or it is being verified after the drift gave way to something else.

- *watch*: S >= A is a ``change``; the stream is then
- *drifted*, and silent. When the rows are no longer those of the regime (`detectors.esr_regime`; an episode is not closed in
  error more often than one is opened in error), or the regime has become like the reference, S starts again from 0 to
- *verify*: S >= A is a ``change`` once more, to a new regime. 200 rows that pass without it are ``back``; the time is doubled when
  S is then nearer to A than to what it would be by chance.

Autocorrelated streams are verified for longer, as their bets are smaller.
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

#: Rows to verify for each unit of inflation, and at most. Twice as many must fit into what a trail looks back on.
_VERIFY_ROWS, _MOST_VERIFY_ROWS = 200, 800
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
        self._patience = np.array([min(_VERIFY_ROWS * math.ceil(t.inflation), _MOST_VERIFY_ROWS) for t in tables], np.int64)
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
        eventful = (above.any(axis=0) & (self._phase == _Phase.WATCH)) | (self._phase == _Phase.VERIFY)
        drifted = np.flatnonzero(self._phase == _Phase.DRIFTED)
        if len(drifted):
            eventful[self._regimes.take(drifted, counts[drifted])] = True
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
                    if levels[i] >= self._a[stream]:
                        findings.append(self._leave_regime(stream, levels[i], end))
                    elif end >= self._verify_until(stream, levels[i]):
                        findings.append(self._return(stream, levels[i], end))
        return findings

    def _verify(self, stream: int, end: int) -> None:
        self._phase[stream] = _Phase.VERIFY
        self._verify_from[stream] = end

    def _verify_until(self, stream: int, level: float) -> int:
        """By chance S is about the number of blocks; what is above the geometric mean of that and A is nearer to A."""
        patience = int(self._patience[stream])
        promising = level * level >= self._a[stream] * patience / BLOCK
        return int(self._verify_from[stream]) + (2 * patience if promising else patience)

    def _leave_reference(self, stream: int, level: float, end: int) -> Finding:
        start, codes = self._look_back(stream, end)
        rough = _change_point(codes, self._statistic.leading_bets(stream))
        onset = _change_point(codes, log_ratio(self._histogram(codes[rough:]), self._statistic.shares[stream]))
        return self._drift(stream, level, start + onset, end, codes[onset:])

    def _leave_regime(self, stream: int, level: float, end: int) -> Finding:
        start, codes = self._look_back(stream, end)
        onset = _change_point_to_any(codes, self._regimes.law(stream))
        return self._drift(stream, level, start + onset, end, codes[onset:])

    def _drift(self, stream: int, level: float, onset: int, end: int, codes: Codes) -> Finding:
        regime = self._histogram(codes)
        settled = self._phase[stream] == _Phase.WATCH or onset - self._since[stream] >= _SETTLED_ROWS
        self._changes[stream] = 1 if settled else self._changes[stream] + 1
        self._phase[stream] = _Phase.DRIFTED
        self._since[stream] = onset
        self._cause[stream] = CAUSES.index(self._cause_of(stream, regime))
        doublings = min(max(int(self._changes[stream]) - _FREE_CHANGES, 0), _MOST_DOUBLINGS)
        self._regimes.begin(stream, regime, patience=2.0**doublings)
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
        names = ("phase", "since", "verify_from", "changes", "cause")
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


def _change_point_to_any(codes: Codes, old: FloatArray) -> int:
    """Index of the first of `codes` that no longer follow the law `old`, (width,), by maximum likelihood; the new law may be any."""
    rows = np.arange(len(codes))
    counts = np.zeros((len(codes), len(old)))
    counts[rows, codes[::-1]] = 1
    np.cumsum(counts, axis=0, out=counts)  # of the last 1, 2, 3, … rows
    ratios = np.maximum(counts, 1) / (rows[:, None] + 1) / old
    return len(codes) - 1 - int((counts * np.log(ratios)).sum(axis=1).argmax())
