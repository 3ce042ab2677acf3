"""Counts values that were masked, by subject and reason; a bounded number of subjects by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from schemas.events import Fault
from streams.engine.release import BoolArray, Piece, Release

__all__ = ["MOST_NAMED", "OTHER_SUBJECTS", "FaultCounts"]

#: Subjects counted by name; each is a time series of every reason it has.
MOST_NAMED = 1000
OTHER_SUBJECTS = "(other subjects)"
_NAMES = [fault.name.lower() for fault in Fault]


class FaultCounts:
    """Masked values of one model. The first `MOST_NAMED` subjects, by row, have a name; all others are counted together.

    Parameters
    ----------
    state : sequence, optional
        What `state` returned.
    """

    def __init__(self, state: list[list[Any]] | None = None) -> None:
        self._counts: Counter[tuple[str, str]] = Counter({(subject, reason): n for subject, reason, n in state or []})
        self._named = {subject for subject, _ in self._counts}

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """Values by (subject, reason)."""
        return self._counts

    def take(self, release: Release) -> None:
        """Count what was masked in the rows of a release."""
        names = self._named.union(*(piece.block.faults.subjects for piece in release.pieces))
        for subject, reason, n in _counted(release) if len(names) <= MOST_NAMED else _by_row(release):
            known = subject in self._named or len(self._named) < MOST_NAMED
            name = subject if known else OTHER_SUBJECTS
            self._named.add(name)
            self._counts[name, _NAMES[reason]] += n

    def state(self) -> list[list[Any]]:
        """Everything needed to go on; JSON values only."""
        return [[*of, n] for of, n in sorted(self._counts.items())]


def _counted(release: Release) -> Iterator[tuple[str, int, int]]:
    """Yield (subject, reason, values)."""
    for piece in release.pieces:
        faults, inside = piece.block.faults, _inside(piece)
        kinds, counts = np.unique(faults.column[inside] * len(Fault) + faults.reason[inside], return_counts=True)
        for kind, n in zip(kinds.tolist(), counts.tolist(), strict=True):
            yield faults.subjects[kind // len(Fault)], kind % len(Fault), n


def _by_row(release: Release) -> Iterator[tuple[str, int, int]]:
    """Yield (subject, reason, 1) for each value, by row and subject: which subjects get a name must not depend on batches."""
    released = np.arange(release.n) if release.order is None else np.argsort(release.order)  # released row of each concatenated one
    found: list[tuple[int, str, int]] = []
    start = 0
    for piece in release.pieces:
        faults, inside = piece.block.faults, _inside(piece)
        rows = released[start + faults.row[inside] - piece.lo]
        subjects = [faults.subjects[column] for column in faults.column[inside].tolist()]
        found += zip(rows.tolist(), subjects, faults.reason[inside].tolist(), strict=True)
        start += len(piece)
    yield from ((subject, reason, 1) for _, subject, reason in sorted(found))


def _inside(piece: Piece) -> BoolArray:
    rows = piece.block.faults.row
    return np.asarray((rows >= piece.lo) & (rows < piece.hi))
