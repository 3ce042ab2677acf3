"""Rows of one release, by role: column matrices in released order, made without touching a row in Python.

A release is a list of pieces of blocks and a permutation. Everything here is lazy and cached for the life of the release: a
group that wants twenty columns gets one matrix; a release of a single block costs no copy at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

import numpy as np

from schemas.events import Codes, Fault, FloatArray, Int32Array, Int64Array, Position, Role
from streams.engine.release import BoolArray, Piece, Release

__all__ = ["LABEL_COLUMNS", "PREDICTION_COLUMNS", "RoleRows", "first_appearances", "position_at", "rows_of", "time_at"]

_Column = TypeVar("_Column", Int64Array, Int32Array, BoolArray)

#: Columns that belong to a role; every other column is a feature.
PREDICTION_COLUMNS = ("prediction", "score")
LABEL_COLUMNS = ("label", "label source", "label revision")


@dataclass(slots=True, eq=False)
class RoleRows:
    """The rows of a release that carry one role.

    Parameters
    ----------
    role : Role
        Which role.
    pieces : tuple of Piece
        Where the rows come from.
    order : int64 (n,), optional
        Released row i is row ``order[i]`` of the concatenated pieces; None when they are in order.
    at : int64 (n,)
        Index of each row within the release.
    """

    role: Role
    pieces: tuple[Piece, ...]
    order: Int64Array | None
    at: Int64Array
    _numbers: dict[tuple[str, ...], FloatArray] = field(default_factory=dict)
    _categories: dict[str, Codes] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.at)

    def number_names(self) -> list[str]:
        """Numeric columns of this role that occur, sorted."""
        return sorted({n for p in self.pieces for n in p.block.number_names if self._mine(n)})

    def category_names(self) -> list[str]:
        """String columns of this role that occur, sorted."""
        return sorted({n for p in self.pieces for n in p.block.category_names if self._mine(n)})

    def _mine(self, name: str) -> bool:
        return name not in LABEL_COLUMNS and (name in PREDICTION_COLUMNS) == (self.role == "predictions")

    def times(self) -> Int64Array:
        """Event time of each row, ms."""
        return self._ordered(np.concatenate([p.block.times[p.lo : p.hi] for p in self.pieces]))

    def ids(self) -> Sequence[str]:
        """Prediction id of each row."""
        ids = self.pieces[0].block.ids[self.pieces[0].lo : self.pieces[0].hi]
        if len(self.pieces) > 1:
            ids = tuple(chain.from_iterable(p.block.ids[p.lo : p.hi] for p in self.pieces))
        return ids if self.order is None else [ids[i] for i in self.order.tolist()]

    def has_role(self, role: Role) -> BoolArray:
        """Whether the record of each row carries another role too."""
        return self._ordered(np.repeat([role in p.block.roles for p in self.pieces], [len(p) for p in self.pieces]))

    def faulty(self, subject: str, reason: Fault) -> BoolArray:
        """Whether each row has this fault of `subject`."""
        return self._ordered(np.concatenate([_faulty(p, subject, reason) for p in self.pieces]))

    def numbers(self, names: tuple[str, ...]) -> FloatArray:
        """Numeric columns `names`, shape (len(names), n), NaN where a row has no number."""
        if (known := self._numbers.get(names)) is not None:
            return known
        parts = [_piece_numbers(p, names) for p in self.pieces]
        matrix = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        if self.order is not None:
            matrix = np.take(matrix, self.order, axis=1)
        self._numbers[names] = matrix
        return matrix

    def category(self, name: str) -> Codes:
        """String column `name` over all rows; -1 where a row has no string."""
        if (known := self._categories.get(name)) is None:
            columns = [_piece_category(p, name) for p in self.pieces]
            known = self._categories[name] = self._joined(columns)
        return known

    def versions(self) -> Codes:
        """Model version of each row."""
        return self._joined([_cut(p.block.versions, p) for p in self.pieces])

    def segment(self, index: int) -> Codes:
        """Value of the model's segment field number `index`."""
        return self._joined([_cut(p.block.segments[index], p) for p in self.pieces])

    def occurring(self, columns: Int64Array) -> dict[str, tuple[int, int]]:
        """By name of each column that has a value in one of these rows: the first such row, and how many there are.

        Works piece by piece: where names are many, a matrix of all columns and rows would be mostly holes, and huge.
        """
        wanted = np.zeros(len(self), np.bool_)
        wanted[columns] = True
        released = np.arange(len(self)) if self.order is None else np.argsort(self.order)  # released row of each concatenated one
        found: dict[str, tuple[int, int]] = {}
        start = 0
        for piece in self.pieces:
            at = released[start : start + len(piece)]
            start += len(piece)
            for name, present in _presence(piece):
                mine = at[present & wanted[at]]
                if self._mine(name) and len(mine):
                    first, n = found.get(name, (len(self), 0))
                    found[name] = min(first, int(mine.min())), n + len(mine)
        return found

    def absent(self, subjects: Sequence[str], columns: Int64Array | None) -> Iterator[tuple[str, int]]:
        """Yield (subject, rows) where whole blocks lack a subject: no row of theirs has it, so they hold no fault for it either."""
        lacking = [
            sorted(set(subjects).difference(p.block.number_names, p.block.category_names, p.block.faults.subjects)) for p in self.pieces
        ]
        if not any(lacking):
            return
        of_piece = np.repeat(np.arange(len(self.pieces)), [len(p) for p in self.pieces])
        of_row = of_piece if self.order is None else of_piece[self.order]
        counts = np.bincount(of_row if columns is None else of_row[columns], minlength=len(self.pieces)).tolist()
        for names, n in zip(lacking, counts, strict=True):
            for name in names:
                yield name, n

    def _joined(self, columns: list[Codes]) -> Codes:
        first = columns[0].values
        if all(c.values == first for c in columns):
            values, parts = first, [c.codes for c in columns]
        else:
            index: dict[str, int] = {}
            parts = []
            for c in columns:
                table = np.fromiter((index.setdefault(v, len(index)) for v in c.values), np.int32, len(c.values))
                parts.append(np.where(c.codes >= 0, np.append(table, np.int32(-1))[c.codes], np.int32(-1)))
            values = tuple(index)
        return Codes(values, self._ordered(parts[0] if len(parts) == 1 else np.concatenate(parts)))

    def _ordered(self, column: _Column) -> _Column:
        return column if self.order is None else column[self.order]


def rows_of(release: Release, role: Role) -> RoleRows | None:
    """Select the rows of a release that carry `role`; None when there are none."""
    pieces = release.pieces
    mine = [role in p.block.roles for p in pieces]
    if not any(mine):
        return None
    if all(mine):
        return RoleRows(role, pieces, release.order, np.arange(release.n, dtype=np.int64))
    lengths = np.array([p.hi - p.lo for p in pieces])
    keep = np.repeat(np.array(mine), lengths)  # over the concatenation of all pieces
    order = np.arange(release.n) if release.order is None else release.order
    at = np.flatnonzero(keep[order])
    place = np.cumsum(keep) - 1  # of a kept row in the concatenation of the kept pieces
    mapped = place[order[at]]
    in_order = bool((np.diff(mapped) > 0).all())
    return RoleRows(role, tuple(p for p, m in zip(pieces, mine, strict=True) if m), None if in_order else mapped, at)


def first_appearances(codes: Int32Array) -> list[int]:
    """Distinct codes that are not -1, in order of first appearance: what goes by it does not depend on batches.

    Examples
    --------
    >>> first_appearances(np.array([2, -1, 0, 2], np.int32))
    [2, 0]
    """
    found, first = np.unique(codes, return_index=True)
    return [int(found[i]) for i in np.argsort(first) if found[i] >= 0]


def position_at(release: Release, row: int) -> Position:
    """Where in the log the released row number `row` of this release came from."""
    piece, i = _locate(release, row)
    return Position(piece.block.source.topic, piece.block.source.partition, int(piece.block.offsets[i]))


def time_at(release: Release, row: int) -> int:
    """When the released row number `row` of this release took place, ms: its event time; of a label, which tells of the past, its clock."""
    piece, i = _locate(release, row)
    return int(piece.clocks[i] if piece.block.roles == ("labels",) else piece.block.times[i])


def _locate(release: Release, row: int) -> tuple[Piece, int]:
    i = row if release.order is None else int(release.order[row])
    for piece in release.pieces:
        if i < piece.hi - piece.lo:
            return piece, piece.lo + i
        i -= piece.hi - piece.lo
    raise IndexError(row)


def _cut(codes: Codes, piece: Piece) -> Codes:
    return Codes(codes.values, codes.codes[piece.lo : piece.hi])


def _presence(piece: Piece) -> Iterator[tuple[str, BoolArray]]:
    """Which rows of a piece have a value, by column."""
    block, rows = piece.block, slice(piece.lo, piece.hi)
    yield from zip(block.number_names, np.isfinite(block.numbers[:, rows]), strict=True)
    yield from ((name, codes.codes[rows] >= 0) for name, codes in zip(block.category_names, block.categories, strict=True))


def _faulty(piece: Piece, subject: str, reason: Fault) -> BoolArray:
    faults = piece.block.faults
    flags = np.zeros(len(piece.block), np.bool_)
    if subject in faults.subjects:
        flags[faults.row[(faults.column == faults.subjects.index(subject)) & (faults.reason == reason)]] = True
    return flags[piece.lo : piece.hi]


def _piece_category(piece: Piece, name: str) -> Codes:
    if name in piece.block.category_names:
        return _cut(piece.block.categories[piece.block.category_names.index(name)], piece)
    return Codes((), np.full(piece.hi - piece.lo, -1, np.int32))


def _piece_numbers(piece: Piece, names: tuple[str, ...]) -> FloatArray:
    block = piece.block
    if block.number_names == names:
        return block.numbers[:, piece.lo : piece.hi]
    at = {n: i for i, n in enumerate(block.number_names)}
    found = [(i, at[n]) for i, n in enumerate(names) if n in at]
    out = np.full((len(names), piece.hi - piece.lo), np.nan)
    if found:
        to, frm = map(list, zip(*found, strict=True))
        out[to] = block.numbers[frm, piece.lo : piece.hi]
    return out
