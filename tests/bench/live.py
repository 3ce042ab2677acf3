"""How much CPU an event costs a live worker, beside the program that a careful colleague writes with Faust and river."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from tests.bench.colleague import ALERTS
from tests.bench.process import cpu_seconds
from tests.bench.traffic import Topics, create_topics
from tests.bench.worker import MONITORS, live_worker

#: Faust's start-up, imports, the learning of the reference: not counted.
WARM_UP = 50_000
#: Of `streams.live.stages`: decoding records into columns, reading blocks from the journal, the engine.
STAGES = ("decode", "read", "detect")


class Cost(NamedTuple):
    """What a program needed for events after the warm-up."""

    program: str
    events: int
    cpu_s: float
    #: CPU µs an event by stage; without those stages that wait for something.
    stages: Mapping[str, float] = {}

    @property
    def microseconds(self) -> float:
        """CPU time of an event."""
        return self.cpu_s / self.events * 1e6


def measure_colleague(bootstrap: str, directory: Path, *, events: int) -> Cost:
    """Run the colleague's program over `events` events."""
    warm_up = min(WARM_UP, events) // 10
    topics = Topics(bootstrap, "colleague")
    create_topics(bootstrap, ALERTS, partitions=1)
    topics.write(warm_up + events)
    topics.flush()
    command = [sys.executable, "-m", "tests.bench.colleague", bootstrap, *topics.names]
    command += ["--warm-up", str(warm_up), "--events", str(warm_up + events)]
    with (directory / "colleague.log").open("wb") as log:
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert program.stdout is not None
        reports = _reports(program.stdout)
        start, end = next(reports), next(reports)
    finally:
        program.kill()
        program.wait(10)
    return Cost("the colleague's Faust + river", end["events"] - start["events"], end["cpu_s"] - start["cpu_s"])


def _reports(output: IO[str]) -> Iterator[dict[str, float]]:
    for line in output:
        _, brace, rest = line.partition("{")  # Faust writes cursor codes before it
        if brace:
            yield json.loads(brace + rest)


def measure_driftsonde(bootstrap: str, directory: Path, *, row: str, name: str, events: int) -> Cost:
    """Run a live worker over `events` events, beginning when those of the warm-up are all applied."""
    topics = Topics(bootstrap, name)
    with live_worker(bootstrap, topics, directory, monitors=MONITORS[row]) as worker:
        topics.write(WARM_UP)
        topics.flush()
        worker.wait_for(WARM_UP)
        before = cpu_seconds(worker.process.pid)
        topics.write(events)
        topics.flush()
        worker.wait_for(WARM_UP + events)
        cpu_s = cpu_seconds(worker.process.pid) - before
    spent = worker.stages()
    return Cost(f"driftsonde, {row}", events, cpu_s, {name: spent[name] / topics.written for name in STAGES})


def measure(bootstrap: str, directory: Path, *, events: int, colleague_events: int) -> list[Cost]:
    """Measure all rows of the table, the colleague first."""
    rows = [measure_colleague(bootstrap, directory, events=colleague_events)]
    rows += [
        measure_driftsonde(bootstrap, directory, row=row, name=f"bench-{number}", events=events) for number, row in enumerate(MONITORS, 1)
    ]
    return rows
