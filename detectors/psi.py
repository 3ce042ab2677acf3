"""Population stability index over a sliding window, on bins frozen in the reference.

PSI = Σ (q_b - p_b) ln(q_b / p_b), with p the reference's share of a bin and q the window's. A window of n rows against a reference of
m has, while nothing changes, a PSI like (1/n + 1/m) times chi-square with one degree of freedom less than there are bins: about
0.01 for a thousand rows and ten bins, 0.1 for a hundred. So the threshold follows from n, m and the budget, not from the 0.1/0.25 rule.

Shares are smoothed by half a row per bin; clipping empty bins instead flags one undrifted window in eight when rows are few. A bin that
is empty in the reference and in the window adds nothing; missing values and values never seen have a bin each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from detectors.base import BankState, DetectorConfig, Finding, FloatArray, Reading, register
from detectors.causes import CAUSES, Cause, cause_of
from detectors.chi_square import critical_value
from detectors.histogram import Binning, Bins, Codes, category_bins, number_bins
from schemas.reference import NumericProfile, Profile

__all__ = ["Psi", "PsiBank"]

#: A stream that has drifted is back when PSI stays below so much of the threshold for a whole window.
_BACK = 0.8
#: Ten panes raise the false-alarm rate of a window sixfold, by simulation; one pane leaves it as it is; in between and beyond by line.
_RATE_PER_PANE = 5 / 9
#: Log-likelihood ratio per bin that is nothing: on average it is half a unit.
_BY_CHANCE = 1.0


@register
class Psi(DetectorConfig):
    """Population stability index of the last `window` values, evaluated at the end of each of its panes.

    A ``change`` is found at the first pane that ends with PSI above the threshold, ``back`` when PSI has stayed below 0.8 of the
    threshold for a whole window. The onset is the pane border that best separates rows like the reference from rows unlike it.

    Parameters
    ----------
    window : int
        Values compared with the reference. A multiple of `panes`.
    panes : int
        Evaluations per window, counted from the stream's start. >= 1.
    bins : int
        Bins of equal frequency in the reference, beside those of frequent single values. In [2, 20].
    threshold : float, optional
        PSI that is a change. By default it follows from the budget of false alarms; for an autocorrelated stream it is then
        multiplied by the largest inflation of its profile, which may make PSI too slow to be of use there.
    min_effect : float
        Without a threshold of your own: least PSI, less what is expected by chance, that is a change. >= 0.

    Examples
    --------
    >>> from detectors.profiling import profile_numbers
    >>> rng = np.random.default_rng(7)
    >>> bank = Psi().build([profile_numbers(rng.normal(size=5000))], arl0=1e6)
    >>> stream = rng.normal(size=(1, 4000))
    >>> stream[:, 2000:] *= 2
    >>> [(f.change, f.cause, f.onset, f.index) for f in bank.update(stream)]
    [('change', 'spread up', 2000, 2299)]

    References
    ----------
    B. Yurdakul (2018), Statistical properties of population stability index, Western Michigan University.
    """

    kind: ClassVar[str] = "psi"
    catches: ClassVar[str] = "any lasting change of the distribution, within about a window; category shares and missing values too"
    cost_ns: ClassVar[int] = 15
    paper: ClassVar[str] = "B. Yurdakul (2018), Statistical properties of population stability index"

    window: int = Field(default=1000, ge=20, description="Values compared with the reference.")
    panes: int = Field(default=10, ge=1, description="Evaluations per window.")
    bins: int = Field(default=10, ge=2, le=20, description="Bins of equal frequency in the reference.")
    threshold: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="PSI that is a change; from the budget when not given."
    )
    min_effect: float = Field(default=0.02, ge=0, allow_inf_nan=False, description="Least PSI beyond chance, without a threshold.")

    @model_validator(mode="after")
    def _panes_are_equal(self) -> Self:
        if self.window % self.panes:
            raise ValueError(f"a window of {self.window} values can't be cut into {self.panes} equal panes; expected a multiple")
        return self

    def build(self, profiles: Sequence[Profile], *, arl0: float, state: BankState | None = None) -> PsiBank:
        """Make a bank with one row per profile; see `DetectorConfig.build`."""
        bins = [self._bins_of(p) for p in profiles]
        thresholds = [self._threshold_of(b, max(p.inflation), arl0) for b, p in zip(bins, profiles, strict=True)]
        return PsiBank(self, bins, thresholds, state)

    def _bins_of(self, profile: Profile) -> Bins:
        if isinstance(profile, NumericProfile):
            percents = [round(100 * i / self.bins) for i in range(1, self.bins)]
            return number_bins(profile, percents, atom_percent=100 / self.bins)
        return category_bins(profile, least_percent=100 / self.bins)

    def _threshold_of(self, bins: Bins, inflation: float, arl0: float) -> float:
        if self.threshold is not None:
            return self.threshold
        freedom = max(int(np.count_nonzero(np.append(bins.counts, bins.missing))) - 1, 1)
        scale = (1 / self.window + 1 / max(bins.rows, 1)) * inflation
        rate = 1 + (self.panes - 1) * _RATE_PER_PANE
        p = min(self.window / arl0 / rate, 0.5)
        return scale * max(critical_value(p, freedom), freedom + self.min_effect / scale)


class PsiBank:
    """PSI over many streams; see `Psi`."""

    kind: ClassVar[str] = Psi.kind
    inputs: ClassVar[Literal["values", "scaled"]] = "values"

    def __init__(self, config: Psi, bins: Sequence[Bins], thresholds: Sequence[float], state: BankState | None = None) -> None:
        self._bins, self._binning = bins, Binning(bins)
        self._thresholds = np.array(thresholds)
        self._window, self._panes, self._pane = config.window, config.panes, config.window // config.panes
        rows, width = len(bins), self._binning.width
        self._shares = np.ones((rows, width))  # p; codes that are not used have a share of 1 here and below
        self._added = np.ones((rows, width))  # rows added to those of the window
        self._total = np.ones((rows, 1))  # rows of the window with those added
        for row, b in enumerate(bins):
            self._shares[row], self._added[row], self._total[row] = self._smoothing(b)
        self._seen = 0
        self._counts = np.zeros((rows, self._panes, width), np.int64)  # by pane, in a ring
        self._open = np.zeros((rows, width), np.int64)  # of the pane that is not full
        self._full = np.zeros(rows, np.int64)  # panes since the start or the last reset; -1 while the one it fell into lasts
        self._psi = np.zeros(rows)
        self._drifted = np.zeros(rows, bool)
        self._calm = np.zeros(rows, np.int64)  # panes in a row that ended with a low PSI, since the change
        self._return = np.zeros(rows, np.int64)  # where the first of them says that the stream came back
        self._cause = np.zeros(rows, np.int64)
        if state is not None:
            self._seen = int(state["seen"])
            for name, array in self._arrays().items():
                array[:] = state[name]

    def _smoothing(self, bins: Bins) -> tuple[FloatArray, FloatArray, float]:
        counts = np.append(bins.counts, bins.missing)
        half = 0.5 * len(counts)
        total = self._window + half
        shares = (counts + 0.5) / (bins.rows + half)
        added = np.where(counts > 0, 0.5, shares * total)  # nothing here, nothing there: equal shares
        return self._binning.laid_out(shares, fill=1.0), self._binning.laid_out(added, fill=total), total

    def update(self, values: FloatArray) -> list[Finding]:
        """Take the next n values of every stream, shape (rows, n); return findings by (index, row)."""
        findings: list[Finding] = []
        codes = self._binning.codes(values)
        start = 0
        while start < codes.shape[1]:
            stop = min(codes.shape[1], start + self._pane - self._seen % self._pane)
            self._open += self._count(codes[:, start:stop])
            self._seen += stop - start
            start = stop
            if self._seen % self._pane == 0:
                findings += self._end_pane()
        return findings

    def _count(self, codes: Codes) -> NDArray[np.int64]:
        rows, width = self._open.shape
        flat = np.add(codes, np.arange(rows)[:, None] * width, dtype=np.intp).reshape(-1)
        return np.bincount(flat, minlength=rows * width).reshape(rows, width)

    def _end_pane(self) -> list[Finding]:
        self._full += 1
        self._open[self._full == 0] = 0  # a reset fell into this pane
        self._counts[:, self._seen // self._pane % self._panes] = self._open
        self._open[:] = 0
        ready = self._full >= self._panes
        shares = (self._counts.sum(axis=1) + self._added) / self._total
        psi = ((shares - self._shares) * np.log(shares / self._shares)).sum(axis=1)
        self._psi = np.where(ready, psi, 0.0)
        self._calm = np.where(self._drifted & (self._psi < _BACK * self._thresholds), self._calm + 1, 0)
        for row in np.flatnonzero(self._calm == 1).tolist():
            self._return[row] = self._border(row, change="back")
        changed = ~self._drifted & (self._psi > self._thresholds)
        back = self._calm >= self._panes
        return [self._decide(row, "change" if changed[row] else "back") for row in np.flatnonzero(changed | back).tolist()]

    def _decide(self, row: int, change: Literal["change", "back"]) -> Finding:
        if change == "change":
            onset = self._border(row, change=change)
            self._cause[row] = CAUSES.index(self._cause_since(row, onset))
        else:
            onset = int(self._return[row])
        self._drifted[row] = change == "change"
        self._calm[row] = 0
        cause = CAUSES[int(self._cause[row])]
        return Finding(self._seen - 1, row, change, float(self._psi[row]), float(self._thresholds[row]), onset, cause)

    def _by_age(self, row: int) -> NDArray[np.int64]:
        """Rows per pane and bin, (panes, width), the oldest pane first."""
        return np.roll(self._counts[row], -(self._seen // self._pane + 1), axis=0)

    def _border(self, row: int, *, change: Literal["change", "back"]) -> int:
        """Index of the pane border that best parts the window: unlike the reference after it (``change``), or before it (``back``).

        The panes on the side that is unlike are given their own histogram; their log-likelihood ratio against the reference is greatest
        at the border. A stream that came back may have no such pane left: then the ratio is about what it is by chance.
        """
        panes = self._by_age(row) if change == "back" else self._by_age(row)[::-1]
        counts = np.cumsum(panes, axis=0)
        rows = counts.sum(axis=1, keepdims=True)
        used = self._shares[row] < 1
        bins = np.count_nonzero(used)
        shares = (counts + 0.5) / (rows + 0.5 * bins)
        gains = np.where(used, counts * np.log(shares / self._shares[row]), 0.0).sum(axis=1)
        unlike = int(gains.argmax()) + 1 if change == "change" or gains.max() > _BY_CHANCE * bins else 0
        return self._seen - (unlike if change == "change" else self._panes - unlike) * self._pane

    def _cause_since(self, row: int, onset: int) -> Cause:
        panes = (self._seen - onset) // self._pane
        counts = self._by_age(row)[-panes:].sum(axis=0).astype(np.float64)
        bins = self._bins[row]
        return cause_of(bins, np.append(counts[: len(bins.counts)], counts[-1]))

    def reading(self, row: int) -> Reading:
        """Return PSI at the end of the last pane, 0 before a window was full, and its threshold."""
        return Reading(float(self._psi[row]), float(self._thresholds[row]), min(max(int(self._full[row]), 0), self._panes) * self._pane)

    def reset(self, rows: Sequence[int]) -> None:
        """Forget everything about these streams but their count of values."""
        chosen = np.array(rows, np.int64)
        for array in self._arrays().values():
            array[chosen] = 0
        self._full[chosen] = 0 if self._seen % self._pane == 0 else -1

    def _arrays(self) -> dict[str, NDArray[Any]]:
        names = ("counts", "open", "full", "psi", "drifted", "calm", "return", "cause")
        return {name: getattr(self, f"_{name}") for name in names}

    def state(self) -> BankState:
        """Return everything needed to go on; arrays are copies."""
        return {"seen": self._seen, **{name: array.copy() for name, array in self._arrays().items()}}
