"""Reading a view of a cohort: which outcome every prediction has by its deadline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.events import FloatArray, Int64Array
from streams.engine.join.batches import EXCLUDED, IMPLICIT, LABELLED, UNLABELLED, Closed
from streams.engine.join.entries import Entries
from streams.engine.join.rules import View

__all__ = ["close"]


def close(entries: Entries, cohort: int, view: View, columns: Mapping[str, NDArray[Any]]) -> Closed:
    """Read one view of a cohort whose entries have these columns, in the order of their arrival."""
    rules = entries.rules
    order = np.argsort(columns["time"], kind="stable")
    by_time = {name: column[order] for name, column in columns.items()}
    actual, status = _outcomes(entries, view, by_time[entries.value(view)], by_time["leak"])
    first = by_time[f"first {view.horizon}"].astype(np.int64)
    pi, lam = rules.closes_after(view)
    end = (cohort + 1) * rules.cohort
    segments = [by_time[f"segment {index}"] for index in range(entries.segments)]
    return Closed(
        cohort=cohort,
        start_ms=end - rules.cohort,
        end_ms=end,
        view=view,
        pi=end + pi,
        lam=end + lam,
        times=by_time["time"],
        versions=by_time["version"],
        segments=np.array(segments, np.int32).reshape(entries.segments, len(order)),
        predicted=entries.numbers(by_time["predicted"]),
        scores=by_time["score"],
        actual=actual,
        status=status,
        delays=_delays(first, view),
    )


def _outcomes(entries: Entries, view: View, outcomes: NDArray[Any], leaks: Int64Array) -> tuple[FloatArray, NDArray[np.int8]]:
    """R10: what no label says is negative by rule, or not known; a leak is neither (R7)."""
    actual = entries.numbers(outcomes)
    status = np.full(len(outcomes), LABELLED, np.int8)
    status[outcomes == entries.empty] = IMPLICIT if entries.rules.missing_negative else UNLABELLED
    status[outcomes == entries.gone] = IMPLICIT if entries.rules.retraction_negative else UNLABELLED
    actual[status == IMPLICIT] = 0
    leaked = leaks <= view.offset
    status[leaked], actual[leaked] = EXCLUDED, np.nan
    return actual, status


def _delays(first: Int64Array, view: View) -> Int64Array:
    return np.where(first <= view.offset, np.maximum(first, 0), -1)
