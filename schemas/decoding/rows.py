"""Rows on their way from a topic's records to the blocks of one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from schemas.decoding.paths import JsonObject
from schemas.events import Int64Array

__all__ = ["Batch", "Rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Records of one source that parsed, in the order of their offsets.

    Parameters
    ----------
    offsets, stamps : int64 (n,)
        Offset and record timestamp of each.
    sizes : int64 (n,)
        Bytes of each record's value.
    records : list of dict
        What they say.
    """

    offsets: Int64Array
    stamps: Int64Array
    sizes: Int64Array
    records: list[JsonObject]

    def __len__(self) -> int:
        return len(self.records)

    def take(self, rows: Sequence[int]) -> Batch:
        """Select rows by number."""
        at = np.asarray(rows, np.int64)
        return Batch(self.offsets[at], self.stamps[at], self.sizes[at], [self.records[i] for i in rows])


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A batch, and what one model reads in each of its records once.

    Parameters
    ----------
    batch : Batch
        The records.
    ids : list of str
        Empty where there is no usable id.
    times : int64 (n,)
        Event times, ms; `UNREADABLE` where there is none.
    versions : list of str
        Model versions.
    features : list of dict
        The objects of features; empty for a model that takes none from this topic. (Where a record has something else than an
        object there, that.)
    """

    batch: Batch
    ids: list[str]
    times: Int64Array
    versions: list[str]
    features: list[JsonObject]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Sequence[int]) -> Rows:
        """Select rows by number."""
        return Rows(
            self.batch.take(rows),
            [self.ids[i] for i in rows],
            self.times[np.asarray(rows, np.int64)],
            [self.versions[i] for i in rows],
            [self.features[i] for i in rows],
        )
