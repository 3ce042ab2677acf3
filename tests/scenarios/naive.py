"""What most teams do: compare each label with its prediction when it comes, and feed the errors to a detector in that order."""

from __future__ import annotations

import numpy as np
from river import drift

from tests.scenarios.fraud import DAY_MS, World

__all__ = ["alarms", "error_by_arrival"]

#: Days until labels of every age come: what is alarmed before is the beginning of the feed, which nobody would count.
SETTLED = 30


def alarms(world: World) -> dict[str, list[float]]:
    """Feed the errors to ADWIN and Page-Hinkley as river has them, in order of arrival; return the day of each alarm.

    Reviews and chargebacks alike count when they come. Both detectors begin anew after an alarm, as river's do.
    """
    labels = world.labels
    wrong = (world.predicted[labels.rows] != world.positive[labels.rows]).astype(int).tolist()
    days = ((labels.arrivals - world.start) / DAY_MS).tolist()
    detectors = {"ADWIN": drift.ADWIN(), "Page-Hinkley": drift.PageHinkley()}
    found: dict[str, list[float]] = {name: [] for name in detectors}
    for name, detector in detectors.items():
        for error, day in zip(wrong, days, strict=True):
            detector.update(error)
            if detector.drift_detected and day >= SETTLED:
                found[name].append(day)
    return found


def error_by_arrival(world: World, first: float, last: float) -> float:
    """Share of wrong predictions among the labels that arrive from day `first` to day `last`."""
    days = (world.labels.arrivals - world.start) / DAY_MS
    rows = world.labels.rows[(days >= first) & (days < last)]
    return float(np.mean(world.predicted[rows] != world.positive[rows]))
