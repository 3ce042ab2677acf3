"""``driftsonde run``: the live worker."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from streams.cli.options import ConfigFile, load

__all__ = ["run"]


class LogLevel(StrEnum):
    """How much the worker says on stderr."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise typer.BadParameter(f"{text!r} is not an address; expected HOST:PORT or PORT, such as 0.0.0.0:6066")
    return host.strip("[]") or "127.0.0.1", int(port)


def run(
    config: ConfigFile = Path("driftsonde.yaml"),
    http: Annotated[
        str, typer.Option(metavar="HOST:PORT", envvar="DRIFTSONDE_HTTP", help="Where metrics, health and the live page are served.")
    ] = "127.0.0.1:6066",
    instance: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of this worker, unique and stable; by default the host's.", envvar="DRIFTSONDE_INSTANCE"),
    ] = None,
    log_level: Annotated[LogLevel, typer.Option(help="How much to say on stderr.")] = LogLevel.info,
) -> None:
    """Watch the configured topics until told to stop; SIGTERM makes a last checkpoint and exits with 0."""
    host, port = _address(http)
    loaded = load(config)
    from streams.live.worker import run_worker
    from streams.references import load_references

    references = load_references(loaded, config.parent)
    raise typer.Exit(run_worker(loaded, references, web_host=host, web_port=port, instance_id=instance, log_level=log_level))
