"""What the join is told: how long everything is waited for, and at which deadlines a cohort is read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from schemas.config_model import Model

__all__ = ["FUTURE_MS", "JoinRules", "View"]

#: How far a prediction's time may lie ahead of its arrival (R3): clocks of decent machines differ by less.
FUTURE_MS = 300_000


@dataclass(frozen=True, slots=True)
class View:
    """A deadline at which the labels of a cohort are read; each makes a series of its own.

    Parameters
    ----------
    kind : {"age", "matured", "amended"}
        ``age``: provisional, while labels still come; ``matured``: the horizon and the grace are over; ``amended``: corrections too.
    horizon : int
        Index of the horizon it belongs to; ages belong to the first.
    offset : int
        ms after the prediction; a label that arrived by then counts.
    name : str
        ``age 1h``, ``matured``, ``amended``; of horizons but the first ``matured 30d``, ``amended 30d``.
    """

    kind: Literal["age", "matured", "amended"]
    horizon: int
    offset: int
    name: str


@dataclass(frozen=True)
class JoinRules:
    """The parameters of rules R1 to R20, in ms.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"}
        Whether labels are classes, or numbers.
    horizons : tuple of int
        H: how long after its prediction a label counts; the first is watched for concept drift. Not empty, > 0.
    grace, corrections : int
        G and C: a horizon matures at D = t + H + G; until D + C labels amend it.
    skew : int
        S: how far an outcome may lie before its prediction without being a leak.
    wait : int
        O: how long a label waits for its prediction.
    lateness, future : int
        A and F: how far a prediction's time may lie behind and ahead of its arrival.
    cohort : int
        W: width of a cohort. > 0.
    ages : tuple of int
        Offsets of the provisional views, at most the longest horizon + G + C.
    missing_negative, retraction_negative : bool
        Whether a prediction is negative when no label came, and when its label was taken back. Otherwise it is unlabelled.
    time_to_event : bool
        Whether a label says that the event happened at its time, for each horizon that reaches there.
    revisions, sources : bool
        Whether labels carry revisions, and sources: without them, nothing is kept for them.
    max_pending : int
        Predictions kept at most; beyond, the oldest cohort is given up. > 0.

    Examples
    --------
    >>> rules = JoinRules("binary", horizons=(604_800_000, 2_592_000_000), ages=(86_400_000,))
    >>> [view.name for view in rules.views]
    ['age 1d', 'matured', 'amended', 'matured 30d', 'amended 30d']
    """

    task: Literal["binary", "multiclass", "regression"]
    horizons: tuple[int, ...]
    grace: int = 3_600_000
    corrections: int = 0
    skew: int = 60_000
    wait: int = 86_400_000
    lateness: int = 3_600_000
    future: int = FUTURE_MS
    cohort: int = 3_600_000
    ages: tuple[int, ...] = ()
    missing_negative: bool = False
    retraction_negative: bool = False
    time_to_event: bool = False
    revisions: bool = True
    sources: bool = True
    max_pending: int = 10_000_000

    def __post_init__(self) -> None:
        if not self.horizons or min(self.horizons) <= 0 or self.cohort <= 0 or self.max_pending <= 0:
            found = f"horizons {self.horizons}, cohort {self.cohort}, max_pending {self.max_pending}"
            raise ValueError(f"found {found}; expected one horizon or more, and all of them above 0")
        if self.ages and max(self.ages) > self.open_ms:
            raise ValueError(f"ages: found {max(self.ages)} ms; expected at most {self.open_ms}, when a cohort is dropped")

    @classmethod
    def of(cls, model: Model, *, max_pending: int = 10_000_000) -> JoinRules:
        """Make the rules of a model as configured.

        Raises
        ------
        ValueError
            The model has no labels, or no task.
        """
        labels = model.sources.labels
        if labels is None or model.task == "none":
            raise ValueError(f"model {model.name!r}: nothing to join; expected a source of labels, and a task")
        return cls(
            task=model.task,
            horizons=labels.horizon,
            grace=labels.grace,
            corrections=labels.corrections,
            skew=labels.skew,
            wait=labels.wait,
            lateness=labels.lateness,
            cohort=labels.cohort,
            ages=labels.ages,
            missing_negative=labels.missing_label == "negative",
            retraction_negative=labels.retraction == "negative",
            time_to_event=labels.meaning == "time_to_event",
            revisions=labels.fields.revision is not None,
            sources=labels.fields.source is not None,
            max_pending=max_pending,
        )

    @property
    def longest(self) -> int:
        """Index of the longest horizon: a label that it takes is taken at all."""
        return self.horizons.index(max(self.horizons))

    @property
    def open_ms(self) -> int:
        """How long after a prediction labels are still taken: the longest horizon, grace and corrections (R6)."""
        return max(self.horizons) + self.grace + self.corrections

    @cached_property
    def views(self) -> tuple[View, ...]:
        """Deadlines at which a cohort is read: the ages, then each horizon matured and amended."""
        views = [View("age", 0, age, f"age {_in_one_unit(age)}") for age in self.ages]
        for index, horizon in enumerate(self.horizons):
            of = f" {_in_one_unit(horizon)}" if index else ""
            matured = horizon + self.grace
            views += [View("matured", index, matured, f"matured{of}"), View("amended", index, matured + self.corrections, f"amended{of}")]
        return tuple(views)

    def closes_after(self, view: View) -> tuple[int, int]:
        """Return (pi, lam): a cohort's view closes once both clocks are further than this behind the cohort's end (R10, R11).

        A prediction of the cohort has arrived by its end + A; one that a waiting label may still meet, by A + O. The amended views
        of all horizons close together, since the cohort is forgotten with them.
        """
        if view.kind == "amended":
            return self.lateness + self.wait, self.open_ms
        return self.lateness, view.offset


def _in_one_unit(ms: int) -> str:
    """A span as a name: in the largest unit that it is a multiple of, so that 30d is not 4w2d."""
    units = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000))
    return next((f"{ms // size}{unit}" for unit, size in units if ms % size == 0), f"{ms}ms")
