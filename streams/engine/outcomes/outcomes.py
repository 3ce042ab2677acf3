"""One model's outcomes: predictions matched with their labels, what that says about the model, and about its labels.

Rows of a release → batches for the joiner → cohorts that have closed → verdicts and figures. Every cohort closes at one row: the first
at which both clocks (`streams.engine.outcomes.watermark`) have passed what it waits for. So a batch is cut only where time must not
run ahead of rows: before and after rows that are late (rule Q7), where a tile of label rows is full, and where a cohort is forgotten:
its ids may be used again then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from schemas.config import Model
from schemas.events import Int64Array
from streams.engine.feed import Clear, Raise
from streams.engine.join.batches import Closed
from streams.engine.join.chunk import Arrays
from streams.engine.join.joiner import Joiner
from streams.engine.join.rules import JoinRules
from streams.engine.monitors import Gone
from streams.engine.outcomes.class_check import ClassCheck
from streams.engine.outcomes.figures import Figures
from streams.engine.outcomes.intake import Batches, Intake, cut, labels_of
from streams.engine.outcomes.rates import TILE, Rates
from streams.engine.outcomes.verdicts import Judged, Settled, Verdicts
from streams.engine.outcomes.watermark import Watermark
from streams.engine.release import Release
from streams.engine.silence import SilenceChange
from streams.engine.stats import LabelDelays, ModelStats

__all__ = ["Outcome", "Outcomes"]

Outcome: TypeAlias = Judged | Settled | Raise | Clear | Gone


class Outcomes:
    """Joins the labels of one model and watches what comes of it.

    Parameters
    ----------
    model : Model
        Has a source of labels, and a task.
    max_pending, in_memory : int
        Predictions that wait at most; above how many of them columns go to `arrays`.
    catch_up_ms : int
        How long after a silence labels that were held up may still come.
    arrays : Arrays, optional
        Where columns of full chunks are kept; in memory when None.
    state : mapping, optional
        What `state` returned. Predictions that wait for labels are kept as long as the rules of the join are the same.
    same : bool
        Whether that state was made under the same configuration; if not, all watches start anew.
    """

    def __init__(
        self,
        model: Model,
        *,
        max_pending: int,
        in_memory: int,
        catch_up_ms: int,
        arrays: Arrays | None = None,
        state: Mapping[str, Any] | None = None,
        same: bool = True,
    ) -> None:
        self._model = model
        self._rules = JoinRules.of(model, max_pending=max_pending)
        decision = (model.positive, model.negative, model.threshold)
        self._identity = repr((self._rules, decision, model.segments, model.max_segments, model.sources.labels))
        saved: Mapping[str, Any] = state if state is not None and state["identity"] == self._identity else {}
        watched = saved if same else {}
        self._intake = Intake(model, saved.get("intake"))
        hold = labels_of(model).on_silence == "hold"
        self._watermark = Watermark(hold=hold, catch_up_ms=catch_up_ms, state=saved.get("watermark"))
        self._joiner = Joiner(
            self._rules, segments=len(model.segments), arrays=arrays, in_memory=in_memory, name=model.name, state=saved.get("joiner")
        )
        self._figures = Figures(model, self._rules.task, self._rules.views, saved.get("figures"))
        classes = self._intake.classes.names if self._rules.task == "multiclass" else ()
        self._verdicts = Verdicts(model, classes, watched.get("verdicts"))
        self._rates = Rates(saved.get("rates"))
        self._class_check = ClassCheck(self._intake.classes, saved.get("class_check"))
        self._labels_seen = int(saved.get("labels_seen", 0))
        #: Versions that have a place; predictions of others may still wait, and nothing is concluded from those.
        self._watched: set[str] = set(saved.get("watched", ()))

    def process(self, release: Release, clocks: Int64Array, silences: Sequence[SilenceChange]) -> Iterator[Outcome]:
        """Take the rows of a release, with their clocks (which never decrease); say what came of them, each at its row.

        `silences` are the sources that went silent, or were heard again, at these rows.
        """
        marks = self._watermark.released(release, clocks, silences)
        batches = self._intake.read(release, clocks)
        changes = self._changes_of_versions(batches)
        start = place = 0
        for stop in self._cuts(release, batches, self._forgotten(batches, clocks, marks), [row for row, *_ in changes]):
            for row, version, comes in changes:
                if start <= row < stop:
                    yield from self._come_or_go(row, version, comes=comes)
            for outcome in self._take(batches, clocks, marks, start, stop):
                yield replace(outcome, place=place) if isinstance(outcome, Judged | Settled) else outcome
                place += 1
            start = stop
        # What closes from now on waits for a clock that is not there yet: λ, or π and then this view's λ.
        lags = [lam - pi for pi, lam in map(self._rules.closes_after, self._rules.views)]
        self._watermark.forget(min(int(marks[-1]), int(clocks[-1]) + min(lags)))

    def _cuts(self, release: Release, batches: Batches, forgotten: Int64Array, changes: list[int]) -> list[int]:
        """Rows before which time has to be told, and the end."""
        late = np.flatnonzero(np.diff(release.late, prepend=False, append=False))
        labels = np.arange(self._labels_seen, self._labels_seen + len(batches.said_at)) + 1
        tiles = batches.said_at[labels % TILE == 0] + 1
        cuts = np.unique(np.concatenate([late, tiles, forgotten + 1, changes, [release.n]]))
        return [int(row) for row in cuts[(cuts > 0) & (cuts <= release.n)]]

    def _changes_of_versions(self, batches: Batches) -> list[tuple[int, str, bool]]:
        """Rows with which a version begins to be watched, or is watched no longer."""
        changes = [(retired.column, retired.version, False) for retired in batches.retired]
        if batches.predictions is not None:
            for code in np.unique(batches.predictions.versions).tolist():
                version, rows = self._intake.versions.names[code], batches.predictions_at[batches.predictions.versions == code]
                out = [*([] if version in self._watched else [-1]), *(row for row, gone, _ in changes if gone == version)]
                again = np.searchsorted(rows, out, side="right")
                changes += [(int(rows[i]), version, True) for i in np.unique(again[again < len(rows)])]
        return sorted(changes)

    def _come_or_go(self, row: int, version: str, *, comes: bool) -> Iterator[Gone]:
        if comes:
            self._watched.add(version)
            return
        self._watched.discard(version)
        self._verdicts.forget(version)
        self._figures.forget(version)
        yield Gone(row, version, "labels")

    def _forgotten(self, batches: Batches, clocks: Int64Array, marks: Int64Array) -> Int64Array:
        """Rows with which a cohort is forgotten; past the end for one that outlives the release."""
        pi, lam = self._rules.closes_after(self._rules.views[-1])
        cohorts = np.array(self._joiner.cohorts(), np.int64)
        if batches.predictions is not None:
            cohorts = np.union1d(cohorts, batches.predictions.times // self._rules.cohort)
        ends = (cohorts + 1) * self._rules.cohort
        return np.maximum(np.searchsorted(clocks, ends + pi, side="right"), np.searchsorted(marks, ends + lam, side="right"))

    def _take(self, batches: Batches, clocks: Int64Array, marks: Int64Array, start: int, stop: int) -> Iterator[Outcome]:
        if batches.predictions is not None:
            a, b = np.searchsorted(batches.predictions_at, (start, stop)).tolist()
            if b > a:
                self._joiner.predictions(cut(batches.predictions, slice(a, b)))
        if batches.labels is not None:
            a, b = np.searchsorted(batches.labels_at, (start, stop)).tolist()
            if b > a:
                self._joiner.labels(cut(batches.labels, slice(a, b)))
        for named in batches.named:
            self._class_check.count(named, start, stop)
        said = int(np.diff(np.searchsorted(batches.said_at, (start, stop)))[0])
        self._labels_seen += said
        closings = []
        for closed in self._joiner.advance(int(clocks[stop - 1]), int(marks[stop - 1])):
            row = max(int(np.searchsorted(clocks, closed.pi, side="right")), int(np.searchsorted(marks, closed.lam, side="right")))
            closings.append((min(max(row, start), stop - 1), closed))
        told = [what for row, closed in sorted(closings, key=lambda closing: closing[0]) for what in self._close(row, closed)]
        # Of a condition that several cohorts speak of at one row, the newest cohort decides.
        last = {(what.row, what.stream): what for what in told if isinstance(what, Raise | Clear)}
        yield from (what for what in told if not isinstance(what, Raise | Clear) or last[what.row, what.stream] is what)
        yield from self._rates.evictions(stop - 1, self._joiner.counts)
        if said and self._labels_seen % TILE == 0:
            yield from self._rates.tile(stop - 1, self._joiner.counts)
            if self._rules.task == "binary":
                yield from self._class_check.tile(stop - 1)

    def _close(self, row: int, closed: Closed) -> Iterator[Outcome]:
        versions = self._intake.versions.names
        segments = {(field, code): name for field, code, name in self._intake.segment_names()}
        yield from self._figures.take(closed, row, versions, segments)
        gone = [code for code in np.unique(closed.versions).tolist() if versions[code] not in self._watched]
        for code in gone:
            self._figures.forget(versions[code])
        closed = _without(closed, gone) if gone else closed
        if closed.view.horizon or closed.view.kind == "amended":
            return
        if self._watermark.missed(closed.lam):
            self._verdicts.suppressed["silence"] += 1
        else:
            yield from self._verdicts.take(closed, row, versions, segments)

    def fill(self, stats: ModelStats) -> ModelStats:
        """Add what is counted of labels, and how good the model was."""
        known, delays = self._figures.known(self._intake.classes.titles()), self._joiner.delays
        return replace(
            stats,
            subjects=stats.subjects + self._verdicts.subjects(),
            suppressed={**stats.suppressed, **self._verdicts.suppressed},
            scores={**stats.scores, **self._verdicts.scores()},
            labels={name: n for name, n in sorted((self._joiner.counts + self._intake.counts).items()) if n},
            label_sources=self._by_source(),
            label_remark=self._remark(),
            pending=self._joiner.pending,
            orphans=self._joiner.orphans,
            label_delays=LabelDelays(delays.counts, delays.sum_ms),
            open_cohorts=len(self._joiner.cohorts()),
            coverage=known.coverage,
            performance=known.rows,
            model_metrics=known.newest,
            worst=known.worst,
        )

    def _remark(self) -> str | None:
        if self._joiner.counts["predictions"] and not self._labels_seen:
            return (
                f"no label has come for any of {self._joiner.counts['predictions']} predictions: nothing is known of how good the model is"
            )
        return self._class_check.remark()

    def _by_source(self) -> dict[tuple[str, str], int]:
        names = [" or ".join(labels_of(self._model).count), *self._intake.sources.names]
        return {
            (names[source] if source < len(names) else "others", what): n
            for (source, what), n in sorted(self._joiner.by_source.items())
            if n
        }

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "identity": self._identity,
            "intake": self._intake.state(),
            "watermark": self._watermark.state(),
            "joiner": self._joiner.state(),
            "figures": self._figures.state(),
            "verdicts": self._verdicts.state(),
            "rates": self._rates.state(),
            "class_check": self._class_check.state(),
            "labels_seen": self._labels_seen,
            "watched": sorted(self._watched),
        }


def _without(closed: Closed, versions: Sequence[int]) -> Closed:
    """Leave predictions of some versions out of a cohort."""
    kept = ~np.isin(closed.versions, versions)
    columns = ("times", "versions", "segments", "predicted", "scores", "actual", "status", "delays")
    return replace(closed, **{name: getattr(closed, name)[..., kept] for name in columns})
