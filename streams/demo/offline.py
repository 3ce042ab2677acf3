"""The demo without Kafka: the same traffic in files, the same engine in this process."""

from __future__ import annotations

from collections.abc import Callable

from schemas.alerts import Alert
from streams.demo.workspace import Workspace
from streams.engine import Engine
from streams.references import load_references
from streams.replay.files import FileSource
from streams.replay.runner import replay, unhurried

__all__ = ["alerts_of_files"]


def alerts_of_files(workspace: Workspace, show: Callable[[Alert], None]) -> list[Alert]:
    """Replay the files of the traffic."""
    source = FileSource(workspace.config, workspace.traffic)
    engine = Engine(unhurried(workspace.config), load_references(workspace.config, workspace.directory))
    return list(replay(engine, source, on_alert=show).alerts)
