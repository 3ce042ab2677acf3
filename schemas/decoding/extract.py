"""What one model takes from the records of one topic: rows, by column.

A model may use a topic in several roles; all its roles there make one block, because duplicates are told by the offsets of a
source (rule Q4). Each role brings its own columns by its own paths. What a row has once (id, time, version, model) is taken from
the first of the roles' mappings that finds it, in the order predictions, features, labels; ``$timestamp`` is tried last. So is
the time of arrival, which is Kafka's timestamp where it is not mapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from schemas.config import Fields, Model, SourceConfig
from schemas.dead_letters import Rejection
from schemas.decoding.admission import MAX_ID, Admission
from schemas.decoding.cells import Cells, encode_strings, texts_of
from schemas.decoding.features import Features, subject_of
from schemas.decoding.label_fields import LabelCheck, revisions_of, sources_of
from schemas.decoding.paths import ABSENT, Absent, FirstOf, Json, JsonObject, Path, fetch
from schemas.decoding.rows import Batch, Rows
from schemas.decoding.timestamps import read_times
from schemas.events import UNVERSIONED, Block, Codes, Int64Array, Role, Source

__all__ = ["MAX_BLOCK_BYTES", "Extractor"]

#: A batch is cut into blocks of about this size at most, as Kafka's brokers take messages of 1 MB unless told otherwise.
MAX_BLOCK_BYTES = 900_000

_KAFKAS_OWN = "$timestamp"
#: Which role's mapping is asked first for what a row has once: a label is joined by the prediction's id.
_PRECEDENCE: tuple[Role, ...] = ("predictions", "features", "labels")
#: Columns of a role besides the features.
_COLUMNS: dict[Role, tuple[tuple[str, str], ...]] = {  # name, key of `Fields`
    "features": (),
    "predictions": (("prediction", "prediction"), ("score", "score")),
    "labels": (("label", "label"), ("label source", "source"), ("label revision", "revision")),
}
#: Bytes that a row takes besides its columns: offset, stamp, time, codes of version and segments.
_ROW_BYTES = 64
_NO_FEATURES: JsonObject = {}


class Extractor:
    """Takes one model's rows out of parsed records.

    Parameters
    ----------
    model : Model
        The model.
    roles : sequence of (Role, SourceConfig)
        Its roles on this topic. At least one.
    """

    def __init__(self, model: Model, roles: Sequence[tuple[Role, SourceConfig]]) -> None:
        fields = [source.fields for wanted in _PRECEDENCE for role, source in roles if role == wanted]
        self.model = model
        #: Where a record names its model; None when every record of the topic is this one's.
        self.model_path = _first_of([f.model for f in fields]) if all(f.model for f in fields) else None
        self._roles = tuple(role for role, _ in roles)
        self._id = FirstOf([f.id for f in fields])
        self._time = _first_of([f.time for f in fields if f.time != _KAFKAS_OWN])
        self._else_stamp = any(f.time == _KAFKAS_OWN for f in fields)
        self._version = _first_of([f.version for f in fields])
        self._columns = [
            (column, Path(path))
            for role, source in roles
            for column, key in _COLUMNS[role]
            if (path := getattr(source.fields, key)) is not None
        ]
        objects = next((source.fields.features for role, source in roles if role == "features"), None)
        self._features = None if objects is None else Features(objects, [path for f in fields for path in _mapped(f)])
        self._segments = [(name, Path(name)) for name in model.segments]
        self._arrived = _first_of([f.arrived for f in fields])
        self._else_kafkas = not all(f.arrived for f in fields)
        labels = next((LabelCheck(f, number=model.task == "regression") for f in fields if self._roles == ("labels",)), None)
        self._admission = Admission(self._id, self._time, self._arrived, objects, labels)
        self._number_names: tuple[str, ...] = ()

    def extract(
        self, source: Source, batch: Batch, *, start: int, end: int, now_ms: int | None
    ) -> tuple[list[Block], dict[int, Rejection]]:
        """Return blocks that cover [start, end), and by offset what is wrong with records that can't be used.

        The blocks are several only when one would be too large, none when there are no rows.
        """
        rows = self._read(batch)
        rejected = self._admission.rejected(rows, now_ms)
        if rejected:
            rows = rows.take([i for i in range(len(rows)) if i not in rejected])
        blocks = list(self._blocks(source, rows, start, end))
        return blocks, {int(batch.offsets[i]): rejection for i, rejection in rejected.items()}

    def _read(self, batch: Batch) -> Rows:
        n = len(batch)
        versions = [UNVERSIONED] * n if self._version is None else _versions(self._version.values(batch.records))
        features = [_NO_FEATURES] * n if self._features is None else self._features.objects(batch.records)
        times = _times(self._time, batch, else_stamp=self._else_stamp)
        stamps = _times(self._arrived, batch, else_stamp=self._else_kafkas)
        return Rows(replace(batch, stamps=stamps), _ids(self._id.values(batch.records)), times, versions, features)

    def _blocks(self, source: Source, rows: Rows, start: int, end: int) -> Iterator[Block]:
        if not len(rows):
            return
        names = [] if self._features is None else self._features.names(rows.features)
        size = int(rows.batch.sizes.sum()) + len(rows) * (8 * (len(names) + len(self._columns)) + _ROW_BYTES)
        if size > MAX_BLOCK_BYTES and len(rows) > 1:
            half = len(rows) // 2
            middle = int(rows.batch.offsets[half])
            yield from self._blocks(source, rows.take(range(half)), start, middle)
            yield from self._blocks(source, rows.take(range(half, len(rows))), middle, end)
        else:
            yield self._block(source, rows, names, start, end)

    def _block(self, source: Source, rows: Rows, names: Sequence[str], start: int, end: int) -> Block:
        cells = Cells(len(rows))
        for column, path in self._columns:
            values = path.values(rows.batch.records)
            cells.add(column, _READ[column](values) if column in _READ else values)
        for name in names:
            cells.add(subject_of(name), fetch(rows.features, name))
        columns = cells.columns()
        if columns.number_names != self._number_names:
            self._number_names = columns.number_names
        return Block(
            model=self.model.name,
            source=source,
            roles=self._roles,
            start=start,
            end=end,
            offsets=rows.batch.offsets,
            stamps=rows.batch.stamps,
            times=rows.times,
            ids=tuple(rows.ids),
            versions=encode_strings(rows.versions),
            number_names=self._number_names,
            numbers=columns.numbers,
            category_names=columns.category_names,
            categories=columns.categories,
            segments=tuple(self._segment(name, path, rows) for name, path in self._segments),
            faults=columns.faults,
        )

    def _segment(self, name: str, path: Path, rows: Rows) -> Codes:
        values = fetch(rows.features, name)
        if Absent in set(map(type, values)):  # not a feature of every row
            elsewhere = path.values(rows.batch.records)
            values = [e if v is ABSENT else v for v, e in zip(values, elsewhere, strict=True)]
        return encode_strings(texts_of(values))


def _times(paths: FirstOf | None, batch: Batch, *, else_stamp: bool) -> Int64Array:
    """Read times; without a path, and where `else_stamp` allows it for records that have none there, Kafka's own."""
    if paths is None:
        return batch.stamps
    values = paths.values(batch.records)
    if else_stamp:
        stamps = batch.stamps.tolist()
        values = [s if v is ABSENT or v is None else v for v, s in zip(values, stamps, strict=True)]
    return read_times(values)


def _first_of(paths: Sequence[str | None]) -> FirstOf | None:
    given = [path for path in paths if path is not None]
    return FirstOf(given) if given else None


def _mapped(fields: Fields) -> list[str]:
    """Paths of everything but the features."""
    return [path for name, path in fields if name != "features" and path is not None]


def _ids(values: list[Json]) -> list[str]:
    if set(map(type, values)) == {str} and max(map(len, values)) <= MAX_ID:
        return values
    return [_id(v) for v in values]


def _id(value: Json) -> str:
    text = str(value) if type(value) is int else value
    return text if isinstance(text, str) and len(text) <= MAX_ID else ""


def _versions(values: list[Json]) -> list[str]:
    return [text or UNVERSIONED for text in texts_of(values)]


def _classes(values: list[Json]) -> list[Json]:
    if bool not in set(map(type, values)):
        return values
    return [("true" if v else "false") if type(v) is bool else v for v in values]


#: How columns are read whose values do not simply stand for themselves: in classes true and false are words, not numbers.
_READ: dict[str, Callable[[list[Json]], Sequence[Json]]] = {
    "prediction": _classes,
    "label": _classes,
    "label source": sources_of,
    "label revision": revisions_of,
}
