"""Labels on the predictions that they are for: rules R5 to R8, for a batch at a time.

What a label does depends on the labels of the same prediction before it, and on nothing else. So a batch is taken in rounds, the
first label of every prediction, then the second; a prediction has at most `MAX_LABELS`, and so has the batch rounds.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.events import Int64Array
from streams.engine.join.batches import Labels, Rows
from streams.engine.join.delays import Delays
from streams.engine.join.entries import MAX_LABELS, Entries
from streams.engine.join.pending import Pending
from streams.engine.join.ranks import ranks

__all__ = ["Matcher"]


class _Marks:
    """Columns of some entries that labels write to: read when first wanted, written back together."""

    def __init__(self, pending: Pending, handles: Int64Array) -> None:
        self._places = pending.at(handles)
        self._read: dict[str, NDArray[Any]] = {}

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._read:
            self._read[name] = self._places.read(name)
        return self._read[name]

    def given(self, name: str) -> NDArray[Any]:
        """A column that labels don't write to."""
        return self._places.read(name)

    def write(self) -> None:
        for name, values in self._read.items():
            self._places.write(name, values)


class _Round:
    """Some labels of distinct entries, and their outcomes as they are kept."""

    def __init__(self, labels: Labels, entry: Int64Array, age: Int64Array, behind: Int64Array, outcome: NDArray[Any]) -> None:
        self.labels = labels
        self.entry = entry  # index into the marks
        self.age = age  # ms from the prediction to the label's arrival
        self.behind = behind  # ms from the prediction to the outcome
        self.outcome = outcome

    def at(self, rows: Rows) -> _Round:
        return _Round(self.labels.at(rows), self.entry[rows], self.age[rows], self.behind[rows], self.outcome[rows])


class Matcher:
    """Applies labels to entries, and counts what became of each.

    Every label is counted as exactly one of unmatched_label, excess_label, leakage_suspect, after_horizon, stale_revision,
    dup_label, retraction, joined, correction and other_source, by the longest horizon, which takes whatever any takes. Marks beside it:
    late_label (too late for some horizon), clock_skew, source_conflict.
    """

    def __init__(self, entries: Entries, counts: Counter[str], by_source: Counter[tuple[int, str]], delays: Delays) -> None:
        self._entries = entries
        self._rules = entries.rules
        self._counts = counts
        self._by_source = by_source
        self._delays = delays
        self._deadlines = [horizon + self._rules.grace for horizon in self._rules.horizons]
        self._amended = {view.horizon: entries.value(view) for view in self._rules.views if view.kind == "amended"}

    def apply(self, pending: Pending, handles: Int64Array, labels: Labels) -> None:
        """Apply labels, those of one entry in the order of their log, to the entries of these handles."""
        found, index = np.unique(handles, return_inverse=True)
        marks = _Marks(pending, found)
        times, arrivals = marks.given("time"), marks.given("time") + marks.given("arrival")
        age = labels.clocks - times[index]
        # R5 and R6. A label that comes after its prediction has expired can't be told from one that never had any.
        meets = (arrivals[index] <= labels.clocks + self._rules.wait) & (age <= self._rules.open_ms)
        self._counts["unmatched_label"] += len(meets) - int(meets.sum())
        rows = np.flatnonzero(meets)
        place = ranks(index[rows])
        full = marks["labels"][index[rows]].astype(np.int64) + place >= MAX_LABELS
        self._counts["excess_label"] += int(full.sum())
        rows, place = rows[~full], place[~full]
        if not len(rows):
            return
        marks["labels"][:] += np.bincount(index[rows], minlength=len(found)).astype(np.uint8)
        values = self._entries.outcomes(labels.values, none=self._entries.gone)
        batch = _Round(labels, index, age, labels.times - times[index], values).at(rows)
        usable = self._without_leaks(batch, marks)
        batch, place = batch.at(usable), place[usable]
        by_round = np.argsort(place, kind="stable")
        ends = np.cumsum(np.bincount(place))
        for begin, end in zip(ends - np.bincount(place), ends, strict=True):
            self._take(batch.at(by_round[begin:end]), marks)
        marks.write()

    def _without_leaks(self, batch: _Round, marks: _Marks) -> NDArray[np.bool_]:
        """R7: an outcome before its prediction is no outcome. The prediction is excluded from then on; the label says nothing else."""
        counted = self._counted(batch)
        leak = counted & (batch.behind < -self._rules.skew)
        self._counts["clock_skew"] += int((counted & (batch.behind < 0)).sum()) - int(leak.sum())
        if leak.any():
            self._counts["leakage_suspect"] += int(leak.sum())
            np.minimum.at(marks["leak"], batch.entry[leak], batch.age[leak])
        return ~leak

    def _counted(self, batch: _Round) -> NDArray[np.bool_]:
        return batch.labels.sources == 0 if self._rules.sources else np.ones(len(batch.age), bool)

    def _take(self, batch: _Round, marks: _Marks) -> None:
        """Labels of distinct entries: those that count, and those of other sources (R20)."""
        if not self._rules.sources:
            self._take_counted(batch, marks)
            return
        conflicts = self._conflicts(batch, marks)
        counted = self._counted(batch)
        if counted.any():
            self._take_counted(batch.at(counted), marks)
        if not counted.all():
            self._take_other(batch.at(~counted), marks)
        self._counts["source_conflict"] += int((self._conflicts(batch, marks) & ~conflicts).sum())

    def _take_counted(self, batch: _Round, marks: _Marks) -> None:
        self._counts["late_label"] += int((batch.age > min(self._deadlines) + self._rules.corrections).sum())
        for horizon, deadline in enumerate(self._deadlines):
            self._take_for(horizon, deadline, batch, marks)

    def _take_for(self, horizon: int, deadline: int, batch: _Round, marks: _Marks) -> None:
        """R8 for one horizon."""
        at, empty, gone = batch.entry, self._entries.empty, self._entries.gone
        taken = batch.age <= deadline + self._rules.corrections
        outcome, beyond = self._event(batch, horizon)
        taken &= ~beyond
        stale = np.zeros(len(at), bool)
        if self._rules.revisions:
            newest = marks[f"revision {horizon}"]
            stale = taken & (batch.labels.revisions >= 0) & (batch.labels.revisions < newest[at])
            taken &= ~stale
            newest[at] = np.where(taken, np.maximum(newest[at], batch.labels.revisions), newest[at])
        before = marks[self._amended[horizon]][at]
        for view in self._rules.views:
            if view.horizon == horizon:
                values = marks[self._entries.value(view)]
                old = values[at]
                # What is taken back where there is nothing leaves nothing.
                due = taken & (batch.age <= view.offset) & ((outcome != gone) | (old != empty))
                values[at] = np.where(due, outcome, old)
        first = marks[f"first {horizon}"]
        if horizon == self._rules.longest:
            self._delays.add(np.maximum(batch.age[taken & (outcome != gone) & (first[at] == self._entries.never)], 0))
        first[at] = np.where(taken & (outcome != gone), np.minimum(first[at], batch.age), first[at])
        if horizon == self._rules.longest:
            self._count(before, outcome, taken, {"after_horizon": beyond, "stale_revision": stale}, batch.age <= deadline)

    def _event(self, batch: _Round, horizon: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """What the labels say for a horizon, and which say nothing since their event lies beyond it."""
        if not self._rules.time_to_event:
            return batch.outcome, np.zeros(len(batch.age), bool)
        event = batch.outcome != self._entries.gone
        return np.where(event, 1, batch.outcome), event & (batch.behind > self._rules.horizons[horizon])

    def _count(
        self,
        before: NDArray[Any],
        outcome: NDArray[Any],
        taken: NDArray[np.bool_],
        refused: dict[str, NDArray[np.bool_]],
        in_time: NDArray[np.bool_],
    ) -> None:
        empty, gone = self._entries.empty, self._entries.gone
        same = taken & ((before == outcome) | ((before == empty) & (outcome == gone)))
        retracted = taken & ~same & (outcome == gone)
        changed = taken & ~same & ~retracted
        joined = changed & (before == empty) & in_time
        told = {**refused, "dup_label": same, "retraction": retracted, "joined": joined, "correction": changed & ~joined}
        for name, rows in told.items():
            self._counts[name] += int(rows.sum())
        if self._rules.sources:
            self._by_source[0, "joined"] += int((changed & (before == empty)).sum())
            self._by_source[0, "flips"] += int((changed & (before != empty) & (before != gone)).sum())

    def _take_other(self, batch: _Round, marks: _Marks) -> None:
        """The last value of another source is kept, and compared with the one that counts."""
        self._counts["other_source"] += len(batch.entry)
        outcome, beyond = self._event(batch, self._rules.longest)
        at, outcome, sources = batch.entry[~beyond], outcome[~beyond], batch.labels.sources[~beyond]
        values, last = marks["other value"], marks["other source"]
        known = (last[at] == sources) & self._says(values[at])
        says = self._says(outcome)
        for name, rows in (("joined", says & ~known), ("flips", says & known & (values[at] != outcome))):
            for source, count in zip(*np.unique(sources[rows], return_counts=True), strict=True):
                self._by_source[int(source), name] += int(count)
        values[at], last[at] = outcome, sources

    def _conflicts(self, batch: _Round, marks: _Marks) -> NDArray[np.bool_]:
        counted, other = (marks[name][batch.entry] for name in (self._amended[self._rules.longest], "other value"))
        differ: NDArray[np.bool_] = self._says(counted) & self._says(other) & (counted != other)
        return differ

    def _says(self, outcomes: NDArray[Any]) -> NDArray[np.bool_]:
        says: NDArray[np.bool_] = (outcomes != self._entries.empty) & (outcomes != self._entries.gone)
        return says
