"""What a metric of a model's performance is: a value, how sure it is, and what a model that knows nothing would have got."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Metric", "Task", "badness", "main_metric"]

Task: TypeAlias = Literal["binary", "multiclass", "regression"]

_GAINS = frozenset({"pr_auc", "roc_auc", "f1", "precision", "recall", "recall_at_precision", "macro_f1", "accuracy", "r2"})
_MAIN: dict[Task, tuple[str, ...]] = {"binary": ("pr_auc", "f1"), "multiclass": ("macro_f1",), "regression": ("mae",)}


@dataclass(frozen=True, slots=True)
class Metric:
    """One number about a model, never without the numbers that it has to be read beside.

    Parameters
    ----------
    value : float
        The metric itself.
    low, high : float
        95 % confidence interval: what else the truth may well be, with so few outcomes.
    constant : float
        The metric of the best that one can do without looking at the features, on the same outcomes: to say the most frequent class
        always, the share of positives as the score, the mean or a quantile as the number. At 1 % positives its accuracy is 99 %.
    """

    value: float
    low: float
    high: float
    constant: float


def main_metric(task: Task, metrics: Collection[str]) -> str | None:
    """Return the name of the metric that speaks for the model, or None when these outcomes allow none.

    Binary ``pr_auc``, without scores ``f1``: unlike accuracy and ROC-AUC, neither can be good on rare positives that are not found.
    Multiclass ``macro_f1``, regression ``mae``.

    >>> main_metric("binary", {"accuracy", "f1"})
    'f1'
    """
    return next((name for name in _MAIN[task] if name in metrics), None)


def badness(name: str, value: float) -> float:
    """Return a number that grows as the metric gets worse, whichever way that is: gains count down, losses up, a bias either way."""
    name = name.partition("[")[0]
    if name == "bias":
        return abs(value)
    return -value if name in _GAINS else value
