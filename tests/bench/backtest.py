"""How fast history plays: events a second of `driftsonde backtest`, start-up included."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.bench.traffic import Topics, lines
from tests.bench.worker import config_text
from tests.integration.worker import COMMAND


class Speed(NamedTuple):
    """A backtest over a number of events."""

    source: str
    events: int
    seconds: float
    cpu_s: float


def measure_file(directory: Path, *, events: int) -> Speed:
    """Play a JSONL file."""
    file = directory / "events.jsonl"
    with file.open("wb") as output:
        output.writelines(lines(events))
    config = directory / "file.yaml"
    config.write_text(config_text("file", "localhost:9092", ["file.a"]))
    return _timed("a JSONL file", events, "-c", str(config), "--input", f"features={file}")


def measure_kafka(bootstrap: str, directory: Path, *, events: int) -> Speed:
    """Play a range of Kafka topics."""
    since = datetime.now(UTC)
    topics = Topics(bootstrap, "history")
    topics.write(events)
    topics.flush()
    config = directory / "history.yaml"
    config.write_text(config_text("history", bootstrap, topics.names))
    until = datetime.now(UTC)
    return _timed("Kafka, 8 partitions", events, "-c", str(config), "--since", since.isoformat(), "--until", until.isoformat())


def _timed(source: str, events: int, *arguments: str) -> Speed:
    start = time.monotonic()
    process = subprocess.Popen(
        [str(COMMAND), "backtest", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"driftsonde backtest ended with {process.returncode}:\n{said[-4000:]}")
    return Speed(source, events, time.monotonic() - start, usage.ru_utime + usage.ru_stime)
