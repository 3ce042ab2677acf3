"""Reading the configuration file: every problem in one run, at file:line:column, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from schemas.config import Config
from schemas.documents import Loaded, load

__all__ = ["load_config", "read_config"]


def load_config(path: Path, *, env: Mapping[str, str], detectors: Mapping[str, type[BaseModel]] | None = None) -> Config:
    """Read a configuration: YAML, or JSON and TOML by their suffix.

    Parameters
    ----------
    path : Path
        The file.
    env : mapping
        Values for ``${VAR}``; the environment, as a rule.
    detectors : mapping, optional
        Parameters of each kind of detector (``detectors.available()``); without it kinds and parameters are not checked.

    Raises
    ------
    ConfigError
        The file can't be read or used: all its problems, in the order of the file. Secrets do not show.
    """
    return read_config(path, env=env, detectors=detectors).value


def read_config(path: Path, *, env: Mapping[str, str], detectors: Mapping[str, type[BaseModel]] | None = None) -> Loaded[Config]:
    """Read a configuration as `load_config` does, and keep the places: ``.value``, and ``.problem(path, message)``.

    For whoever finds out more about it later, such as `schemas.config_lint` or a look at the broker.
    """
    return load(path, Config, env=env, kinds=detectors)
