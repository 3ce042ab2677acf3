"""Makes the joiner's batches of released rows: ids become keys, classes, versions and segments become codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.config import Model
from schemas.config_labels import LabelsConfig
from schemas.decoding.label_fields import NATURAL
from schemas.errors import InvariantError
from schemas.events import Codes, Fault, FloatArray, Int32Array, Int64Array
from streams.engine.join.batches import Labels, Predictions
from streams.engine.join.keys import keys_of
from streams.engine.outcomes.class_check import Named
from streams.engine.outcomes.classes import Classes, Names, texts_of
from streams.engine.release import BoolArray, Release
from streams.engine.roster import Mine, Retired, Roster
from streams.engine.rows import RoleRows, rows_of

__all__ = ["Batches", "Intake", "cut", "labels_of"]

#: Sources of labels that are told apart, beside those that count.
_MOST_SOURCES = 100
#: Versions over the whole life of a model; the roster bounds how many there are at a time.
_MOST_VERSIONS = 1 << 30


class Batches(NamedTuple):
    """What one release has for the joiner; `*_at` is the row of the release that each comes from.

    `said_at` are the rows that say something of an outcome, usable or not, and `named` is which classes of a binary model are named.
    """

    predictions: Predictions | None
    predictions_at: Int64Array
    labels: Labels | None
    labels_at: Int64Array
    said_at: Int64Array
    named: tuple[Named, ...]
    retired: list[Retired]


class Intake:
    """Reads predictions and labels of one model.

    Parameters
    ----------
    model : Model
        Has a source of labels.
    state : mapping, optional
        What `state` returned.
    """

    def __init__(self, model: Model, state: Mapping[str, Any] | None = None) -> None:
        self._model, self._source = model, labels_of(model)
        self._numeric, self._binary = model.task == "regression", model.task == "binary"
        self._events = self._source.meaning == "time_to_event"
        saved: Mapping[str, Any] = state or {}
        self.classes = Classes(binary=self._binary, positive=model.positive, negative=model.negative, names=saved.get("classes", ()))
        self.versions = Names(most=_MOST_VERSIONS, names=saved.get("versions", ()))
        fields = saved.get("segments", [()] * len(model.segments))
        self.segments = [Names(most=model.max_segments, names=names) for names in fields]
        self.sources = Names(most=_MOST_SOURCES, names=saved.get("sources", ()))
        self._roster = Roster(model.references, saved.get("roster"))
        self.counts: Counter[str] = Counter(saved.get("counts", {}))

    def read(self, release: Release, clocks: Int64Array) -> Batches:
        """Make the batches of a release; `clocks` are those of its rows, which never decrease."""
        predictions, labels = rows_of(release, "predictions"), rows_of(release, "labels")
        made_texts, given_texts = self._texts(predictions, "prediction"), self._texts(labels, "label")
        roles = ((predictions, made_texts), (None if self._events else labels, given_texts))
        self.classes.learn([(texts, rows.at.tolist()) for rows, texts in roles if rows is not None and texts is not None])
        nothing, named = np.empty(0, np.int64), list[Named]()
        made, made_at, retired = None, nothing, list[Retired]()
        if predictions is not None:
            made, made_at, retired = self._predictions(release, predictions, made_texts, clocks, named)
        given, given_at, said_at = None, nothing, nothing
        if labels is not None:
            given, given_at, said_at = self._labels(release, labels, given_texts, named)
        return Batches(made, made_at, given, given_at, said_at, tuple(named), retired)

    def _predictions(
        self, release: Release, rows: RoleRows, texts: Codes | None, clocks: Int64Array, named: list[Named]
    ) -> tuple[Predictions, Int64Array, list[Retired]]:
        versions, retired = self._versions(rows, clocks)
        scores = rows.numbers(("score",))[0]
        predicted, beyond = self._values(rows, "prediction", texts)
        if self._binary:
            named.append(Named.of(rows.at, "predictions", predicted, beyond))
            decided = np.where(np.isfinite(scores), (scores >= self._model.threshold).astype(np.float64), np.nan)
            predicted = np.where(np.isnan(predicted), decided, predicted)
        segments = np.array([names.coded(rows.segment(i)) for i, names in enumerate(self.segments)], np.int32)
        segments = segments.reshape(len(self.segments), len(rows))
        made = ~(np.isnan(predicted) & np.isnan(scores) & rows.has_role("labels"))  # others only bring the label
        self.counts["empty_prediction"] += int((np.isnan(predicted) & np.isnan(scores) & made).sum())
        self.counts["unwatched_version"] += int(((versions < 0) & made).sum())
        watched = made & (versions >= 0)
        ids = rows.ids()
        if not watched.all():
            ids = [name for name, w in zip(ids, watched.tolist(), strict=True) if w]
        batch = Predictions(
            keys=keys_of(ids),
            times=rows.times()[watched],
            clocks=release.clocks[rows.at][watched],
            predicted=predicted[watched],
            scores=scores[watched],
            versions=versions[watched],
            segments=segments[:, watched],
        )
        return batch, rows.at[watched], retired

    def _versions(self, rows: RoleRows, clocks: Int64Array) -> tuple[Int32Array, list[Retired]]:
        codes = np.full(len(rows), -1, np.int32)
        retired = []
        places: list[tuple[int, str, Int64Array]] = []
        for step in self._roster.take(rows.versions(), clocks[rows.at]):
            match step:
                case Mine(version, columns):
                    mine = np.arange(len(rows)) if columns is None else columns
                    places.append((int(mine[0]), version, mine))
                case Retired(version, column):
                    retired.append(Retired(version, int(rows.at[column])))
        for _, version, mine in sorted(places, key=lambda place: place[:2]):  # codes in order of the rows
            codes[mine] = self.versions.code(version)
        return codes, retired

    def _labels(self, release: Release, rows: RoleRows, texts: Codes | None, named: list[Named]) -> tuple[Labels, Int64Array, Int64Array]:
        values, beyond = self._values(rows, "label", texts)
        if self._binary and not self._events:
            named.append(Named.of(rows.at, "labels", values, beyond))
        both = rows.has_role("predictions")  # such a record has no label yet where it is null
        given = np.isfinite(values) | (rows.faulty("label", Fault.NULL) & ~both)
        self.counts["unusable_label"] += int((~given & ~both).sum())
        ids = [name for name, g in zip(rows.ids(), given.tolist(), strict=True) if g]
        revisions = rows.numbers(("label revision",))[0][given]
        known = (revisions >= 0) & (revisions < 2**63)  # as they are read: also times in ns, although floats tell only some of these apart
        labels = Labels(
            keys=keys_of(ids),
            times=rows.times()[given],
            clocks=release.clocks[rows.at][given],
            values=values[given],
            revisions=np.where(known, np.where(known, revisions, 0).astype(np.int64), np.int64(-1)),
            sources=self._sources(rows)[given],
        )
        return labels, rows.at[given], rows.at[given | beyond]

    def _sources(self, rows: RoleRows) -> NDArray[np.int16]:
        """0 where the label counts in the metrics, else one more than the code of its source."""
        if self._source.fields.source is None:
            return np.zeros(len(rows), np.int16)
        column = rows.category("label source")
        values = (*column.values, NATURAL)
        given = np.where(column.codes < 0, np.int32(len(column.values)), column.codes)
        counted = np.array([value in self._source.count for value in values])[given]
        others = self.sources.coded(Codes(values, np.where(counted, np.int32(-1), given)))
        return np.where(counted, 0, np.where(others < 0, _MOST_SOURCES, others) + 1).astype(np.int16)

    def _values(self, rows: RoleRows, name: str, texts: Codes | None) -> tuple[FloatArray, BoolArray]:
        """Class code or number of each row, NaN where there is none; and where there is a class that has no code."""
        if texts is None:
            return rows.numbers((name,))[0], np.zeros(len(rows), np.bool_)
        if self._events and name == "label":  # that there is one says that it happened, whatever it is called
            return np.where(texts.codes < 0, np.nan, 1.0), np.zeros(len(rows), np.bool_)
        codes, beyond = self.classes.coded(texts)
        self.counts["unexpected_class"] += int(beyond.sum())
        return codes, beyond

    def _texts(self, rows: RoleRows | None, name: str) -> Codes | None:
        """Class that each row names; None where there are no rows, or no classes."""
        return None if rows is None or self._numeric else texts_of(rows, name, binary=self._binary)

    def segment_names(self) -> Iterator[tuple[int, int, str]]:
        """Yield (field, code, "field=value") of every value watched."""
        for index, (field, names) in enumerate(zip(self._model.segments, self.segments, strict=True)):
            for code, value in enumerate(names.names):
                yield index, code, f"{field}={value}"

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; JSON values only."""
        return {
            "classes": self.classes.state(),
            "versions": list(self.versions.names),
            "segments": [list(names.names) for names in self.segments],
            "sources": list(self.sources.names),
            "roster": self._roster.state(),
            "counts": dict(self.counts),
        }


def labels_of(model: Model) -> LabelsConfig:
    """Source of labels of a model that joins them.

    Raises
    ------
    InvariantError
        It has none.
    """
    if model.sources.labels is None:
        raise InvariantError(f"model {model.name!r}: found no source of labels, expected one")
    return model.sources.labels


def cut(batch: Predictions | Labels, rows: slice | BoolArray) -> Any:
    """Select rows of a batch."""
    return type(batch)(*(column[..., rows] if name != "keys" else column[rows] for name, column in batch._asdict().items()))
