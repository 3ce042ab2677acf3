"""How much CPU an event costs a live worker, beside the program that a careful colleague writes with Faust and river."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from tests.bench.process import cpu_seconds
from tests.bench.traffic import Topics, create_topics
from tests.bench.worker import MONITORS, live_worker

#: Events that are not counted: Faust's start-up, imports, the learning of the reference.
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


def measure_colleague(bootstrap: str, directory: Path, *, name: str, events: int) -> Cost:
    """Run the colleague's program over `events` events."""
    warm_up = min(WARM_UP, events) // 10
    topics = Topics(bootstrap, name)
    alerts = f"{name}.alerts"
    create_topics(bootstrap, alerts, partitions=1)
    topics.write(warm_up + events)
    topics.flush()
    command = [sys.executable, "-m", "tests.bench.colleague", bootstrap, *topics.names, "--alerts", alerts]
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
    """Measure a live worker by the difference of two: one with the warm-up in its topics, and one with `events` more.

    Stage 1 runs ahead of stage 2, so there is no moment at which both have done the warm-up and nothing else. Two workers that end
    with everything applied have no such lead, and starting them costs the same.
    """
    few, _ = _cpu_to_apply(bootstrap, directory, row=row, name=f"{name}-few", events=WARM_UP)
    all_, spent = _cpu_to_apply(bootstrap, directory, row=row, name=f"{name}-all", events=WARM_UP + events)
    return Cost(f"driftsonde, {row}", events, all_ - few, {stage: spent[stage] / (WARM_UP + events) for stage in STAGES})


def _cpu_to_apply(bootstrap: str, directory: Path, *, row: str, name: str, events: int) -> tuple[float, Mapping[str, float]]:
    """CPU seconds of a worker from its start until it has applied events that were there before, and microseconds by stage."""
    topics = Topics(bootstrap, name)
    topics.write(events)
    topics.flush()
    with live_worker(bootstrap, topics, directory, monitors=MONITORS[row]) as worker:
        worker.wait_for(events)
        cpu_s = cpu_seconds(worker.process.pid)
    return cpu_s, worker.stages()


def measure(bootstrap: str, directory: Path, *, events: int, colleague_events: int, repeats: int) -> list[Cost]:
    """Measure all rows of the table in turn, the colleague first, and again; the least of each row is what others disturbed least."""
    rounds = [
        [
            measure_colleague(bootstrap, directory, name=f"colleague-{turn}", events=colleague_events),
            *(
                measure_driftsonde(bootstrap, directory, row=row, name=f"bench-{turn}-{number}", events=events)
                for number, row in enumerate(MONITORS)
            ),
        ]
        for turn in range(repeats)
    ]
    return [min(costs, key=lambda cost: cost.microseconds) for costs in zip(*rounds, strict=True)]
