"""A live worker over the bench's topics, started as users start it."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.traffic import Topics, create_topics
from tests.integration.worker import Worker

#: What watches every feature, by the name of a row of the table.
MONITORS = {
    "psi + adwin + page_hinkley decide": '{subjects: ["*"], detectors: [psi, adwin, page_hinkley], evidence: []}',
    "default: esr decides, the three explain": '{subjects: ["*"]}',
}
DEFAULT = "default: esr decides, the three explain"

_CONFIG = """
version: 1
application: {application}
kafka: {{bootstrap_servers: "{bootstrap}"}}
alerts: {{topic: {application}.alerts}}
dead_letters: {{topic: {application}.dead-letters}}
models:
{models}
"""
_MODEL = """
  - name: {name}
    sources:
      features: {{topic: {topic}, fields: {{id: id, time: ts, version: version, features: features}}}}
    references: {{default: {{learn: 10000}}}}
    monitors:
      - {monitors}
"""
_EVENTS = re.compile(r'^driftsonde_events_total\{model="\w+",role="features"\} (\S+)$', re.MULTILINE)


class LiveWorker:
    """`driftsonde run`, and what it says of itself."""

    def __init__(self, process: Worker, alerts_topic: str, stages: Path) -> None:
        self.process = process
        self.alerts_topic = alerts_topic
        self._stages = stages

    def stages(self) -> dict[str, float]:
        """CPU microseconds by stage, after the worker has ended."""
        microseconds: dict[str, float] = json.loads(self._stages.read_text())
        return microseconds

    def events(self) -> int:
        """Events that its engines have applied."""
        status, text = self.process.get("/metrics")
        if status != 200:
            raise RuntimeError(f"/metrics answers {status}: {text}\n{self.process.log_tail()}")
        return sum(int(float(count)) for count in _EVENTS.findall(text))

    def wait_for(self, events: int, *, timeout: float = 600) -> None:
        """Wait until it has applied so many."""
        deadline = time.monotonic() + timeout
        while (applied := self.events()) < events:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{applied} of {events} events after {timeout} s\n{self.process.log_tail()}")
            time.sleep(0.2)


def config_text(application: str, bootstrap: str, topics: Sequence[str], *, monitors: str = MONITORS[DEFAULT]) -> str:
    """Return a configuration in which each topic is a model's features."""
    models = "".join(_MODEL.format(name=topic.rpartition(".")[2], topic=topic, monitors=monitors) for topic in topics)
    return _CONFIG.format(application=application, bootstrap=bootstrap, models=models)


@contextmanager
def live_worker(bootstrap: str, topics: Topics, directory: Path, *, monitors: str = MONITORS[DEFAULT]) -> Iterator[LiveWorker]:
    """Run a worker over the topics until the end of the block; the topics are one model each."""
    application = topics.names[0].rpartition(".")[0]
    config = directory / f"{application}.yaml"
    config.write_text(config_text(application, bootstrap, topics.names, monitors=monitors))
    create_topics(bootstrap, f"{application}.alerts", partitions=1)
    stages = directory / f"{application}.stages.json"
    program = (sys.executable, "-m", "tests.bench.staged", str(stages))
    worker = LiveWorker(Worker(config, directory / f"{application}.log", program=program), f"{application}.alerts", stages)
    try:
        worker.process.wait_ready()
        yield worker
    finally:
        if worker.process.running:
            worker.process.terminate()
