"""Seeded traffic of an invented fraud model: fourteen features, a score, a prediction, and three faults whose truth is known.

Everything is a function of the seed: values, ids, event times (an invented clock, one transaction a second), order.
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
from schemas.events import FloatArray

__all__ = ["FEATURES", "INJECTIONS", "PREDICTIONS", "Injection", "Record", "history", "time_of", "traffic"]

START_MS = 1_767_571_200_000  # 2026-01-05T00:00:00Z
STEP_MS = 1_000
#: From features to prediction.
LATENCY_MS = 40
HISTORY_ROWS = 20_000
TRAFFIC_ROWS = 30_000
FEATURES = "fraud.features"
PREDICTIONS = "fraud.predictions"


@dataclass(frozen=True, slots=True)
class Injection:
    """Something that goes wrong in the traffic, and what should be said about it.

    Parameters
    ----------
    begins, ends : int
        Rows of the traffic, [begins, ends); `ends` is that of the traffic when it lasts.
    kind : Kind
        Of the alerts it must lead to.
    subjects : tuple of str
        What these alerts are about.
    story : str
        What has happened, in the words of whom it happened to.
    """

    begins: int
    ends: int
    kind: Kind
    subjects: tuple[str, ...]
    story: str

    @property
    def recovers(self) -> bool:
        """Whether it ends before the traffic does."""
        return self.ends < TRAFFIC_ROWS


NULLS = Injection(
    6_000, 10_000, "data_quality", ("device_risk",), "a client release sends no device_risk for 30 % of transactions, until it is fixed"
)
PRICES = Injection(14_000, TRAFFIC_ROWS, "feature_drift", ("amount",), "amounts rise by half")
SCORES = Injection(22_000, TRAFFIC_ROWS, "prediction_drift", ("prediction", "score"), "the model is redeployed with a wrong calibration")
INJECTIONS = (NULLS, PRICES, SCORES)


class Record(NamedTuple):
    """One record as it goes to Kafka or into a file; `stamp` in ms."""

    topic: str
    key: str
    stamp: int
    value: bytes


def time_of(row: int) -> int:
    """Event time of a row of the traffic, ms."""
    return START_MS + (HISTORY_ROWS + row) * STEP_MS


def history(*, seed: int = 7) -> Iterator[Record]:
    """Yield what was recorded while all was well: what the reference is built from."""
    return _records(np.random.default_rng([seed, 0]), HISTORY_ROWS, first=0, healthy=True)


def traffic(*, seed: int = 7) -> Iterator[Record]:
    """Yield what comes after the history, faults and all."""
    return _records(np.random.default_rng([seed, 1]), TRAFFIC_ROWS, first=HISTORY_ROWS, healthy=False)


def _records(rng: Generator, n: int, *, first: int, healthy: bool) -> Iterator[Record]:
    columns = _features(rng, n)
    nulls, prices, scores = (np.zeros(n) if healthy else _during(injection, n) for injection in INJECTIONS)
    score = _score(rng, columns, shift=1.5 * scores)
    missing = (rng.random(n) < 0.3) & (nulls > 0)
    columns["amount"] = columns["amount"] * (1 + 0.5 * prices)
    named = {name: np.round(column, 4).tolist() if column.dtype.kind == "f" else column.tolist() for name, column in columns.items()}
    for i in range(n):
        key = f"tx-{first + i:08d}"
        stamp = START_MS + (first + i) * STEP_MS
        features = {name: column[i] for name, column in named.items()}
        if missing[i]:
            features["device_risk"] = None
        record = {"id": key, "ts": stamp, "model": {"name": "fraud", "version": "3"}, "payload": {"features": features}}
        yield Record(FEATURES, key, stamp, orjson.dumps(record))
        stamp += LATENCY_MS
        said = {"id": key, "ts": stamp, "version": "3", "label": "fraud" if score[i] > 0.5 else "ok", "score": round(float(score[i]), 4)}
        yield Record(PREDICTIONS, key, stamp, orjson.dumps(said))


def _during(injection: Injection, n: int) -> FloatArray:
    rows = np.arange(n)
    return ((rows >= injection.begins) & (rows < injection.ends)).astype(float)


def _features(rng: Generator, n: int) -> dict[str, NDArray[Any]]:
    return {
        "amount": rng.lognormal(3.5, 0.8, n),
        "balance": rng.normal(2_000, 900, n),
        "session_seconds": rng.lognormal(4.2, 1.0, n),
        "distance_km": rng.exponential(12, n),
        "account_age_days": rng.gamma(2.0, 300, n),
        "items": 1 + rng.poisson(1.5, n),
        "transactions_1h": rng.poisson(0.4, n),
        "transactions_24h": rng.poisson(3.0, n),
        "device_risk": rng.beta(1.5, 9, n),
        "merchant_risk": rng.beta(2, 14, n),
        "ip_risk": rng.beta(1.2, 6, n),
        "typing_speed": rng.normal(4.1, 1.1, n),
        "channel": rng.choice(["app", "web", "phone"], n, p=[0.6, 0.35, 0.05]),
        "country": rng.choice(["DE", "FR", "NL", "ES", "IT"], n, p=[0.4, 0.25, 0.15, 0.12, 0.08]),
    }


def _score(
    rng: Generator,
    columns: dict[str, NDArray[Any]],
    *,
    shift: FloatArray,
) -> FloatArray:
    """Probability of fraud from features that stay as they are, so that each fault shows in its own subjects only."""
    merchant, ip, transactions = (columns[name].astype(float) for name in ("merchant_risk", "ip_risk", "transactions_1h"))
    logit = -3.2 + 6 * merchant + 4 * ip + 0.6 * transactions + rng.normal(0, 0.6, len(shift)) + shift
    probability: FloatArray = 1 / (1 + np.exp(-logit))
    return probability
