"""The last rows of a group, so that an alert can say since when and how much, whatever the batches were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from schemas.events import FloatArray, Int64Array

__all__ = ["History"]

TIMES_KEPT = 4096
VALUES_KEPT = 512


class History:
    """Event times of the last 4096 rows and values of the last 512, by the group's own row index.

    A batch is added *after* its findings are told: `values` and `time` take the batch too, so that the answer for a row is the
    same wherever batches were cut.
    """

    def __init__(self, rows: int, state: Mapping[str, Any] | None = None) -> None:
        self.seen = 0 if state is None else int(state["seen"])
        self._times: Int64Array = np.zeros(TIMES_KEPT, np.int64) if state is None else np.array(state["times"], np.int64)
        self._values: FloatArray = np.full((rows, VALUES_KEPT), np.nan) if state is None else np.array(state["values"], np.float64)

    def time(self, index: int, times: Int64Array) -> int:
        """Event time of row `index`, or of the oldest row still known; `times` are the batch that follows what was seen."""
        if index >= self.seen:
            return int(times[index - self.seen])
        oldest = max(0, self.seen - TIMES_KEPT)
        return int(self._times[max(index, oldest) % TIMES_KEPT])

    def values(self, row: int, start: int, stop: int, batch: FloatArray) -> FloatArray:
        """Values of stream `row` from index `start` up to but without `stop`, at most the last 512."""
        start = max(start, stop - VALUES_KEPT, 0)
        old = np.arange(start, min(stop, self.seen))
        new = batch[row, max(start - self.seen, 0) : max(stop - self.seen, 0)]
        return np.concatenate([self._values[row, old % VALUES_KEPT], new])

    def add(self, values: FloatArray, times: Int64Array) -> None:
        """Take the batch into the history."""
        n = len(times)
        _write(self._times, times, self.seen)
        _write(self._values, values, self.seen)
        self.seen += n

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {"seen": self.seen, "times": self._times.copy(), "values": self._values.copy()}


def _write(ring: FloatArray | Int64Array, batch: FloatArray | Int64Array, at: int) -> None:
    """Write the end of `batch`, whose first column has index `at`, into `ring` along the last axis."""
    size, n = ring.shape[-1], batch.shape[-1]
    if n > size:
        batch, at, n = batch[..., n - size :], at + n - size, size
    i = at % size
    head = min(n, size - i)
    ring[..., i : i + head] = batch[..., :head]
    ring[..., : n - head] = batch[..., head:]
