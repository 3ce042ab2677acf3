"""The door: records of one topic in, blocks and dead letters out.

Everything that depends on the configuration is worked out once per topic; per batch the work is done by column, so that most of
the time goes into parsing JSON. What comes out depends on the records alone, never on how they were cut into batches or on
batches before: only the boundaries of the blocks do.

A subject that no row of a block has is not in the block: it is absent in every row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from schemas.config import Model, SourceConfig
from schemas.dead_letters import DeadLetter, Rejection
from schemas.decoding.cells import texts_of
from schemas.decoding.extract import Extractor
from schemas.decoding.json_records import MAX_BYTES, describe, parse
from schemas.decoding.paths import FirstOf, JsonObject
from schemas.decoding.rows import Batch
from schemas.events import Block, Position, Role, Source

__all__ = ["Decoded", "Decoder", "Raw", "Record"]


class Record(Protocol):
    """What a decoder reads of a record; aiokafka's ConsumerRecord has it too."""

    @property
    def offset(self) -> int:
        """Its offset in the partition."""

    @property
    def timestamp(self) -> int:
        """Its timestamp, ms since the epoch UTC."""

    @property
    def value(self) -> bytes | None:
        """Its bytes."""


class Raw(NamedTuple):
    """A record as it was read from a topic or a file."""

    offset: int
    timestamp: int
    value: bytes | None
    key: bytes | None = None


class Decoded(NamedTuple):
    """What a batch of records says."""

    blocks: list[Block]
    dead_letters: list[DeadLetter]


class Decoder:
    """Decodes the records of one topic for all models that read it.

    Parameters
    ----------
    topic : str
        The topic.
    sources : sequence of (Model, Role, SourceConfig)
        Who reads it, as what, by which mapping: an entry of `Config.source_topics`.
    max_bytes : int, default 1 MiB
        A larger value is a dead letter, unread.

    Examples
    --------
    >>> from schemas.config import Model
    >>> model = Model.model_validate({"name": "fraud", "sources": {"features": {"topic": "f", "fields": {"id": "id", "features": "x"}}}})
    >>> decoder = Decoder("f", [(model, "features", model.sources.features)])
    >>> values = [b'{"id": "a", "x": {"amount": 1.5}}', b'{"id": null}', b'{"id": 7, "x": {"amount": 2}}']
    >>> records = [Raw(100 + i, 1767608591000, value) for i, value in enumerate(values)]
    >>> decoded = decoder.decode(3, records, start=100, end=103, now_ms=None)
    >>> block = decoded.blocks[0]
    >>> block.ids, block.number_names, block.numbers.tolist()
    (('a', '7'), ('amount',), [[1.5, 2.0]])
    >>> decoded.dead_letters[0].position, decoded.dead_letters[0].reason
    (Position(topic='f', partition=3, offset=101), 'missing_id')
    """

    def __init__(self, topic: str, sources: Sequence[tuple[Model, Role, SourceConfig]], *, max_bytes: int = MAX_BYTES) -> None:
        models: dict[str, tuple[Model, list[tuple[Role, SourceConfig]]]] = {}
        for model, role, source in sources:
            models.setdefault(model.name, (model, []))[1].append((role, source))
        self.topic = topic
        self._max_bytes = max_bytes
        extractors = [Extractor(model, roles) for model, roles in models.values()]
        self._everything = [e for e in extractors if e.model_path is None]
        named: dict[str, tuple[FirstOf, list[Extractor]]] = {}
        for extractor in extractors:
            if (path := extractor.model_path) is not None:
                named.setdefault(str(path), (path, []))[1].append(extractor)
        self._named = list(named.values())

    def decode(self, partition: int, records: Sequence[Record], *, start: int, end: int, now_ms: int | None) -> Decoded:
        """Decode consecutive records of a partition.

        Parameters
        ----------
        partition : int
            The partition.
        records : sequence of Record
            In the order of their offsets, all within [start, end).
        start, end : int
            The offsets covered; compaction and transactions leave offsets without a record.
        now_ms : int or None
            The wall clock, against which record timestamps are checked (rule Q8); None for no such check, as in a backtest.
        """
        source = Source(self.topic, partition)
        batch, rejected = self._parse(records)
        claims, unclaimed = self._claims(batch)
        rejected |= unclaimed
        blocks: list[Block] = []
        for extractor, mine in claims:
            found, unusable = extractor.extract(source, mine, start=start, end=end, now_ms=now_ms)
            blocks += found
            rejected = unusable | rejected  # one dead letter a record: what was wrong first
        return Decoded(blocks, [_dead_letter(source, record, rejected[record.offset]) for record in records if record.offset in rejected])

    def _parse(self, records: Sequence[Record]) -> tuple[Batch, dict[int, Rejection]]:
        """Return the records that parsed, and what is wrong with the others by offset."""
        values = [r.value for r in records]
        parsed = parse(values, self._max_bytes)
        rejected = {}
        if set(map(type, parsed)) != {dict}:
            rejected = {r.offset: p for r, p in zip(records, parsed, strict=True) if isinstance(p, Rejection)}
            records = [r for r in records if r.offset not in rejected]
        good = [p for p in parsed if isinstance(p, dict)]
        n = len(good)
        offsets = np.fromiter((r.offset for r in records), np.int64, n)
        stamps = np.fromiter((r.timestamp for r in records), np.int64, n)
        sizes = np.fromiter((len(r.value or b"") for r in records), np.int64, n)
        return Batch(offsets, stamps, sizes, good), rejected

    def _claims(self, batch: Batch) -> tuple[list[tuple[Extractor, Batch]], dict[int, Rejection]]:
        """Return each model's part of the batch, and what is wrong with records that are nobody's, by offset."""
        if not len(batch):
            return [], {}
        claims = [(extractor, batch) for extractor in self._everything]
        unclaimed = set[int]() if claims else set(range(len(batch)))
        for path, extractors in self._named:
            rows: dict[str | None, list[int]] = {}
            for i, name in enumerate(texts_of(path.values(batch.records))):
                rows.setdefault(name, []).append(i)
            for extractor in extractors:
                if mine := rows.get(extractor.model.name):
                    unclaimed.difference_update(mine)
                    claims.append((extractor, batch.take(mine)))
        return claims, {int(batch.offsets[i]): self._nobodys(batch.records[i]) for i in sorted(unclaimed)}

    def _nobodys(self, record: JsonObject) -> Rejection:
        found = " and ".join(f"{describe(path.value(record))} at {path}" for path, _ in self._named)
        return Rejection("unknown_model", f"model: found {found}, expected a configured model's name")


def _dead_letter(source: Source, record: Record, rejection: Rejection) -> DeadLetter:
    return DeadLetter(Position(*source, record.offset), *rejection, record.value, record.timestamp)
