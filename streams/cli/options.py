"""What several commands share: options, and the way from a path to a configuration."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from schemas.config import Config

__all__ = ["ConfigFile", "Json", "duration", "load", "when", "write"]

ConfigFile = Annotated[
    Path, typer.Option("-c", "--config", envvar="DRIFTSONDE_CONFIG", metavar="FILE", help="The configuration, YAML, TOML or JSON.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]


def load(path: Path) -> Config:
    """Read the configuration, with every detector's parameters checked.

    Raises
    ------
    ConfigError
        All that is wrong with it.
    """
    from detectors import available
    from schemas.config_file import load_config

    return load_config(path, env=os.environ, detectors=available())


def duration(text: str) -> int:
    """Read a duration given on the command line, ms.

    Raises
    ------
    typer.BadParameter
        It is none.
    """
    from schemas.durations import milliseconds

    try:
        return milliseconds(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def when(text: str | None) -> int | None:
    """Read a point in time given on the command line, ms since the epoch.

    Raises
    ------
    typer.BadParameter
        It is none.
    """
    from streams.replay.times import instant

    if text is None:
        return None
    try:
        return instant(text, now_ms=time.time_ns() // 1_000_000)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def write(path: Path, content: bytes) -> None:
    """Write a result where the user wants it, with the directories that lead there.

    Raises
    ------
    DriftsondeError
        It can't be written there.
    """
    from schemas.errors import DriftsondeError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise DriftsondeError(f"{path}: can't be written: {error.strerror}") from error
