"""Watches one stream of outcomes: learns what is usual from the first of them, and then tells when that changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from detectors.histogram import OTHER
from detectors.profiling import build_reference, vocabulary_index
from schemas.config import Model, kind_of
from schemas.events import Codes, FloatArray, Int64Array
from schemas.reference import CategoricalProfile, Reference
from streams.engine.group import Group, Observation
from streams.engine.story import Series

__all__ = ["LEAST_LEARNT", "Watch"]

#: Values that a reference is learnt from at least, however many rows have passed.
LEAST_LEARNT = 200
#: Classes whose share of the labels is watched; the rest together is one more. With more of them a few thousand labels don't say what is
#: usual, and detectors take that for a change. They are those that came first: if the most frequent were chosen by the counts that are
#: learnt, shares learnt of them would be too high.
_MOST_CLASSES = 15
_WEEK_S = 7 * 24 * 3600


class Watch:
    """One subject of one version, segment and series, from its first value on.

    The reference is learnt from the first `learn` values. A subject that not every row of the series has (a missed positive needs
    a positive) learns from fewer: it begins when the series has come to `learn` rows and itself to 200 values. Where the
    configuration has the subject switched off, nothing is kept.

    Parameters
    ----------
    model : Model
        Its configuration: which detectors decide and which explain.
    subject : str
        ``loss``, ``missed_positives``, ``label``, ``label_delay`` (s) or ``label_coverage``.
    learn : int
        Rows of the series that the reference is learnt from. >= 100.
    share : float
        Part of the model's false-alarm budget, in (0, 1].
    series : str
        Name of the view that the outcomes are of (``matured``, ``age 1h``), or ``labels``.
    version : str
        Of the model: stands in the reference.
    classes : sequence of str
        Names of classes by code, where ``label`` is one of many: alerts name the class whose share has moved. It may grow.
    state : mapping, optional
        What `state` returned.

    Examples
    --------
    >>> sources = {"predictions": {"topic": "p", "fields": {"id": "id", "prediction": "y"}}}
    >>> model = Model.model_validate({"name": "fraud", "task": "binary", "sources": sources})
    >>> watch = Watch(model, "loss", learn=1000, share=1.0, series="matured")
    >>> wrong = np.arange(1500) % 20 == 0  # one in twenty
    >>> wrong[1200:] = True
    >>> seen = watch.take(wrong.astype(float), 1767608500000 + 1000 * np.arange(1500))
    >>> [(s.column, s.story.summary.partition(";")[0]) for s in seen if s.decides]
    [(1204, 'loss: error rate 5 % → 100 % since about 2026-01-05 10:41 (by prediction time)')]
    """

    def __init__(
        self,
        model: Model,
        subject: str,
        *,
        learn: int,
        share: float,
        series: str,
        version: str = "default",
        classes: Sequence[str] = (),
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self._model, self._subject, self._learn, self._share = model, subject, learn, share
        self._series, self._version, self._classes = Series(series), version, classes
        self._names: dict[int, str] = {}  # of the classes that were learnt, by code
        self._deciding = frozenset(self._series.detector(kind_of(spec)) for spec in model.plan(subject)[0])
        self._values: list[FloatArray] = []  # what is learnt from
        self._times: list[Int64Array] = []
        self._taken = 0
        self._rows = 0  # of the series, in the meantime
        self._reference: Reference | None = None
        self._group: Group | None = None
        self._drifted: set[str] = set()  # detectors that have found a change, and nothing since
        if state is not None:
            self._restore(state)

    def take(self, values: FloatArray, times: Int64Array, rows: int | None = None) -> list[Observation]:
        """Take the next values; return what was observed, by column.

        Parameters
        ----------
        values : float64 (n,)
            NaN is missing.
        times : int64 (n,)
            Prediction times, ms since the epoch; they stand in the stories as `onset` and `index` too.
        rows : int, optional
            Rows of the series that these values come from, where not every row has one: then the values are those of a cohort, whose
            edges are part of the data. By default each value is a row, and nothing depends on how values were cut.

        Returns
        -------
        list of Observation
            `column` is the index into `values`.
        """
        if not self._deciding:
            return []
        first = self._learn_from(values, times, rows) if self._group is None else 0
        if self._group is None or first == len(values):
            return []
        seen = sorted(
            self._group.take(self._coded(values[first:]), times[first:]), key=lambda seen: (seen.column, not seen.decides, seen.detector)
        )
        return [self._placed(one, first, times) for one in seen]

    def _learn_from(self, values: FloatArray, times: Int64Array, rows: int | None) -> int:
        """Learn from the values that are wanted; return how many of these there were."""
        wanted = min(self._learn - self._taken, len(values))
        if wanted:
            self._values.append(values[:wanted].copy())
            self._times.append(times[:wanted].copy())
        self._taken += wanted
        self._rows += wanted if rows is None else rows
        if self._taken >= self._learn or (self._rows >= self._learn and self._taken >= LEAST_LEARNT):
            self._begin()
        return wanted

    def _begin(self) -> None:
        values = np.concatenate(self._values)
        numbers, classes = {self._subject: values}, {}
        if self._subject == "label" and self._model.task == "multiclass":
            present, column = np.isfinite(values), np.full(len(values), -1, np.int32)
            codes, column[present] = np.unique(_told_apart(values[present]), return_inverse=True)
            self._names = {code: self._classes[code] if code < _MOST_CLASSES else OTHER for code in codes.astype(int).tolist()}
            numbers, classes = {}, {self._subject: Codes(tuple(self._names.values()), column)}
        self._reference = build_reference(
            model=self._model.name,
            version=self._version,
            origin=f"the first {self._taken} outcomes ({self._series.name})",
            times=np.concatenate(self._times),
            number_names=list(numbers),
            numbers=np.array(list(numbers.values())) if numbers else None,
            category_names=list(classes),
            categories=list(classes.values()),
        )
        self._values, self._times = [], []
        self._group = self._watching(self._reference)

    def _watching(self, reference: Reference, state: Mapping[str, Any] | None = None) -> Group:
        return Group(
            self._model,
            reference.profiles,
            rows_per_week=reference.rows_per_second * _WEEK_S,
            share=self._share,
            reference_hash=reference.content_hash,
            series=self._series,
            state=state,
        )

    def _coded(self, values: FloatArray) -> FloatArray:
        """Values as a group takes them, (1, n): a class as its index in the reference's vocabulary."""
        profile = None if self._reference is None else self._reference.profiles[self._subject]
        if not isinstance(profile, CategoricalProfile):
            return values[None, :]
        known, other = vocabulary_index(profile)
        values = _told_apart(values)
        coded = np.where(np.isnan(values), np.nan, float(other))
        for code, name in self._names.items():
            coded[values == code] = known.get(name, other)
        return coded[None, :]

    def _placed(self, seen: Observation, first: int, times: Int64Array) -> Observation:
        """Place an observation in the batch's columns and its story in prediction time; remember who is away from the reference."""
        if seen.decides:
            (self._drifted.add if seen.finding.change == "change" else self._drifted.discard)(seen.detector)
        column = seen.column + first
        story = seen.story.model_copy(update={"onset": seen.story.started_ms, "index": int(times[column])})
        return replace(seen, column=column, story=story)

    def suspicion(self) -> float:
        """How near the detectors that decide are to an alarm: statistic by threshold.

        1 while one of them is away from the reference, 0 while the reference is learnt.
        """
        if self._drifted:
            return 1.0
        said = (statistic / threshold for detector, statistic, threshold in self.scores() if detector in self._deciding)
        return max(said, default=0.0)

    def scores(self) -> Iterator[tuple[str, float, float]]:
        """Yield (detector, statistic, threshold) as they stand."""
        if self._group is not None:
            for _, kind, statistic, threshold in self._group.scores():
                yield self._series.detector(kind), statistic, threshold

    @property
    def watching(self) -> bool:
        """Whether the reference has been learnt."""
        return self._group is not None

    @property
    def reference(self) -> Reference | None:
        """What was learnt; None as long as it is being learnt."""
        return self._reference

    def state(self) -> dict[str, Any]:
        """Everything needed to go on under the same configuration."""
        return {
            "values": np.concatenate(self._values) if self._values else np.zeros(0),
            "times": np.concatenate(self._times) if self._times else np.zeros(0, np.int64),
            "rows": self._rows,
            "reference": None if self._reference is None else self._reference.to_json(),
            "group": None if self._group is None else self._group.state(),
            "names": [[code, name] for code, name in self._names.items()],
            "drifted": sorted(self._drifted),
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._rows = int(state["rows"])
        self._drifted, self._names = set(state["drifted"]), dict(state["names"])
        if state["reference"] is None:
            self._values, self._times = [state["values"].copy()], [state["times"].copy()]
            self._taken = len(self._values[0])
        else:
            self._reference = Reference.from_json(state["reference"], where="snapshot")
            self._group = self._watching(self._reference, state["group"])


def _told_apart(classes: FloatArray) -> FloatArray:
    """Codes of classes, where all beyond those that are watched have one code; NaN stays."""
    return np.minimum(classes, _MOST_CLASSES)
