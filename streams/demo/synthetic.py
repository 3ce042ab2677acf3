"""Seeded traffic of an invented fraud model: features, a score, a prediction, a label a day later, and faults whose truth is known.

Everything is a function of the seed: values, ids, event times (an invented clock, two transactions a minute), delays, order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.random import Generator
from numpy.typing import NDArray

from schemas.alerts import Kind
from schemas.events import FloatArray, Int64Array
from streams.demo.transactions import features, logit

__all__ = ["FEATURES", "INJECTIONS", "LABELS", "PREDICTIONS", "Injection", "Record", "history", "time_of", "traffic"]

START_MS = 1_767_571_200_000  # 2026-01-05T00:00:00Z
STEP_MS = 30_000
#: From features to prediction.
LATENCY_MS = 40
#: Median time from a prediction until the bank knows what it was, hours; the spread of its logarithm.
LABEL_HOURS, LABEL_SPREAD = 21.0, 0.3
#: Standard deviation of what neither the model nor the bank knows, in logits.
NOISE = 0.6
HISTORY_ROWS = 20_000
TRAFFIC_ROWS = 36_000
FEATURES = "fraud.features"
PREDICTIONS = "fraud.predictions"
LABELS = "fraud.labels"


@dataclass(frozen=True, slots=True)
class Injection:
    """Something that changes in the traffic, and what should be said about it.

    Parameters
    ----------
    begins, ends : int
        Rows of the traffic, [begins, ends); `ends` is that of the traffic when it lasts.
    kind : Kind, optional
        Of the alerts it must lead to; None when nothing should be said.
    subjects : tuple of str
        What these alerts are about.
    story : str
        What has happened, in the words of whom it happened to.
    """

    begins: int
    ends: int
    kind: Kind | None
    subjects: tuple[str, ...]
    story: str

    @property
    def recovers(self) -> bool:
        """Whether it ends before the traffic does."""
        return self.ends < TRAFFIC_ROWS


#: Rows in which labels that came sooner get back to their usual delay.
LABELS_BACK = 1_440
NULLS = Injection(
    6_000, 10_000, "data_quality", ("device_risk",), "a client release sends no device_risk for 30 % of transactions, until it is fixed"
)
BURST = Injection(11_000, 12_500, None, (), "three times the traffic, for four hours")
PRICES = Injection(14_000, TRAFFIC_ROWS, "feature_drift", ("amount",), "amounts rise by half")
HASTE = Injection(16_000, 19_500, None, (), "labels come in half the time, for a day, and slowly get back")
CONCEPT = Injection(
    24_000,
    TRAFFIC_ROWS,
    "concept_drift",
    ("loss", "missed_positives"),
    "fraud in the app moves to merchants that the model trusts; features and scores look as ever",
)
#: In the last day, so that no label tells of it any more.
SCORES = Injection(33_500, TRAFFIC_ROWS, "prediction_drift", ("prediction", "score"), "the model is redeployed with a wrong calibration")
INJECTIONS = (NULLS, BURST, PRICES, HASTE, CONCEPT, SCORES)


class Record(NamedTuple):
    """One record as it goes to Kafka or into a file; `stamp` in ms."""

    topic: str
    key: str
    stamp: int
    value: bytes


def time_of(row: int) -> int:
    """Event time of a row of the traffic, ms."""
    saved = STEP_MS - STEP_MS // 3
    return START_MS + (HISTORY_ROWS + row) * STEP_MS - saved * min(max(row - BURST.begins, 0), BURST.ends - BURST.begins)


def history(*, seed: int = 7) -> Iterator[Record]:
    """Yield what was recorded while all was well, in order of time: what the reference is built from.

    The labels of its last transactions come when the traffic has already begun.
    """
    times = START_MS + STEP_MS * np.arange(HISTORY_ROWS)
    return _records(np.random.default_rng([seed, 0]), times, first=0, until=None)


def traffic(*, seed: int = 7) -> Iterator[Record]:
    """Yield what comes after the history, in order of time, faults and all, until its last transaction: later labels are still out."""
    times = np.array([time_of(row) for row in range(TRAFFIC_ROWS)])
    return _records(np.random.default_rng([seed, 1]), times, first=HISTORY_ROWS, until=time_of(TRAFFIC_ROWS))


def _records(rng: Generator, times: Int64Array, *, first: int, until: int | None) -> Iterator[Record]:
    """Yield the records of consecutive transactions; nothing goes wrong in those of a history, which has no `until`."""
    n = len(times)
    nulls, _, prices, haste, concept, scores = (np.zeros(n) if until is None else _during(injection, n) for injection in INJECTIONS)
    if until is not None:  # slowed down at once, no label would come for hours: another fault
        haste += np.interp(np.arange(n), [HASTE.ends - 1, HASTE.ends, HASTE.ends + LABELS_BACK], [0, 1, 0])
    columns = features(rng, n)
    risk = logit(columns)
    moved = np.where((columns["channel"] == "app") & (concept > 0), rng.permutation(risk), risk)
    fraud = moved + rng.normal(0, NOISE, n) > 0
    score = 1 / (1 + np.exp(-(risk + rng.normal(0, NOISE, n) + 3 * scores)))
    missing = (rng.random(n) < 0.3) & (nulls > 0)
    columns["amount"] = columns["amount"] * (1 + 0.5 * prices)
    named = _plain(columns)

    def seen(i: int) -> dict[str, Any]:
        cells = {name: column[i] for name, column in named.items()}
        if missing[i]:
            cells["device_risk"] = None
        return {"model": {"name": "fraud", "version": "3"}, "payload": {"features": cells}}

    def predicted(i: int) -> dict[str, Any]:
        return {"version": "3", "label": _class(score[i] > 0.5), "score": round(float(score[i]), 4)}

    def known(i: int) -> dict[str, Any]:
        return {"label": _class(fraud[i])}

    said = ((FEATURES, seen), (PREDICTIONS, predicted), (LABELS, known))
    hours = LABEL_HOURS * rng.lognormal(0, LABEL_SPREAD, n) / (1 + haste)
    stamps = np.stack([times, times + LATENCY_MS, times + LATENCY_MS + (3_600_000 * hours).astype(np.int64)])
    for place in np.argsort(stamps, axis=None, kind="stable").tolist():
        kind, i = divmod(place, n)
        stamp = int(stamps[kind, i])
        if until is not None and stamp >= until:
            return
        topic, content = said[kind]
        key = f"tx-{first + i:08d}"
        yield Record(topic, key, stamp, orjson.dumps({"id": key, "ts": stamp, **content(i)}))


def _class(positive: Any) -> str:
    return "fraud" if positive else "ok"


def _plain(columns: dict[str, NDArray[Any]]) -> dict[str, list[Any]]:
    """Columns as Python values, numbers as a producer would round them."""
    return {name: (np.round(column, 4) if column.dtype.kind == "f" else column).tolist() for name, column in columns.items()}


def _during(injection: Injection, n: int) -> FloatArray:
    rows = np.arange(n)
    return ((rows >= injection.begins) & (rows < injection.ends)).astype(float)
