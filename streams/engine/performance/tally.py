"""What is kept of a cohort's outcomes: sums from which every metric follows, and that add up to those of many cohorts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from streams.engine.join.batches import EXCLUDED, IMPLICIT, LABELLED, UNLABELLED
from streams.engine.performance.confusion import Confusion
from streams.engine.performance.errors import Errors
from streams.engine.performance.metric import Metric, Task
from streams.engine.performance.scores import Scores

if TYPE_CHECKING:
    from streams.engine.join.batches import Closed

__all__ = ["Tally"]

Part = TypeVar("Part", Confusion, Scores, Errors)


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """The outcomes of one (view, version, segment), over one cohort or many.

    All sums are of integers, or not rounded: tallies add up to the same bits in any order, and to those of all rows at once.
    Labelled and implicit outcomes count in the metrics; of the others only the number is kept.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"}
        What the model does.
    labelled, implicit, unlabelled, excluded : int
        Rows by what is known of them: a label; negative because none came; nothing; nothing that may be used.
    confusion : Confusion or None
        Classes; None for a regression.
    scores : Scores or None
        Of a binary model.
    errors : Errors or None
        Of a regression.
    """

    task: Task
    labelled: int
    implicit: int
    unlabelled: int
    excluded: int
    confusion: Confusion | None
    scores: Scores | None
    errors: Errors | None

    @classmethod
    def of(cls, task: Task, closed: Closed, rows: NDArray[np.intp] | None = None) -> Tally:
        """Add up the rows of a closed cohort, or some of them.

        A row without a prediction, or without a score, is missing from the metrics that need one.
        """
        every = slice(None) if rows is None else rows
        status, actual, predicted = closed.status[every], closed.actual[every], closed.predicted[every]
        by_status = np.bincount(status, minlength=4).tolist()
        known = ((status == LABELLED) | (status == IMPLICIT)) & np.isfinite(actual)
        said = known & np.isfinite(predicted)
        confusion = scores = errors = None
        if task == "regression":
            errors = Errors.of(actual[said], predicted[said])
        else:
            confusion = Confusion.of(actual[said], predicted[said])
        if task == "binary":
            values = closed.scores[every]
            scored = known & np.isfinite(values)
            scores = Scores.of(values[scored], actual[scored] == 1)
        labelled, implicit, unlabelled, excluded = (by_status[which] for which in (LABELLED, IMPLICIT, UNLABELLED, EXCLUDED))
        return cls(task, labelled, implicit, unlabelled, excluded, confusion, scores, errors)

    @property
    def n(self) -> int:
        """Predictions."""
        return self.outcomes + self.unlabelled + self.excluded

    @property
    def outcomes(self) -> int:
        """Predictions whose outcome is known, or taken to be negative."""
        return self.labelled + self.implicit

    @property
    def coverage(self) -> float:
        """Share of the predictions that have a label; 0 where there are no predictions."""
        return self.labelled / self.n if self.n else 0.0

    def __add__(self, other: Tally) -> Tally:
        if self.task != other.task:
            raise ValueError(f"tally: found task {other.task!r}, expected {self.task!r}: a sum is of one model's outcomes")
        return Tally(
            self.task,
            self.labelled + other.labelled,
            self.implicit + other.implicit,
            self.unlabelled + other.unlabelled,
            self.excluded + other.excluded,
            _sum(self.confusion, other.confusion),
            _sum(self.scores, other.scores),
            _sum(self.errors, other.errors),
        )

    def metrics(self, classes: Sequence[str] = ()) -> dict[str, Metric]:
        """Return every metric that these outcomes allow, by name.

        One that needs what is not there (both classes, say) is absent, not 0.

        Parameters
        ----------
        classes : sequence of str
            Texts of the classes by code, for the names of metrics of one class: ``recall[fraud]``.
        """
        found: dict[str, Metric] = {}
        if self.scores is not None:
            found |= self.scores.metrics()
        if self.confusion is not None:
            found |= self.confusion.binary(classes) if self.task == "binary" else self.confusion.multiclass(classes)
        if self.errors is not None:
            found |= self.errors.metrics()
        return found

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, for `schemas.snapshot`."""
        state: dict[str, Any] = {"task": self.task, "rows": [self.labelled, self.implicit, self.unlabelled, self.excluded]}
        parts = {"confusion": self.confusion, "scores": self.scores, "errors": self.errors}
        return state | {name: part.state() for name, part in parts.items() if part is not None}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Tally:
        """Restore a tally."""
        confusion = Confusion.from_state(state["confusion"]) if "confusion" in state else None
        scores = Scores.from_state(state["scores"]) if "scores" in state else None
        errors = Errors.from_state(state["errors"]) if "errors" in state else None
        labelled, implicit, unlabelled, excluded = state["rows"]
        return cls(state["task"], labelled, implicit, unlabelled, excluded, confusion, scores, errors)


def _sum(a: Part | None, b: Part | None) -> Part | None:
    return None if a is None or b is None else a + b
