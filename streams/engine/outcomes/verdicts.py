"""What closed cohorts say about the concept, and about the feed of labels.

Each view of a version has its own watches: losses known at the age of a day are compared with losses known at the age of a day,
never with those of another age. Before a cohort counts:

* too few of its predictions have labels (and a missing label means nothing) → no verdict, ``coverage_low`` instead (rule R13);
* the delay of labels is changing → what a series of young labels says is not told (rule R14): labels that come later than they used
  to make every young cohort look worse. The matured series decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from schemas.config import Model
from schemas.events import FloatArray, Int64Array
from streams.engine.alerting import Stream
from streams.engine.episode import ALL
from streams.engine.feed import Clear, Raise
from streams.engine.group import Observation, share_of_role
from streams.engine.join.batches import EXCLUDED, LABELLED, Closed
from streams.engine.outcomes.intake import labels_of
from streams.engine.outcomes.watch import Watch

__all__ = ["COVERAGE_LOW", "Judged", "Settled", "Verdict", "Verdicts"]

#: How near to an alarm the delay of labels may be before young cohorts are not believed: half of the way, in the logarithm.
SUSPICIOUS = 0.5
#: Stream of alerts that there is no verdict.
COVERAGE_LOW = "coverage_low"
Columns: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Judged:
    """An observation of a watch, told at the row at which its cohort closed; `place` orders what is told at one row."""

    row: int
    stream: Stream
    observation: Observation
    place: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """Matured losses have been watched up to `until_ms` (prediction time): what was provisional before is confirmed, or withdrawn."""

    row: int
    stream: Stream
    until_ms: int
    place: int = 0


Verdict: TypeAlias = Judged | Settled | Raise | Clear


class Verdicts:
    """The watches of one model, fed with its closed cohorts.

    Parameters
    ----------
    model : Model
        Has a source of labels.
    classes : sequence of str
        Names of classes by code, where there are more than two; it may grow.
    state : mapping, optional
        What `state` returned, under the same configuration.
    """

    def __init__(self, model: Model, classes: Sequence[str] = (), state: Mapping[str, Any] | None = None) -> None:
        labels = labels_of(model)
        self._model, self._labels, self._classes = model, labels, classes
        self._judged_by_coverage = labels.missing_label == "unlabelled"
        self._watches: dict[tuple[str, str, str, str], Watch] = {}  # by version, segment, view, subject
        self._pools: dict[tuple[str, str], dict[str, NDArray[Any]]] = {}  # cohorts too small to be judged alone, by version and view
        self.suppressed: Counter[str] = Counter()
        self._budget = share_of_role(model)
        losses = 2 if model.task == "binary" else 1
        self._streams = (1 + len(labels.ages)) * (losses + 1) + 1 + self._judged_by_coverage
        if state is not None:
            self._watches = {
                (v, s, view, subject): self._watch(v, s, view, subject, saved) for v, s, view, subject, saved in state["watches"]
            }
            self._pools = {(version, view): dict(columns) for version, view, columns in state["pools"]}
            self.suppressed.update(state["suppressed"])

    def take(self, closed: Closed, row: int, versions: list[str], segments: Mapping[tuple[int, int], str]) -> Iterator[Verdict]:
        """Take a cohort that closed at `row`.

        Parameters
        ----------
        closed : Closed
            An age view, or the matured view of the first horizon.
        row : int
            Row of the release.
        versions : list of str
            Version by code.
        segments : mapping of (field, code) to str
            Segments that are watched, as ``field=value``.
        """
        for code in np.unique(closed.versions).tolist():
            mine = closed.versions == code
            columns = {
                "times": closed.times[mine],
                "predicted": closed.predicted[mine],
                "actual": closed.actual[mine],
                "status": closed.status[mine],
                "delays": closed.delays[mine],
                "segments": closed.segments[:, mine],
            }
            yield from self._of_version(versions[code], closed, columns, segments, row)

    def _of_version(
        self, version: str, closed: Closed, columns: Columns, segments: Mapping[tuple[int, int], str], row: int
    ) -> Iterator[Verdict]:
        view, matured = closed.view.name, closed.view.kind == "matured"
        pooled = self._pooled(version, view, columns)
        if pooled is None:
            return
        delays = pooled["delays"]
        known = delays >= 0
        yield from self._show(version, ALL, view, "label_delay", row, delays[known] / 1000, pooled["times"][known], len(delays))
        if self._judged_by_coverage:
            asked = pooled["status"] != EXCLUDED
            has_label = (pooled["status"][asked] == LABELLED).astype(np.float64)
            if matured:
                yield from self._show(version, ALL, view, "label_coverage", row, has_label, pooled["times"][asked], len(delays))
            if not len(has_label) or has_label.mean() < self._labels.min_coverage:
                if matured and len(has_label):
                    self.suppressed["coverage"] += 1
                    yield self._coverage_low(version, row, has_label, int(pooled["times"][0]))
                return
            if matured:
                yield Clear(row, Stream(version, ALL, COVERAGE_LOW), f"{COVERAGE_LOW}: {has_label.mean():.1%} of predictions have labels")
        if matured:
            known = ~np.isnan(pooled["actual"])
            yield from self._show(version, ALL, view, "label", row, pooled["actual"][known], pooled["times"][known], len(delays))
        yield from self._losses(version, ALL, view, row, pooled, np.ones(len(delays), np.bool_))
        if matured:
            for (field, code), segment in segments.items():
                inside = pooled["segments"][field] == code
                if inside.any():
                    yield from self._losses(version, segment, view, row, pooled, inside)
            for subject in self._loss_subjects():
                watch = self._watches.get((version, ALL, view, subject))
                if watch is not None and watch.watching:
                    # Sure labels get one cohort more than young ones needed: theirs end elsewhere.
                    yield Settled(row, Stream(version, ALL, subject), int(pooled["times"][-1]) - self._labels.cohort)

    def _losses(self, version: str, segment: str, view: str, row: int, columns: Columns, inside: NDArray[np.bool_]) -> Iterator[Verdict]:
        predicted, actual, times = columns["predicted"], columns["actual"], columns["times"]
        known = inside & ~np.isnan(predicted) & ~np.isnan(actual)
        wrong = _off(predicted, actual) if self._model.task == "regression" else (predicted != actual).astype(np.float64)
        seen = int(inside.sum())
        yield from self._show(version, segment, view, "loss", row, wrong[known], times[known], seen)
        if self._model.task == "binary" and segment == ALL:
            positive = known & (actual == 1)
            yield from self._show(version, segment, view, "missed_positives", row, wrong[positive], times[positive], seen)

    def _show(
        self, version: str, segment: str, view: str, subject: str, row: int, values: FloatArray, times: Int64Array, seen: int
    ) -> Iterator[Judged]:
        key = (version, segment, view, subject)
        if key not in self._watches:
            self._watches[key] = self._watch(*key, None)
        for observation in _at_once(self._watches[key].take(values, times, seen)):
            reason = self._doubt(version, view, subject, observation)
            if reason is not None:
                self.suppressed[reason] += 1
                continue
            yield Judged(row, Stream(version, segment, subject), observation)

    def _doubt(self, version: str, view: str, subject: str, seen: Observation) -> str | None:
        """Why what a detector has found is not told; None when it is."""
        if not seen.decides or seen.finding.change != "change":
            return None
        effect = seen.story.effect
        if effect is not None:  # nobody has to get up for what is better than before; young cohorts are doubted all the same
            if subject == "label_delay" and effect.current < effect.reference:
                return "faster_labels"
            if subject == "label_coverage" and effect.current > effect.reference:
                return "more_labels"
        delay = self._watches.get((version, ALL, view, "label_delay")) if seen.story.provisional else None
        return "label_delay" if delay is not None and delay.suspicion() >= SUSPICIOUS else None

    def _watch(self, version: str, segment: str, view: str, subject: str, state: Mapping[str, Any] | None) -> Watch:
        share = self._budget / (self._streams if segment == ALL else self._model.max_segments * max(len(self._model.segments), 1))
        return Watch(
            self._model, subject, learn=self._labels.learn, share=share, series=view, version=version, classes=self._classes, state=state
        )

    def _loss_subjects(self) -> tuple[str, ...]:
        return ("loss", "missed_positives") if self._model.task == "binary" else ("loss",)

    def _pooled(self, version: str, view: str, columns: Columns) -> Columns | None:
        """These rows and those kept back, when they are enough for a verdict on coverage; else None, and they are kept back too."""
        if not self._judged_by_coverage:
            return columns
        if kept := self._pools.pop((version, view), None):
            columns = {name: np.concatenate([kept[name], column], axis=-1) for name, column in columns.items()}
        if len(columns["times"]) >= self._labels.min_rows:
            return columns
        self._pools[version, view] = dict(columns)
        return None

    def _coverage_low(self, version: str, row: int, has_label: FloatArray, since_ms: int) -> Raise:
        said = (
            f"{COVERAGE_LOW}: {has_label.mean():.1%} of {len(has_label)} predictions have labels, and a verdict needs"
            f" {self._labels.min_coverage:.0%}; nothing is said about the model's performance until then"
        )
        return Raise(row, Stream(version, ALL, COVERAGE_LOW), "label_quality", "warning", said, since_ms)

    def forget(self, version: str) -> None:
        """Drop everything about a version that is no longer watched."""
        self._watches = {key: watch for key, watch in self._watches.items() if key[0] != version}
        self._pools = {key: pool for key, pool in self._pools.items() if key[0] != version}

    def subjects(self) -> int:
        """Number of (version, segment, subject) watched now."""
        return len({(version, segment, subject) for (version, segment, _, subject), watch in self._watches.items() if watch.watching})

    def scores(self) -> dict[tuple[str, str, str, str], tuple[float, float]]:
        """(statistic, threshold) by (version, segment, subject, detector); a provisional series' detector names its age."""
        return {
            (version, segment, subject, detector): (statistic, threshold)
            for (version, segment, _, subject), watch in self._watches.items()
            for detector, statistic, threshold in watch.scores()
        }

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "watches": [[*key, watch.state()] for key, watch in self._watches.items()],
            "pools": [[*key, dict(columns)] for key, columns in self._pools.items()],
            "suppressed": dict(self.suppressed),
        }


def _off(predicted: FloatArray, actual: FloatArray) -> FloatArray:
    """Size of each error; finite where both numbers are, although their difference may be too large for a float."""
    half = np.abs(predicted / 2 - actual / 2)
    return 2 * np.minimum(half, np.finfo(np.float64).max / 2)


def _at_once(observations: Sequence[Observation]) -> Iterator[Observation]:
    """Give a change what other detectors find of it in the rest of its cohort: all of that is told at one row."""
    for place, seen in enumerate(observations):
        if seen.decides and seen.finding.change == "change":
            for other in takewhile(lambda other: not other.decides, observations[place + 1 :]):
                if other.finding.change == "change" and other.story.onset <= seen.story.index and other.detector not in seen.agreeing:
                    now = {(e.detector, e.series) for e in other.story.evidence}
                    told = tuple(e for e in seen.story.evidence if (e.detector, e.series) not in now) + other.story.evidence
                    seen = replace(seen, agreeing=(*seen.agreeing, other.detector), story=seen.story.model_copy(update={"evidence": told}))
        yield seen
