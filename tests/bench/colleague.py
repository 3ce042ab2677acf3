"""What a careful engineer writes in an afternoon: one Faust agent, river's ADWIN and Page-Hinkley and a windowed PSI for each feature.

The yardstick of ``python -m tests.bench live``, which starts it and reads two lines of JSON from it: events handled and CPU seconds
used, after the warm-up and at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from statistics import NormalDist

import faust
import numpy as np
from river import drift

BINS = 10
EDGES = np.array([NormalDist().inv_cdf(k / BINS) for k in range(1, BINS)])
EXPECTED = np.full(BINS, 1 / BINS)
WINDOW = 1_000
PSI_THRESHOLD = 0.2


class FeatureMonitor:
    """The three detectors of one feature."""

    def __init__(self) -> None:
        self.adwin = drift.ADWIN()
        self.page_hinkley = drift.PageHinkley()
        self.counts = np.zeros(BINS)
        self.seen = 0

    def update(self, value: float) -> list[str]:
        """Take one value; return the detectors that found a drift."""
        self.adwin.update(value)
        self.page_hinkley.update(value)
        found = [name for name in ("adwin", "page_hinkley") if getattr(self, name).drift_detected]
        self.counts[EDGES.searchsorted(value)] += 1
        self.seen += 1
        if self.seen == WINDOW:
            share = np.maximum(self.counts / WINDOW, 1e-4)
            if ((share - EXPECTED) * np.log(share / EXPECTED)).sum() > PSI_THRESHOLD:
                found.append("psi")
            self.counts[:] = 0
            self.seen = 0
        return found


def build(bootstrap: str, topics: Sequence[str], alerts_topic: str, *, warm_up: int, events: int) -> faust.App:
    """Return the program; it reports at `warm_up` events and at `events`."""
    app = faust.App(
        f"colleague-{os.getpid()}", broker=f"kafka://{bootstrap}", value_serializer="json", web_enabled=False, datadir=tempfile.gettempdir()
    )
    source = app.topic(*topics, value_serializer="json")
    alerts = app.topic(alerts_topic, value_serializer="json")
    monitors: defaultdict[str, FeatureMonitor] = defaultdict(FeatureMonitor)
    handled = 0

    @app.agent(source)
    async def detect(stream: faust.StreamT[dict[str, object]]) -> None:
        nonlocal handled
        async for event in stream:
            for name, value in event["features"].items():
                if found := monitors[name].update(value):
                    await alerts.send(value={"feature": name, "detectors": found, "id": event["id"]})
            handled += 1
            if handled in (warm_up, events):
                print(json.dumps({"events": handled, "cpu_s": time.process_time()}), file=sys.__stdout__, flush=True)

    return app


def main() -> None:
    """Run until killed."""
    options = argparse.ArgumentParser()
    options.add_argument("bootstrap")
    options.add_argument("topics", nargs="+")
    options.add_argument("--alerts", required=True)
    options.add_argument("--warm-up", type=int, required=True)
    options.add_argument("--events", type=int, required=True)
    given = options.parse_args()
    app = build(given.bootstrap, given.topics, given.alerts, warm_up=given.warm_up, events=given.events)
    faust.Worker(app, loglevel="ERROR", quiet=True, redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main()
