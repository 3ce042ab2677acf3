"""What goes into the join, and what comes out: columns of many rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from schemas.events import FloatArray, Int32Array, Int64Array
from streams.engine.join.keys import Keys
from streams.engine.join.rules import View

__all__ = ["EXCLUDED", "IMPLICIT", "LABELLED", "UNLABELLED", "Closed", "Labels", "Predictions", "Rows"]

#: Which rows: their indices, or a mask.
Rows: TypeAlias = NDArray[np.intp] | NDArray[np.bool_]

#: What is known of a prediction at a deadline: a label; negative because none came; nothing; nothing that may be used (leakage).
LABELLED, IMPLICIT, UNLABELLED, EXCLUDED = range(4)


class Predictions(NamedTuple):
    """Predictions of one model, in the order of their log.

    Parameters
    ----------
    keys : uint64 (n, 2)
        R1: of their ids.
    times : int64 (n,)
        Event times, ms.
    clocks : int64 (n,)
        Arrival: the running maximum of the record timestamps in the row's own source, ms (R2).
    predicted : float64 (n,)
        Code of the class, or the number; NaN without one.
    scores : float64 (n,)
        NaN without one.
    versions : int32 (n,)
        Codes of the caller's.
    segments : int32 (fields, n)
        Codes of the caller's.
    """

    keys: Keys
    times: Int64Array
    clocks: Int64Array
    predicted: FloatArray
    scores: FloatArray
    versions: Int32Array
    segments: Int32Array


class Labels(NamedTuple):
    """Labels of one model, in the order of their log.

    Parameters
    ----------
    keys : uint64 (n, 2)
        R1: of their ids.
    times : int64 (n,)
        When the outcome happened, ms.
    clocks : int64 (n,)
        Arrival, as of predictions.
    values : float64 (n,)
        Code of the class (0 to 32 767; binary: 1 is positive), or the number; NaN takes the label back.
    revisions : int64 (n,)
        The greatest wins; -1 without one.
    sources : int16 (n,)
        Who says so: 0 counts, others are only compared (R20).
    """

    keys: Keys
    times: Int64Array
    clocks: Int64Array
    values: FloatArray
    revisions: Int64Array
    sources: NDArray[np.int16]

    def at(self, rows: Rows) -> Labels:
        """Return some of them."""
        return Labels(self.keys[rows], self.times[rows], self.clocks[rows], self.values[rows], self.revisions[rows], self.sources[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Closed:
    """One view of one cohort, complete: no row of either log can change it any more.

    Parameters
    ----------
    cohort : int
        Its index k: predictions of event time [k·W, (k + 1)·W).
    start_ms, end_ms : int
        k·W and (k + 1)·W.
    view : View
        At which deadline.
    pi, lam : int
        It closes at the first moment when the clock of the predictions is above `pi` and that of the labels above `lam`, ms.
    times : int64 (n,)
        Event times of its predictions, ascending; equal ones in order of arrival. The other columns are in the same order.
    versions : int32 (n,)
        As given.
    segments : int32 (fields, n)
        As given.
    predicted, scores : float64 (n,)
        As given; NaN without one.
    actual : float64 (n,)
        Code of the class, or the number; NaN where there is no outcome.
    status : int8 (n,)
        `LABELLED`, `IMPLICIT`, `UNLABELLED` or `EXCLUDED`.
    delays : int64 (n,)
        ms from the prediction's time to the arrival of the first label that counted, 0 if that came before; -1 without one
        by the deadline.
    """

    cohort: int
    start_ms: int
    end_ms: int
    view: View
    pi: int
    lam: int
    times: Int64Array
    versions: Int32Array
    segments: Int32Array
    predicted: FloatArray
    scores: FloatArray
    actual: FloatArray
    status: NDArray[np.int8]
    delays: Int64Array
