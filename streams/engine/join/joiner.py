"""The join: predictions and labels in, cohorts with outcomes out (rules R1 to R12).

Whatever is decided compares a record with the clock of its own log, and never with what has been read of the other. So the two
logs may be read in any order and in any pieces: the same cohorts close, with the same rows, and the same counts. Three things
bound memory and are the exception, since they depend on what is held at a time; each is counted: `excess_label`,
`orphans_dropped`, `evicted`. And an id may be used again once its cohort is forgotten: that is as soon as `advance` is told to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from schemas.events import Int64Array
from streams.engine.join.apply import Matcher
from streams.engine.join.batches import Closed, Labels, Predictions
from streams.engine.join.chunk import Arrays
from streams.engine.join.closing import close
from streams.engine.join.delays import Delays
from streams.engine.join.entries import Entries
from streams.engine.join.orphans import Orphans
from streams.engine.join.pending import Pending
from streams.engine.join.ranks import groups
from streams.engine.join.rules import JoinRules

__all__ = ["Joiner"]

_NEVER = -(2**62)  # a clock before all others
_NOTHING: Mapping[str, Any] = {
    **dict.fromkeys(("pi", "lam", "evicted"), _NEVER),
    **dict.fromkeys(("pending", "orphans", "delays")),
    "counts": {},
    "by_source": [],
}


class Joiner:
    """Joins the predictions of one model with their labels.

    Parameters
    ----------
    rules : JoinRules
        How long everything is waited for.
    segments : int
        Fields by which predictions are grouped.
    arrays : Arrays, optional
        Where chunks of pending predictions go when there are more than `in_memory`.
    name : str
        What names the chunks there; the model's.
    state : mapping, optional
        What `state` returned; the new joiner goes on from there.

    Attributes
    ----------
    counts : Counter
        What became of the rows, by name: predictions (accepted), dup_prediction, id_conflict, stale_prediction, future_prediction,
        late_prediction, evicted; labels, and what `Matcher` and `Orphans` say of them.
    by_source : Counter
        (source, "joined" or "flips"): predictions that a source labelled, and labels by which it contradicts itself.
    delays : Delays
        From each prediction to its first label that counts.
    """

    def __init__(
        self,
        rules: JoinRules,
        *,
        segments: int,
        arrays: Arrays | None = None,
        in_memory: int = 2_000_000,
        name: str = "",
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self.rules = rules
        known = state or _NOTHING
        self.counts: Counter[str] = Counter(known["counts"])
        self.by_source: Counter[tuple[int, str]] = Counter({(source, what): count for source, what, count in known["by_source"]})
        self._pi, self._lam, self._evicted = int(known["pi"]), int(known["lam"]), int(known["evicted"])
        self._entries = Entries(rules, segments)
        self._pending = Pending(
            self._entries.columns, mutable=self._entries.mutable, arrays=arrays, in_memory=in_memory, name=name, state=known["pending"]
        )
        self._orphans = Orphans(rules.wait, self.counts, known["orphans"])
        self.delays = Delays(known["delays"])
        self._matcher = Matcher(self._entries, self.counts, self.by_source, self.delays)

    @property
    def pending(self) -> int:
        """Predictions that wait for labels."""
        return len(self._pending)

    def cohorts(self) -> list[int]:
        """Return the cohorts that have such predictions, sorted."""
        return self._pending.cohorts()

    @property
    def orphans(self) -> int:
        """Labels that wait for their predictions."""
        return len(self._orphans)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "pi": self._pi,
            "lam": self._lam,
            "evicted": self._evicted,
            "counts": dict(self.counts),
            "by_source": [[source, what, count] for (source, what), count in self.by_source.items()],
            "pending": self._pending.state(),
            "orphans": self._orphans.state(),
            "delays": self.delays.state(),
        }

    def predictions(self, batch: Predictions) -> None:
        """Take the next predictions of their log (R3, R4)."""
        behind = batch.clocks - batch.times
        stale, future = behind > self.rules.lateness, -behind > self.rules.future
        self.counts["stale_prediction"] += int(stale.sum())
        self.counts["future_prediction"] += int(future.sum())
        rows = np.flatnonzero(~stale & ~future)
        while len(rows):
            rows = self._admit(batch, rows)

    def labels(self, batch: Labels) -> None:
        """Take the next labels of their log (R5 to R8)."""
        self.counts["labels"] += len(batch.times)
        handles = self._pending.find(batch.keys)
        known = handles >= 0
        # R6. After expiry a prediction may be kept or not, depending on how the logs were read: such a label waits in either case.
        times = self._pending.read(handles[known], "time")
        known[known] = batch.clocks[known] - times <= self.rules.open_ms
        if known.any():
            self._matcher.apply(self._pending, handles[known], batch.at(known))
        if not known.all():
            self._orphans.add(batch.at(~known))

    def advance(self, pi: int, lam: int) -> Iterator[Closed]:
        """Say how far both logs are complete, and return what closes by that (R9 to R11); read it to its end before anything else.

        Parameters
        ----------
        pi, lam : int
            All predictions, and all labels, with a lower clock have been given, ms. A clock never goes back.

        Returns
        -------
        iterator of Closed
            By (pi, lam, cohort, view). A cohort is forgotten with its last view.
        """
        before = self._frontiers()
        self._pi, self._lam = max(self._pi, pi), max(self._lam, lam)
        self._orphans.expire(self._pi)
        after = self._frontiers()
        return self._close(before, after) if before != after else iter(())

    def _frontiers(self) -> list[int]:
        """Of each view: the first cohort that is not closed."""
        width = self.rules.cohort
        lags = [self.rules.closes_after(view) for view in self.rules.views]
        return [min((self._pi - pi - 1) // width, (self._lam - lam - 1) // width) for pi, lam in lags]

    def _close(self, before: list[int], after: list[int]) -> Iterator[Closed]:
        cohorts = self._pending.cohorts()
        width = self.rules.cohort
        due: list[tuple[int, int, int, int]] = []
        for index, view in enumerate(self.rules.views):
            pi, lam = self.rules.closes_after(view)
            begin, end = np.searchsorted(cohorts, [before[index], after[index]])
            due += [((k + 1) * width + pi, (k + 1) * width + lam, k, index) for k in cohorts[begin:end]]
        for _, _, cohort, index in sorted(due):
            yield close(self._entries, cohort, self.rules.views[index], self._pending.cohort(cohort))
            if index == len(self.rules.views) - 1:
                self._pending.drop(cohort)

    def _admit(self, batch: Predictions, rows: Int64Array) -> Int64Array:
        """Take rows until there are too many pending, and then give up the oldest cohort; return the rows that are left."""
        keys, times = batch.keys[rows], batch.times[rows]
        handles = self._pending.find(keys)
        unknown = np.flatnonzero(handles < 0)
        in_time = times[unknown] // self.rules.cohort >= max(*self._frontiers(), self._evicted + 1)
        index, firsts = groups(keys[unknown])
        # Of each id the first that is in time is kept; those before it are late, those after it are repeated.
        kept = np.full(len(firsts), len(unknown))
        np.minimum.at(kept, index[in_time], np.flatnonzero(in_time))
        new = np.sort(kept[kept < len(unknown)])
        room = self.rules.max_pending - len(self._pending)
        end = len(rows) if len(new) <= room else int(unknown[new[room]]) + 1
        new = new[: room + 1]
        late = np.arange(len(unknown)) < kept[index]
        self.counts["late_prediction"] += int((late & (unknown < end)).sum())

        added = self._add(batch, rows[unknown[new]])
        by_key = np.full(len(firsts), -1)
        by_key[index[new]] = added
        handles[unknown[~late]] = by_key[index[~late]]
        repeated = handles >= 0
        repeated[unknown[new]] = False
        repeated[end:] = False
        self._compare(batch, rows[repeated], handles[repeated])
        if len(self._pending) > self.rules.max_pending:
            self._evict()
        return rows[end:]

    def _add(self, batch: Predictions, rows: Int64Array) -> Int64Array:
        """Keep predictions, and give them the labels that waited for them."""
        keys = batch.keys[rows]
        handles = self._pending.add(batch.times[rows] // self.rules.cohort, keys, self._entries.fresh(batch, rows))
        self.counts["predictions"] += len(rows)
        index, labels = self._orphans.take(keys)
        if len(index):
            self._matcher.apply(self._pending, handles[index], labels)
        return handles

    def _compare(self, batch: Predictions, rows: Int64Array, handles: Int64Array) -> None:
        """R4: the first prediction of an id stands; another is a duplicate, or contradicts it."""
        given = self._entries.fresh(batch, rows)
        kept = self._pending.at(handles)
        same = np.ones(len(rows), bool)
        for name in ("time", "score", "predicted"):
            old, new = kept.read(name), given[name]
            same &= (old == new) | ((old != old) & (new != new))
        self.counts["dup_prediction"] += int(same.sum())
        self.counts["id_conflict"] += len(rows) - int(same.sum())

    def _evict(self) -> None:
        oldest = self._pending.cohorts()[0]
        self.counts["evicted"] += self._pending.drop(oldest)
        self._evicted = max(self._evicted, oldest)
