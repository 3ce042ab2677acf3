"""``python -m streams.demo.traffic``: the demo's traffic into topics that exist, for a worker that runs elsewhere (docker-compose.yml)."""

from __future__ import annotations

import argparse
import os
from heapq import merge

from streams.demo.publish import publish
from streams.demo.synthetic import FEATURES, LABELS, PREDICTIONS, history, traffic

__all__ = ["main"]


def main() -> None:
    """Publish a healthy history, then traffic in which things change, to the topics fraud.features, fraud.predictions and fraud.labels."""
    parser = argparse.ArgumentParser(prog="python -m streams.demo.traffic", description=main.__doc__)
    parser.add_argument("--bootstrap", default=os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"), help="host:port of Kafka")
    parser.add_argument("--rate", type=float, default=500.0, help="records a second; there are 165 000")
    given = parser.parse_args()
    records = merge(history(), traffic(), key=lambda record: record.stamp)  # the last labels of the history come during the traffic
    publish(given.bootstrap, {topic: topic for topic in (FEATURES, PREDICTIONS, LABELS)}, records, rate=given.rate)


if __name__ == "__main__":
    main()
