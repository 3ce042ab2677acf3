"""What the engine has counted: frozen, read at scrape time. The engine knows no metrics library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import NamedTuple

from streams.engine.join.delays import DELAY_BOUNDS_MS
from streams.engine.performance import Metric, Tally

__all__ = [
    "DELAY_BOUNDS_MS",
    "ActiveAlert",
    "EngineStats",
    "LabelDelays",
    "ModelStats",
    "PerformanceRow",
    "SourceStats",
    "WorstGroup",
    "merge_neighbours",
]


@dataclass(frozen=True, slots=True)
class SourceStats:
    """One source of a model: how far it has come; `cursor` and `clock_ms` are None until it is heard of."""

    topic: str
    partition: int
    cursor: int | None
    clock_ms: int | None
    held: int
    rows: int
    idle: bool
    stalled: bool


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An episode that is firing now."""

    version: str
    segment: str
    subject: str
    kind: str
    severity: str


@dataclass(frozen=True, slots=True)
class LabelDelays:
    """How long labels took from the time of their prediction to their arrival.

    Parameters
    ----------
    counts : tuple of int
        Labels by delay: one count for each of `DELAY_BOUNDS_MS` (above the bound before, up to its own), and one for what is longer
        than the last. Not cumulative.
    sum_ms : int
        Sum of all delays, ms.
    """

    counts: tuple[int, ...] = (0,) * (len(DELAY_BOUNDS_MS) + 1)
    sum_ms: int = 0


@dataclass(frozen=True, slots=True)
class PerformanceRow:
    """How good a model was on the predictions of one cohort, or of several neighbouring ones taken together.

    Parameters
    ----------
    series : str
        When the labels were read: ``matured``, ``amended``, or an age such as ``age 1h``.
    version, segment : str
        Whose predictions; segment ``all`` or ``field=value``.
    start_ms, end_ms : int
        Event times of the predictions, [start, end).
    tally : Tally
        Their outcomes. Metrics are worked out of it when they are asked for: counters are read at every scrape.
    min_rows : int
        Fewer outcomes than that have no metrics.
    classes : tuple of str
        Texts of the classes by code.
    """

    series: str
    version: str
    segment: str
    start_ms: int
    end_ms: int
    tally: Tally
    min_rows: int
    classes: tuple[str, ...] = ()

    def metrics(self) -> dict[str, Metric]:
        """Return every metric by name, such as ``error_rate`` or ``pr_auc``; nothing while there are too few outcomes."""
        return self.tally.metrics(self.classes) if self.tally.outcomes >= self.min_rows else {}

    def __add__(self, later: PerformanceRow) -> PerformanceRow:
        """Take the next cohorts of the same series, version and segment together with these."""
        return replace(self, end_ms=later.end_ms, tally=self.tally + later.tally, classes=later.classes)


def merge_neighbours(rows: Sequence[PerformanceRow], most: int) -> list[PerformanceRow]:
    """Take neighbouring cohorts together until there are `most` (> 0) at most; figures are exactly those of all their predictions.

    Parameters
    ----------
    rows : sequence of PerformanceRow
        In order of time, of one series, version and segment.
    """
    size = max(-(-len(rows) // most), 1)
    return [reduce(add, rows[start : start + size]) for start in range(0, len(rows), size)]


class WorstGroup(NamedTuple):
    """The segment a model is worst on, by its main metric."""

    segment: str
    metric: str
    value: float


@dataclass(frozen=True, slots=True)
class ModelStats:
    """Counters of one model, since the engine was first started (they are part of its snapshot).

    Parameters
    ----------
    rows : dict
        Rows applied, by role.
    duplicates, late, forced, gaps : int
        Rows skipped as already seen; applied out of order; released before their turn because too many were held; ranges of
        offsets that never came.
    held : int
        Rows waiting for other sources now.
    faults : dict
        Values masked, by (subject, reason).
    unmonitored : dict
        Rows that no monitor watched, by reason: ``learning``, ``no_reference``, ``version_cap`` and ``segment_cap`` (more versions or
        segments than are watched; the latter's rows are still watched in *all*). ``subject_cap`` counts values of subjects beyond
        those that are learnt, not rows.
    alerts : dict
        Alerts emitted, by (kind, severity, state).
    suppressed : dict
        Changes not alerted, by reason (``cooldown``, ``repeated``, ``label_delay``, ``faster_labels``, ``more_labels``), and cohorts that
        nothing was concluded from (``coverage``, ``silence``).
    scores : dict
        (statistic, threshold) by (version, segment, subject, detector), as far as the group has come.
    labels : dict
        Labels and predictions by what became of them in the join, such as ``joined`` or ``unmatched_label``.
    label_sources : dict
        By (source, outcome): predictions that a source has labelled (``joined``), and labels by which it contradicts itself
        (``flips``). Where the configuration names no source of labels, all are ``natural``.
    label_remark : str, optional
        What the labels seen so far make doubtful about the configuration, in words.
    pending, orphans : int
        Predictions that wait for their label now, and labels that wait for their prediction.
    label_delays : LabelDelays, optional
        None when the model joins no labels; all that follows is empty then.
    open_cohorts : int
        Cohorts of predictions that are not settled yet.
    coverage : dict
        Share of predictions with a label in the newest settled cohort, by (version, series).
    performance : tuple of PerformanceRow
        What is known of all settled cohorts, in the order of series (ages from short to long, matured, amended), version, segment
        (``all`` first), time.
    model_metrics : dict
        (value, the constant classifier's value) by (version, segment, series, metric), of the newest cohorts, together a
        thousand outcomes or more.
    worst : dict
        The segment the model is worst on, by (version, series).
    """

    model: str
    rows: dict[str, int]
    duplicates: int
    late: int
    forced: int
    gaps: int
    held: int
    last_time_ms: int
    subjects: int
    drifted: int
    sources: tuple[SourceStats, ...]
    faults: dict[tuple[str, str], int]
    unmonitored: dict[str, int]
    alerts: dict[tuple[str, str, str], int]
    suppressed: dict[str, int]
    active: tuple[ActiveAlert, ...]
    scores: dict[tuple[str, str, str, str], tuple[float, float]]
    references: dict[str, tuple[int, int]]
    labels: dict[str, int] = field(default_factory=dict)
    label_sources: dict[tuple[str, str], int] = field(default_factory=dict)
    label_remark: str | None = None
    pending: int = 0
    orphans: int = 0
    label_delays: LabelDelays | None = None
    open_cohorts: int = 0
    coverage: dict[tuple[str, str], float] = field(default_factory=dict)
    performance: tuple[PerformanceRow, ...] = ()
    model_metrics: dict[tuple[str, str, str, str], tuple[float, float]] = field(default_factory=dict)
    worst: dict[tuple[str, str], WorstGroup] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counters of all models of an engine, in order of their names."""

    models: tuple[ModelStats, ...]
