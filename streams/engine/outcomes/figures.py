"""How good the model was, cohort by cohort, for people to look at; and one suspicion that only figures can raise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.config import Model
from streams.engine.alerting import Stream
from streams.engine.feed import Clear, Raise
from streams.engine.join.batches import Closed
from streams.engine.join.rules import View
from streams.engine.outcomes.intake import labels_of
from streams.engine.performance import ALL, CohortRecord, PerformanceHistory, Tally, Task, main_metric, worst_group
from streams.engine.stats import PerformanceRow, WorstGroup

__all__ = ["Figures", "Known"]

#: Outcomes that the newest figures are of, where there are as many: fewer make a rare class jump about.
RECENT_OUTCOMES = 1000
#: A model whose ROC-AUC is surely above this on so many outcomes, so many of them positive, has probably seen the label.
TOO_GOOD, OUTCOMES_NEEDED, POSITIVES_NEEDED = 0.99, 1000, 50


class Known(NamedTuple):
    """What closed cohorts say, for people and their dashboards.

    Parameters
    ----------
    rows : tuple of PerformanceRow
        All records, in the order of series, version, segment (all first) and time.
    coverage : dict
        Share of predictions with a label in the newest cohort, by (version, series).
    newest : dict
        (value, the constant model's) by (version, segment, series, metric), of the newest cohorts, together a thousand outcomes or more.
    worst : dict
        The segment that the model is worst on lately, by (version, series).
    """

    rows: tuple[PerformanceRow, ...]
    coverage: dict[tuple[str, str], float]
    newest: dict[tuple[str, str, str, str], tuple[float, float]]
    worst: dict[tuple[str, str], WorstGroup]


class Figures:
    """Tallies of one model's closed cohorts.

    Parameters
    ----------
    model : Model
        Has a source of labels.
    task : {"binary", "multiclass", "regression"}
        The model's.
    views : sequence of View
        In the order in which figures are shown.
    state : mapping, optional
        What `state` returned.
    """

    def __init__(self, model: Model, task: Task, views: Sequence[View], state: Mapping[str, Any] | None = None) -> None:
        self._task: Task = task
        self._least = labels_of(model).min_rows
        self._order = {view.name: place for place, view in enumerate(views)}
        self._history = PerformanceHistory(None if state is None else state["history"])
        self._known: Known | None = None
        self._pools: dict[str, tuple[Tally, int]] = {}  # by version: outcomes since the last look at ROC-AUC, and how many are positive
        if state is not None:
            self._pools = {version: (Tally.from_state(tally), positives) for version, tally, positives in state["pools"]}

    def take(self, closed: Closed, row: int, versions: Sequence[str], segments: Mapping[tuple[int, int], str]) -> Iterator[Raise | Clear]:
        """Take a cohort that closed at `row`; parameters as of `Verdicts.take`."""
        for code in np.unique(closed.versions).tolist():
            mine = np.flatnonzero(closed.versions == code)
            version = versions[code]
            tally = self._add(closed, version, ALL, mine)
            if closed.view.kind == "age":
                continue
            for (field, value), segment in segments.items():
                inside = mine[closed.segments[field, mine] == value]
                if len(inside):
                    self._add(closed, version, segment, inside)
            if closed.view.kind == "matured" and closed.view.horizon == 0 and self._task == "binary":
                positives = int((closed.actual[mine] == 1).sum())
                yield from self._look_for_leakage(version, row, tally, positives)

    def _add(self, closed: Closed, version: str, segment: str, rows: NDArray[np.intp]) -> Tally:
        tally = Tally.of(self._task, closed, rows)
        self._history.add(CohortRecord(closed.view.name, version, segment, closed.start_ms, closed.end_ms, tally))
        self._known = None
        return tally

    def _look_for_leakage(self, version: str, row: int, tally: Tally, positives: int) -> Iterator[Raise | Clear]:
        if version in self._pools:
            before, so_far = self._pools.pop(version)
            tally, positives = before + tally, so_far + positives
        if tally.outcomes < OUTCOMES_NEEDED or positives < POSITIVES_NEEDED:
            self._pools[version] = (tally, positives)
            return
        auc = tally.metrics().get("roc_auc")
        if auc is None:
            return
        stream = Stream(version, ALL, "label_leakage")
        of = f"ROC-AUC {auc.value:.4g} on {tally.outcomes} outcomes, {positives} of them positive"
        if auc.low > TOO_GOOD:
            said = f"label_leakage: {of}, which is too good: does a feature know the label, or the label the prediction?"
            yield Raise(row, stream, "label_quality", "warning", said)
        else:
            yield Clear(row, stream, f"label_leakage: {of}")

    def forget(self, version: str) -> None:
        """Drop what waits to be judged of a version that is no longer watched; its history stays to be looked at."""
        self._pools.pop(version, None)

    def known(self, classes: Sequence[str]) -> Known:
        """All there is to show; `classes` are the texts of class codes. Worked out anew only when another cohort has closed."""
        if self._known is None:
            self._known = self._work_out(tuple(classes))
        return self._known

    def _work_out(self, classes: tuple[str, ...]) -> Known:
        by_key: dict[tuple[str, str, str], list[CohortRecord]] = {}
        for record in self._history.records():
            by_key.setdefault((record.series, record.version, record.segment), []).append(record)
        keys = sorted(by_key, key=lambda key: (self._order[key[0]], key[1], key[2] != ALL, key[2]))
        recent = {key: tally for key in keys if (tally := self._recent(by_key[key])) is not None}
        figures = {
            (version, ALL, series, name): (metric.value, metric.constant)
            for (series, version, segment), tally in recent.items()
            if segment == ALL
            for name, metric in tally.metrics(classes).items()
        }
        return Known(
            rows=tuple(
                PerformanceRow(r.series, r.version, r.segment, r.start_ms, r.end_ms, r.tally, self._least, classes)
                for key in keys
                for r in by_key[key]
            ),
            coverage={
                (version, series): by_key[key][-1].tally.coverage for key in keys for series, version, segment in [key] if segment == ALL
            },
            newest=figures,
            worst=self._worst(recent, figures, classes),
        )

    def _worst(
        self,
        recent: Mapping[tuple[str, str, str], Tally],
        figures: Mapping[tuple[str, str, str, str], tuple[float, float]],
        classes: tuple[str, ...],
    ) -> dict[tuple[str, str], WorstGroup]:
        groups: dict[tuple[str, str], dict[str, Tally]] = {}
        for (series, version, segment), tally in recent.items():
            groups.setdefault((version, series), {})[segment] = tally
        found = {}
        for (version, series), tallies in groups.items():
            names = [name for v, _, s, name in figures if (v, s) == (version, series)]
            metric = main_metric(self._task, names)
            if metric is not None and (worst := worst_group(tallies, metric, self._least, classes)) is not None:
                found[version, series] = WorstGroup(worst[0], metric, worst[1].value)
        return found

    def _recent(self, records: Sequence[CohortRecord]) -> Tally | None:
        """The newest cohorts, up to so many outcomes that figures stand still; None where all together have too few."""
        tally: Tally | None = None
        for record in reversed(records):
            tally = record.tally if tally is None else record.tally + tally
            if tally.outcomes >= max(self._least, RECENT_OUTCOMES):
                break
        return tally if tally is not None and tally.outcomes >= self._least else None

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "history": self._history.state(),
            "pools": [[version, tally.state(), positives] for version, (tally, positives) in self._pools.items()],
        }
