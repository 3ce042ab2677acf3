"""Closed cohorts out of columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.events import FloatArray
from schemas.snapshot import pack
from streams.engine.join.batches import LABELLED, Closed
from streams.engine.join.rules import View
from streams.engine.performance import Tally

HOUR = 3_600_000


def closed(
    actual: object, predicted: object = None, scores: object = None, status: NDArray[np.int8] | None = None, *, cohort: int = 0
) -> Closed:
    """Make a cohort of one hour; labelled where nothing else is said, without predictions or scores where none are given."""
    known = np.asarray(actual, np.float64)
    n = len(known)

    def column(given: object) -> FloatArray:
        return np.full(n, np.nan) if given is None else np.asarray(given, np.float64)

    return Closed(
        cohort=cohort,
        start_ms=cohort * HOUR,
        end_ms=(cohort + 1) * HOUR,
        view=View("matured", 0, HOUR, "matured"),
        pi=(cohort + 1) * HOUR,
        lam=(cohort + 2) * HOUR,
        times=cohort * HOUR + np.arange(n),
        versions=np.zeros(n, np.int32),
        segments=np.zeros((0, n), np.int32),
        predicted=column(predicted),
        scores=column(scores),
        actual=known,
        status=np.full(n, LABELLED, np.int8) if status is None else status,
        delays=np.zeros(n, np.int64),
    )


def image(tally: Tally) -> bytes:
    """Everything a tally knows, to the bit."""
    return pack(tally.state(), header={})


def fraud(
    rng: np.random.Generator, n: int, *, share: float = 0.01, centre: float = -6.0, apart: float = 4.0
) -> tuple[FloatArray, FloatArray]:
    """Outcomes with this share of positives, and a model's skewed scores."""
    actual = (rng.random(n) < share).astype(np.float64)
    return actual, 1 / (1 + np.exp(-(centre + apart * actual + 1.5 * rng.normal(size=n))))
