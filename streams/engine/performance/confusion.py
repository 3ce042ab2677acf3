"""Classes said beside classes that were: the confusion matrix, and the metrics that follow from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.events import FloatArray, Int64Array
from streams.engine.performance.intervals import f1_interval, macro_f1_interval, wilson
from streams.engine.performance.metric import Metric

__all__ = ["MOST_CLASSES", "OTHER", "Confusion"]

#: Classes told apart; those with later codes are one class, `OTHER`.
MOST_CLASSES = 50
OTHER = "other"

_WIDTH = MOST_CLASSES + 2  # the last column: said one of the other classes, but not the one that it was


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """How often each class was said where each class was true. Cells that are empty take no room.

    Parameters
    ----------
    cells : int64 (k,)
        Ascending; class that was × 52 + class that was said.
    counts : int64 (k,)
        Rows, 1 or more.
    """

    cells: Int64Array
    counts: Int64Array

    @classmethod
    def of(cls, actual: FloatArray, predicted: FloatArray) -> Confusion:
        """Count rows.

        Parameters
        ----------
        actual, predicted : float64 (n,)
            Codes of classes: whole numbers from 0.
        """
        was, said = np.minimum(actual, MOST_CLASSES), np.minimum(predicted, MOST_CLASSES)
        said = np.where((was == said) & (actual != predicted), _WIDTH - 1, said)
        cells, counts = np.unique((was * _WIDTH + said).astype(np.int64), return_counts=True)
        return cls(cells, counts.astype(np.int64))

    def __add__(self, other: Confusion) -> Confusion:
        cells, inverse = np.unique(np.concatenate([self.cells, other.cells]), return_inverse=True)
        counts = np.zeros(len(cells), np.int64)
        np.add.at(counts, inverse, np.concatenate([self.counts, other.counts]))
        return Confusion(cells, counts)

    def binary(self, classes: Sequence[str] = ()) -> dict[str, Metric]:
        """Return the metrics of a binary model: of the positive class, code 1, under plain names; then of the negative one."""
        totals = self._totals()
        of_negative = {f"{name}[{_text(0, classes)}]": metric for name, metric in totals.of_class(0)}
        return dict(totals.of_class(1)) | self._of_all(totals) | of_negative

    def multiclass(self, classes: Sequence[str] = ()) -> dict[str, Metric]:
        """Return the metrics of a model of many classes: of all together, then of each that occurs in the order of codes."""
        totals = self._totals()
        of_each = {
            f"{name}[{_text(code, classes)}]": metric
            for code in np.flatnonzero(totals.support).tolist()
            for name, metric in totals.of_class(code)
        }
        return self._of_all(totals) | of_each

    def _of_all(self, totals: _Totals) -> dict[str, Metric]:
        n, hits = totals.n, int(totals.hits.sum())
        if n == 0:
            return {}
        found: dict[str, Metric] = {}
        occurring = int(np.count_nonzero(totals.support))
        share = int(totals.support.max()) / n
        if occurring > 1:
            value = totals.macro_f1()
            interval = macro_f1_interval(*self._pairs(), self.counts, value)
            found["macro_f1"] = Metric(value, *interval, constant=2 * share / (1 + share) / occurring)
        found["accuracy"] = Metric(hits / n, *wilson(hits, n), constant=share)
        found["error_rate"] = Metric((n - hits) / n, *wilson(n - hits, n), constant=(n - int(totals.support.max())) / n)
        return found

    def _pairs(self) -> tuple[Int64Array, Int64Array, NDArray[np.bool_]]:
        """Return of each cell the class that was, the class that was said, and whether that is a hit."""
        was, said = self.cells // _WIDTH, self.cells % _WIDTH
        return was, np.minimum(said, MOST_CLASSES), was == said

    def _totals(self) -> _Totals:
        was, said, hit = self._pairs()
        support, called, hits = np.zeros((3, MOST_CLASSES + 1), np.int64)
        np.add.at(support, was, self.counts)
        np.add.at(called, said, self.counts)
        hits[was[hit]] = self.counts[hit]
        return _Totals(support, called, hits)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {"cells": self.cells.astype(np.uint16), "counts": self.counts}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Confusion:
        """Restore the matrix."""
        return cls(np.asarray(state["cells"], np.int64), np.asarray(state["counts"], np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class _Totals:
    """Rows per class, (51,): in which it was true, in which it was said, and both."""

    support: Int64Array
    called: Int64Array
    hits: Int64Array

    @property
    def n(self) -> int:
        return int(self.support.sum())

    def macro_f1(self) -> float:
        """Mean F1 of the classes that were true or said."""
        size = self.support + self.called
        return float((2 * self.hits[size > 0] / size[size > 0]).mean())

    def of_class(self, code: int) -> Iterator[tuple[str, Metric]]:
        """Yield f1, precision and recall of a class that occurs; precision only if it was ever said.

        The constant model says the most frequent class, of equals the one with the least code. What it never says it has no precision of;
        that stands as 0, as in scikit-learn.
        """
        support, called, hits = int(self.support[code]), int(self.called[code]), int(self.hits[code])
        if support == 0:
            return
        is_constant = int(self.support.argmax()) == code
        share = support / self.n if is_constant else 0.0
        f1 = 2 * hits / (support + called)
        yield "f1", Metric(f1, *f1_interval(hits, support - hits, called - hits), constant=2 * share / (1 + share))
        if called:
            yield "precision", Metric(hits / called, *wilson(hits, called), constant=share)
        yield "recall", Metric(hits / support, *wilson(hits, support), constant=float(is_constant))


def _text(code: int, classes: Sequence[str]) -> str:
    if code == MOST_CLASSES:
        return OTHER
    return classes[code] if code < len(classes) else str(code)
