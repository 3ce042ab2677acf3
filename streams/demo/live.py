"""The demo on Kafka: a live worker in a process of its own, traffic published while it runs, alerts read from their topic."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from schemas.alerts import Alert
from schemas.errors import DriftsondeError
from streams.demo.kafka_local import free_port
from streams.demo.processes import dying_with_parent
from streams.demo.publish import publish
from streams.demo.synthetic import traffic
from streams.demo.workspace import Workspace
from streams.engine import Engine
from streams.references import load_references
from streams.replay.alert_log import follow_alerts
from streams.replay.kafka_range import KafkaRange
from streams.replay.runner import replay, unhurried

__all__ = ["Worker", "alerts_of_backtest", "alerts_of_worker", "running_worker"]

#: Records a second: some thousand times the speed at which they claim to have happened, and slow enough to watch.
RATE = 6_000.0
READY_WITHIN, ALERTS_WITHIN = 60.0, 60.0


class WorkerFailed(DriftsondeError):
    """The demo's worker ended, or did not begin to serve."""


class Worker:
    """``driftsonde run`` on a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self._log = workspace.directory / "worker.log"
        command = [sys.executable, "-m", "streams.cli", "run", "-c", str(workspace.config_path), "--http", f"127.0.0.1:{port}"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(dying_with_parent(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def check(self) -> None:
        """Raise when it has ended.

        Raises
        ------
        WorkerFailed
            With the end of its log.
        """
        if (code := self._process.poll()) is not None:
            raise WorkerFailed(f"the worker ended with exit code {code}; its log, {self._log}, ends:\n{self._log_tail()}")

    def wait_ready(self) -> None:
        """Wait until it has its partitions and its state."""
        deadline = time.monotonic() + READY_WITHIN
        while not self._ready():
            self.check()
            if time.monotonic() > deadline:
                raise WorkerFailed(f"the worker does not serve after {READY_WITHIN:.0f} s; its log, {self._log}, ends:\n{self._log_tail()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not help."""
        self._process.terminate()
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
            return False
        except OSError:
            return False

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]


@contextmanager
def running_worker(workspace: Workspace) -> Iterator[Worker]:
    """Start a worker and wait until it serves; stop it at the end."""
    worker = Worker(workspace)
    try:
        worker.wait_ready()
        yield worker
    finally:
        worker.stop()


class _Traffic(threading.Thread):
    """Publishes the traffic in the background."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__(name="traffic", daemon=True)
        self._workspace = workspace
        self.error: DriftsondeError | None = None

    def run(self) -> None:
        kafka = self._workspace.config.kafka
        try:
            publish(kafka.bootstrap_servers, self._workspace.topics, traffic(), rate=RATE)
        except DriftsondeError as error:
            self.error = error


def alerts_of_worker(workspace: Workspace, worker: Worker, show: Callable[[Alert], None]) -> tuple[list[Alert], bool]:
    """Publish the traffic and collect what the worker alerts, until it is all that a backtest of the same topics finds.

    Parameters
    ----------
    show : callable
        Is told of each alert as it comes.

    Returns
    -------
    alerts : list of Alert
        In the order of their topic.
    same : bool
        Whether these are exactly the backtest's, ids included.
    """
    found: list[Alert] = []
    publishing = _Traffic(workspace)
    expected: set[str] | None = None
    deadline = 0.0

    def done() -> bool:
        nonlocal expected, deadline
        worker.check()
        if publishing.error is not None:
            raise publishing.error
        if publishing.is_alive():
            return False
        if expected is None:
            expected = {alert.id for alert in alerts_of_backtest(workspace)}
            deadline = time.monotonic() + ALERTS_WITHIN
        return expected <= {alert.id for alert in found} or time.monotonic() > deadline

    publishing.start()
    for alert in follow_alerts(workspace.config, done=done):
        found.append(alert)
        show(alert)
    return found, expected == {alert.id for alert in found}


def alerts_of_backtest(workspace: Workspace) -> tuple[Alert, ...]:
    """Replay what the topics hold now through an engine of our own."""
    engine = Engine(unhurried(workspace.config), load_references(workspace.config, workspace.directory))
    return replay(engine, KafkaRange(workspace.config)).alerts
