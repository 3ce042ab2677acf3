"""Resident memory of a live worker as events go by."""

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


def measure(bootstrap: str, directory: Path, *, after: Sequence[int], backlog: int) -> list[Memory]:
    """Read the worker's resident memory after each of these numbers of events (increasing).

    Parameters
    ----------
    backlog : int
        Events written at once, before the worker is waited for: while it catches up it holds rows of the sources that are ahead.
    """
    topics = Topics(bootstrap, "memory")
    found: list[Memory] = []
    with live_worker(bootstrap, topics, directory) as worker:
        for events in after:
            while topics.written < events:
                topics.write(min(backlog, events - topics.written))
                topics.flush()
                worker.wait_for(topics.written)
            found.append(Memory(events, rss_megabytes(worker.process.pid)))
    return found
