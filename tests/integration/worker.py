"""`driftsonde run` as a process of its own: started, waited for, terminated, killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

COMMAND = Path(sys.executable).with_name("driftsonde")


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Worker:
    """One live worker; its output goes to `log`."""

    def __init__(
        self,
        config: Path,
        log: Path,
        *arguments: str,
        env: dict[str, str] | None = None,
        program: Sequence[str] = (str(COMMAND),),
    ) -> None:
        self.port = free_port()
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*program, "run", "-c", str(config), "--http", f"127.0.0.1:{self.port}", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a GET; (0, reason) while nothing answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def wait_ready(self, timeout: float = 90) -> Worker:
        """Wait until it has its partitions and its state."""
        deadline = time.monotonic() + timeout
        while (answer := self.get("/readyz"))[0] != 200:
            assert self.running, f"the worker ended with {self._process.returncode} before it was ready:\n{self.log_tail()}"
            assert time.monotonic() < deadline, f"the worker was not ready within {timeout} s (/readyz: {answer}):\n{self.log_tail()}"
            time.sleep(0.1)
        return self

    def terminate(self, timeout: float = 60) -> int:
        """SIGTERM: the orderly end, with a last checkpoint; return the exit code."""
        self._process.terminate()
        return self.wait(timeout)

    def wait(self, timeout: float = 60) -> int:
        """Return the exit code of a worker that ends by itself."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the worker did not end within {timeout} s:\n{self.log_tail()}") from None

    def kill(self) -> None:
        """SIGKILL: the power cut."""
        self._process.kill()
        self._process.wait(10)

    def pause(self) -> None:
        """SIGSTOP: a worker that hangs, and does not know it."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def log_tail(self, characters: int = 4000) -> str:
        return self.log.read_text(errors="replace")[-characters:]


class Workers:
    """Starts workers and, at the end of a test, leaves none behind."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._started: list[Worker] = []

    def __call__(self, config: Path, *arguments: str, ready: bool = True, env: dict[str, str] | None = None) -> Worker:
        """Start ``driftsonde run -c config``; unless `ready` is False, wait until it serves."""
        worker = Worker(config, self._directory / f"worker-{len(self._started) + 1}.log", *arguments, env=env)
        self._started.append(worker)
        return worker.wait_ready() if ready else worker

    def kill_all(self) -> None:
        for worker in self._started:
            if worker.running:
                worker.kill()
