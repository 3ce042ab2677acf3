"""What the engine reads: blocks of rows, and the ticks and announcements that tell it how far each source has come.

A *source* of a model is one partition of one of its topics. Stage 1 turns consecutive records of a source into a `Block`
(columns, not objects: a row costs bytes, not allocations) and writes it to the journal; the engine reads nothing else.

Everything here is frozen. Times are int64 milliseconds since the Unix epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Announcement",
    "Block",
    "Codes",
    "End",
    "Fault",
    "Faults",
    "FloatArray",
    "Int32Array",
    "Int64Array",
    "Message",
    "Position",
    "RESERVED_SUBJECTS",
    "Role",
    "Source",
    "Tick",
    "UNVERSIONED",
]

FloatArray: TypeAlias = NDArray[np.float64]
Int64Array: TypeAlias = NDArray[np.int64]
Int32Array: TypeAlias = NDArray[np.int32]
Role: TypeAlias = Literal["features", "predictions", "labels"]

#: Version of a record that names none.
UNVERSIONED = "unversioned"
#: Names of columns and of what is watched that belong to a role; a *feature* of such a name is called ``features.<name>`` in a block.
RESERVED_SUBJECTS = (
    "prediction",
    "score",
    "label",
    "label source",
    "label revision",
    "loss",
    "missed_positives",
    "label_delay",
    "label_coverage",
    "label_leakage",
    "label_conflicts",
    "label_corrections",
    "label_unmatched",
    "label_classes",
    "label_evictions",
)


class Source(NamedTuple):
    """One partition of one topic. Sorts by topic, then partition: the order that breaks ties between equal clocks."""

    topic: str
    partition: int


class Position(NamedTuple):
    """Where a record lies in the log."""

    topic: str
    partition: int
    offset: int


class Fault(IntEnum):
    """Why one value of a row can't be used; the rest of the row is."""

    ABSENT = 0  # the record has no such field
    NULL = 1
    NOT_FINITE = 2  # NaN, Infinity, 1e400
    WRONG_TYPE = 3  # an object or a list
    TOO_LONG = 4  # a string longer than a category may be


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """A column of strings, dictionary-coded.

    Parameters
    ----------
    values : tuple of str
        The distinct strings, in order of first appearance.
    codes : int32 (n,)
        Index into `values` for each row; -1 where the row has no string.
    """

    values: tuple[str, ...]
    codes: Int32Array

    def at(self, row: int) -> str | None:
        """Return the string of `row`, or None.

        Examples
        --------
        >>> Codes(("de", "fr"), np.array([1, 0, -1], np.int32)).at(0)
        'fr'
        """
        code = int(self.codes[row])
        return self.values[code] if code >= 0 else None


@dataclass(frozen=True, slots=True, eq=False)
class Faults:
    """Cells that hold nothing usable, as three parallel arrays (most blocks have none).

    Parameters
    ----------
    subjects : tuple of str
        Names that `column` points into.
    column, row : int32 (k,)
        Which subject, which row of the block.
    reason : uint8 (k,)
        A `Fault`.
    """

    subjects: tuple[str, ...]
    column: Int32Array
    row: Int32Array
    reason: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive rows of one source, for one model, by column.

    Parameters
    ----------
    model : str
        Name of the model in the configuration.
    source : Source
        Topic and partition the rows came from.
    roles : tuple of Role
        What each row is: a record may be features and prediction at once.
    start, end : int
        Source offsets covered, [start, end). Offsets in between without a row were another model's, or dead letters.
    offsets : int64 (n,)
        Source offset of each row, increasing, within [start, end).
    stamps : int64 (n,)
        Record timestamps (Kafka's; the mapped time for files). Not monotone: the engine takes the running maximum.
    times : int64 (n,)
        Event times as mapped by the configuration.
    ids : tuple of str
        Prediction id of each row.
    versions : Codes
        Model version of each row (never -1).
    numbers : float64 (len(number_names), n)
        Numeric columns; NaN where the row has no usable number.
    categories : tuple of Codes
        String columns, one per `category_names`. A subject may be in both when its type changes from row to row.
    segments : tuple of Codes
        Values of the model's segment fields, one per field in the configuration's order.
    faults : Faults
        Why cells are empty.
    """

    model: str
    source: Source
    roles: tuple[Role, ...]
    start: int
    end: int
    offsets: Int64Array
    stamps: Int64Array
    times: Int64Array
    ids: tuple[str, ...]
    versions: Codes
    number_names: tuple[str, ...]
    numbers: FloatArray
    category_names: tuple[str, ...]
    categories: tuple[Codes, ...]
    segments: tuple[Codes, ...]
    faults: Faults

    def __len__(self) -> int:
        return len(self.offsets)


@dataclass(frozen=True, slots=True)
class Tick:
    """How far a source has been read for a model that got no rows from it.

    Parameters
    ----------
    end : int
        All offsets below have been read.
    idle_ms : int
        How long stage 1 has been at the source's end, by its own wall clock; 0 when it is not at the end.
    """

    model: str
    source: Source
    end: int
    idle_ms: int


@dataclass(frozen=True, slots=True)
class Announcement:
    """The complete set of a model's sources; sent again when partitions are added."""

    model: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class End:
    """Nothing more comes from this source: the end of a backtest's range (rule Q11)."""

    model: str
    source: Source


Message: TypeAlias = Block | Tick | Announcement | End
