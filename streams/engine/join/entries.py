"""What is kept of a prediction while its labels are waited for: one row of fixed width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.events import Int64Array
from streams.engine.join.batches import Predictions
from streams.engine.join.rules import JoinRules, View

__all__ = ["MAX_LABELS", "Entries"]

#: Labels of one prediction that are looked at; beyond, they are only counted.
MAX_LABELS = 100

Columns = Mapping[str, NDArray[Any]]


class Entries:
    """Columns of an entry, and the marks by which a value says that it is none.

    An outcome is kept per view, so that a view that closes late reads what it would have read in time. Spans of time count
    from the prediction, and take 4 bytes where the rules let them.
    """

    def __init__(self, rules: JoinRules, segments: int) -> None:
        self.rules = rules
        self.segments = segments
        classes = rules.task != "regression"
        self._outcome = np.dtype("<i2" if classes else "<f8")
        #: No label came; the label was taken back. Codes are not negative, numbers are finite.
        self.empty: float = -1 if classes else -np.inf
        self.gone: float = -2 if classes else np.inf
        longest = max(rules.open_ms, rules.future + rules.wait, rules.lateness)
        self._span = np.dtype("<i4" if longest < 2**31 - 1 else "<i8")
        #: No label has arrived: later than any deadline.
        self.never = int(np.iinfo(self._span).max)
        horizons = range(len(rules.horizons))
        self._marks: dict[str, tuple[np.dtype[Any], float]] = {
            **{self.value(view): (self._outcome, self.empty) for view in rules.views},
            **{f"first {h}": (self._span, self.never) for h in horizons},
            "leak": (self._span, self.never),
            "labels": (np.dtype("u1"), 0),
        }
        if rules.revisions:
            self._marks |= {f"revision {h}": (np.dtype("<i8"), -1) for h in horizons}
        if rules.sources:
            self._marks |= {"other value": (self._outcome, self.empty), "other source": (np.dtype("<i2"), 0)}

    @staticmethod
    def value(view: View) -> str:
        """Name of the column that holds a view's outcome."""
        return f"value {view.name}"

    @property
    def columns(self) -> dict[str, str]:
        """Name and dtype of every column."""
        given = {"time": "<i8", "arrival": self._span.str, "predicted": self._outcome.str, "score": "<f8", "version": "<i4"}
        given |= {f"segment {index}": "<i4" for index in range(self.segments)}
        return given | {name: dtype.str for name, (dtype, _) in self._marks.items()}

    @property
    def mutable(self) -> tuple[str, ...]:
        """Names of the columns that labels write to."""
        return tuple(self._marks)

    def fresh(self, given: Predictions, rows: Int64Array) -> dict[str, NDArray[Any]]:
        """Entries for these rows, without labels."""
        times = given.times[rows]
        return {
            "time": times,
            "arrival": (given.clocks[rows] - times).astype(self._span),
            "predicted": self.outcomes(given.predicted[rows]),
            "score": given.scores[rows],
            "version": given.versions[rows],
            **{f"segment {index}": given.segments[index][rows] for index in range(self.segments)},
            **{name: np.full(len(rows), none, dtype) for name, (dtype, none) in self._marks.items()},
        }

    def outcomes(self, values: NDArray[np.float64], none: float | None = None) -> NDArray[Any]:
        """Values as they are kept; `none` (by default: empty) for NaN."""
        return np.where(np.isnan(values), self.empty if none is None else none, values).astype(self._outcome)

    def numbers(self, outcomes: NDArray[Any]) -> NDArray[np.float64]:
        """Outcomes as values; NaN for none."""
        return np.where((outcomes == self.empty) | (outcomes == self.gone), np.nan, outcomes)
