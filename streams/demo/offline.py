"""The demo without Kafka: the same traffic in files, the same engine in this process."""

from __future__ import annotations

from collections.abc import Callable

from schemas.alerts import Alert
from streams.demo.synthetic import traffic
from streams.demo.workspace import Workspace, write_records
from streams.engine import Engine
from streams.references import load_references
from streams.replay.files import FileSource
from streams.replay.runner import replay, unhurried

__all__ = ["alerts_of_files"]


def alerts_of_files(workspace: Workspace, show: Callable[[Alert], None]) -> list[Alert]:
    """Write the traffic to files and replay them."""
    files = write_records(workspace.directory / "traffic", traffic())
    source = FileSource(workspace.config, {workspace.topics[name]: path for name, path in files.items()})
    engine = Engine(unhurried(workspace.config), load_references(workspace.config, workspace.directory))
    return list(replay(engine, source, on_alert=show).alerts)
