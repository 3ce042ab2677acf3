"""The bins of the last rows of many streams: a ring, from which the beginning of a change is read once it has been found."""

from __future__ import annotations

import numpy as np

from detectors.esr_tables import TILE
from detectors.histogram import Codes

__all__ = ["LOOK_BACK", "Trail"]

#: Rows that can be looked back on, and rows kept: one tile more, so that what can be seen does not depend on how rows were batched.
LOOK_BACK = 2000
_KEPT = LOOK_BACK + TILE


class Trail:
    """Codes of the last 2000 rows of each stream.

    Parameters
    ----------
    rows : int
        Number of streams.
    kept : uint8 (rows, 2050), optional
        What `state` returned.
    """

    def __init__(self, rows: int, kept: Codes | None = None) -> None:
        self._ring = np.zeros((rows, _KEPT), np.uint8) if kept is None else kept.copy()

    def add(self, codes: Codes, first: int) -> None:
        """Take values `first` and following, all of one tile: they do not wrap, the ring being whole tiles long."""
        at = first % _KEPT
        self._ring[:, at : at + codes.shape[1]] = codes

    def look_back(self, row: int, since: int, end: int) -> tuple[int, Codes]:
        """Return the codes of a stream from `since` to `end`, or of the last 2000, and the index of the first of them."""
        start = max(since, end - LOOK_BACK)
        return start, self._ring[row, np.arange(start, end) % _KEPT]

    def state(self) -> Codes:
        """Everything needed to go on."""
        return self._ring.copy()
