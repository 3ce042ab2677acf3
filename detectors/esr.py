"""e-SR, the default verdict: one number per stream that sees shifts, spread, shape, categories, missing and unseen values.

Values are binned by the reference (`detectors.histogram`); `detectors.esr_tables` says what is staked on each bin,
`detectors.esr_statistic` adds the gains up to S, `detectors.esr_phases` decides what S means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from detectors.base import BankState, DetectorConfig, Finding, FloatArray, Reading, register
from detectors.calibration import nearest_tolerance
from detectors.esr_phases import Phases, log_level
from detectors.esr_statistic import Statistic
from detectors.esr_tables import BLOCK, Direction, Table, build_table, esr_bins
from detectors.esr_trail import Trail
from schemas.reference import Profile

__all__ = ["Esr", "EsrBank"]

#: Values of a stream taken at once, at most: bounds the memory of a large batch.
_CHUNK = 1000


@register
class Esr(DetectorConfig):
    """Mixture e-Shiryaev-Roberts detector on the reference's bins.

    A ``change`` is found when ln S reaches ln A, where A is the wanted number of values between false alarms, in blocks of 5 values:
    if the reference is exact and rows are independent, false alarms are rarer than that by theorem. While a stream is away from its
    reference it is silent, unless it changes again; ``back`` follows some 200 values after it has returned, and after a weak drift when
    about as many values as it took to find it speak for the reference.

    Parameters
    ----------
    values_between_false_alarms : float, optional
        Mean number of values per stream; by default what the model's ``false_alarms_per_week`` comes to. > 0.
    direction : {"both", "up"}
        ``up`` looks for a higher mean only: for losses.
    tolerance : float, optional
        Shifts up to this many reference standard deviations are no change; by default what the reference itself shows. >= 0.

    Examples
    --------
    >>> from detectors.profiling import profile_numbers
    >>> rng = np.random.default_rng(7)
    >>> bank = Esr().build([profile_numbers(rng.normal(size=5000))], arl0=1e6)
    >>> stream = rng.normal(size=(1, 4000))
    >>> stream[:, 1000:2000] += 1  # one standard deviation up, for a thousand values
    >>> [(f.change, f.cause, f.onset, f.index) for f in bank.update(stream)]
    [('change', 'mean up', 1001, 1024), ('back', 'mean up', 1998, 2214)]

    References
    ----------
    J. Shin, A. Ramdas, A. Rinaldo (2024), E-detectors: a nonparametric framework for sequential change detection,
    New England Journal of Statistics in Data Science 2.
    """

    kind: ClassVar[str] = "esr"
    catches: ClassVar[str] = "any change of the distribution: mean, spread, shape, category shares, missing and unseen values"
    cost_ns: ClassVar[int] = 55
    paper: ClassVar[str] = "Shin, Ramdas, Rinaldo (2024), E-detectors, arXiv:2203.03532"

    values_between_false_alarms: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="Mean number of values per stream; from the budget when not given."
    )
    direction: Direction = Field(default="both", description="'up' looks for a higher mean only: for losses.")
    tolerance: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="Shift that is no change, in reference standard deviations; what the reference itself shows when not given.",
    )

    def build(self, profiles: Sequence[Profile], *, arl0: float, state: BankState | None = None) -> EsrBank:
        """Make a bank with one row per profile; see `DetectorConfig.build`."""
        wanted = self.values_between_false_alarms or arl0
        tables = [
            build_table(
                esr_bins(profile),
                arl0=wanted,
                direction=self.direction,
                tolerance=nearest_tolerance(profile.tolerance, wanted) if self.tolerance is None else self.tolerance,
                inflation=profile.inflation,
            )
            for profile in profiles
        ]
        return EsrBank(tables, direction=self.direction, state=state)


class EsrBank:
    """e-SR over many streams; made by `Esr.build`.

    Parameters
    ----------
    tables : sequence of Table
        One per stream.
    direction : {"both", "up"}
        What the tables bet on.
    state : mapping, optional
        What `state` returned.
    """

    kind: ClassVar[str] = "esr"
    inputs: ClassVar[Literal["values", "scaled"]] = "values"

    def __init__(self, tables: Sequence[Table], *, direction: Direction, state: BankState | None = None) -> None:
        saved = state or {}
        self._log_thresholds = [t.log_threshold for t in tables]
        self._statistic = Statistic(tables, saved.get("statistic"))
        self._trail = Trail(len(tables), saved.get("trail"))
        self._phases = Phases(tables, self._statistic, self._trail, direction=direction, state=saved.get("phases"))
        self._pending: FloatArray = np.empty((len(tables), 0))  # values of a block that is not full
        self._forgotten = np.zeros(len(tables), np.int64)  # so many of them don't count
        if state is not None:
            self._pending, self._forgotten = state["pending"].copy(), state["forgotten"].copy()

    def update(self, values: FloatArray) -> list[Finding]:
        """Take the next n values of every stream, shape (rows, n); return findings by (index, row)."""
        findings: list[Finding] = []
        for start in range(0, values.shape[1], _CHUNK):
            findings += self._take(values[:, start : start + _CHUNK])
        return findings

    def _take(self, values: FloatArray) -> list[Finding]:
        if self._pending.shape[1]:
            values = np.concatenate([self._pending, values], axis=1)
        whole = values.shape[1] - values.shape[1] % BLOCK
        self._pending = values[:, whole:].copy()
        if not whole:
            return []
        codes = self._statistic.binning.codes(values[:, :whole])
        counts = self._statistic.counts(codes)
        for row in np.flatnonzero(self._forgotten).tolist():
            for code in codes[row, : self._forgotten[row]].tolist():
                counts[row, 0, code] -= 1
        self._forgotten[:] = 0
        findings: list[Finding] = []
        for start, stop, levels in self._statistic.run(counts):
            first = (self._statistic.blocks - (stop - start)) * BLOCK
            self._trail.add(codes[:, start * BLOCK : stop * BLOCK], first)
            findings += self._phases.advance(levels, counts[:, start:stop], first)
        return sorted(findings)

    def reading(self, row: int) -> Reading:
        """Return ln S and ln A of a stream: while it is verified, since its last change; else since the start or the last verification."""
        return Reading(log_level(self._statistic.level(row)), self._log_thresholds[row], self._statistic.blocks * BLOCK)

    def reset(self, rows: Sequence[int]) -> None:
        """Forget everything about these streams but their count of values."""
        chosen = np.array(rows, np.int64)
        self._statistic.reset(chosen)
        self._phases.reset(chosen, self._statistic.blocks * BLOCK + self._pending.shape[1])
        self._forgotten[chosen] = self._pending.shape[1]

    def state(self) -> BankState:
        """Return everything needed to go on; arrays are copies."""
        return {
            "statistic": self._statistic.state(),
            "phases": self._phases.state(),
            "trail": self._trail.state(),
            "pending": self._pending.copy(),
            "forgotten": self._forgotten.copy(),
        }
