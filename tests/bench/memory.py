"""Resident memory of a live worker as events go by: it should stand still."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.process import rss_megabytes
from tests.bench.traffic import Topics
from tests.bench.worker import live_worker


class Memory(NamedTuple):
    """Resident memory after a number of events, in 10^6 bytes."""

    events: int
    megabytes: float


def measure(bootstrap: str, directory: Path, *, after: Sequence[int]) -> list[Memory]:
    """Read the worker's resident memory after each of these numbers of events (increasing)."""
    topics = Topics(bootstrap, "memory")
    found: list[Memory] = []
    with live_worker(bootstrap, topics, directory) as worker:
        for events in after:
            topics.write(events - topics.written)
            topics.flush()
            worker.wait_for(events)
            found.append(Memory(events, rss_megabytes(worker.process.pid)))
    return found
