"""An engine whose state is mostly sealed: chunks of ten messages, each with a column that is written later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.alerts import Alert
from schemas.events import Message
from schemas.snapshot import Sealed
from tests.unit.live.alerts import an_alert
from tests.unit.live.memory_log import MemoryLog

CHUNK, CHUNKS_KEPT = 10, 5


class SealingEngine:
    """Every third message makes an alert, every tenth fills a chunk, and every twentieth writes to the oldest one."""

    #: Stands for what a batch edge or a changed setting may do: the same name, other content.
    flavour = 0

    def __init__(self, config: Any, references: Any, *, state: Mapping[str, Any] | None = None, arrays: Any = None) -> None:
        self.n = 0 if state is None else state["n"]
        self.chunks: dict[int, NDArray[np.float64]] = {}
        self.labels: dict[int, NDArray[np.float64]] = {}
        self.versions: dict[int, int] = {}
        for saved in [] if state is None else state["chunks"]:
            uid = saved["uid"]
            self.chunks[uid], self.labels[uid], self.versions[uid] = saved["rows"]["x"], saved["labels"]["y"], saved["version"]

    def process(self, messages: Sequence[Message]) -> list[Alert]:
        for _ in messages:
            self.n += 1
            if self.n % CHUNK == 0:
                self._fill(self.n // CHUNK)
            if self.n % (2 * CHUNK) == 0:
                self._write(min(self.chunks))
        return [an_alert(n) for n in range(self.n - len(messages) + 1, self.n + 1) if n % 3 == 0]

    def snapshot(self) -> dict[str, Any]:
        return {"n": self.n, "chunks": [self._saved(uid) for uid in self.chunks]}

    def columns(self) -> dict[int, tuple[list[float], list[float]]]:
        return {uid: (self.chunks[uid].tolist(), self.labels[uid].tolist()) for uid in self.chunks}

    def _fill(self, uid: int) -> None:
        self.chunks[uid] = np.random.default_rng([self.flavour, uid]).random(4_000)
        self.labels[uid], self.versions[uid] = np.zeros(3_000), 0
        if len(self.chunks) > CHUNKS_KEPT:
            oldest = min(self.chunks)
            del self.chunks[oldest], self.labels[oldest], self.versions[oldest]

    def _write(self, uid: int) -> None:
        self.labels[uid] = np.random.default_rng([self.flavour, uid, self.n]).random(3_000)
        self.versions[uid] += 1

    def _saved(self, uid: int) -> dict[str, Any]:
        name = f"fraud/chunk/{uid}"
        version = self.versions[uid]
        labels = Sealed(f"{name}/labels/{version}", {"y": self.labels[uid]})
        return {"uid": uid, "version": version, "rows": Sealed(name, {"x": self.chunks[uid]}), "labels": labels}


def parts_written(log: MemoryLog) -> list[bytes]:
    """Keys of all chunks of parts that were ever written, in order."""
    return [w.key for w in log.written if w.topic == "app.state" and b"/part/" in w.key and w.value is not None]


def part_keys_there(log: MemoryLog) -> list[bytes]:
    """Keys of all chunks of parts that are there now."""
    last = {w.key: w.value for w in log.written if w.topic == "app.state" and b"/part/" in w.key}
    return [key for key, value in last.items() if value is not None]


def parts_there(log: MemoryLog) -> set[str]:
    """Names of the parts that are there now."""
    return {key.decode().split("/", 3)[3].rpartition("/")[0] for key in part_keys_there(log)}
