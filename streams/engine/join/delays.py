"""How long labels take: a histogram of the delays of each prediction's first label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.events import Int64Array

__all__ = ["DELAY_BOUNDS_MS", "Delays"]

#: Upper bounds (inclusive) of the histogram of label delays: 1 s, 1 min, 10 min, 1 h, 6 h, 1 d, 3 d, 7 d, 30 d.
DELAY_BOUNDS_MS = (1_000, 60_000, 600_000, 3_600_000, 21_600_000, 86_400_000, 259_200_000, 604_800_000, 2_592_000_000)


class Delays:
    """Counts delays by how long they were.

    Parameters
    ----------
    state : mapping, optional
        What `state` returned.

    Examples
    --------
    >>> delays = Delays()
    >>> delays.add(np.array([0, 1000, 1001, 10**11]))
    >>> delays.counts, delays.sum_ms
    ((2, 1, 0, 0, 0, 0, 0, 0, 0, 1), 100000002001)
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self._counts: Int64Array = np.zeros(len(DELAY_BOUNDS_MS) + 1, np.int64)
        self.sum_ms = 0
        if state is not None:
            self._counts += np.array(state["counts"], np.int64)
            self.sum_ms = int(state["sum_ms"])

    def add(self, delays: Int64Array) -> None:
        """Count delays, ms >= 0."""
        self._counts += np.bincount(np.searchsorted(DELAY_BOUNDS_MS, delays), minlength=len(self._counts))
        self.sum_ms += int(delays.sum())

    @property
    def counts(self) -> tuple[int, ...]:
        """Delays above the bound before and up to each bound, and above the last."""
        return tuple(self._counts.tolist())

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; JSON values only."""
        return {"counts": self._counts.tolist(), "sum_ms": self.sum_ms}
