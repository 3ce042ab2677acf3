"""Configurations to start from, and toy detectors, so that these tests need none of the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from schemas.config import Config
from schemas.config_file import load_config
from schemas.errors import ConfigError

FEATURES = "features: {topic: fraud.features, fields: {id: id, features: .}}"
PREDICTIONS = "predictions: {topic: fraud.predictions, fields: {id: id, prediction: label}}"
LABELS = "labels: {topic: fraud.labels, fields: {id: id, label: label}, horizon: 7d}"


class _Parameters(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Psi(_Parameters):
    bins: int = Field(default=10, ge=2)
    threshold: float | None = Field(default=None, gt=0)
    policy: str = "latch"
    window: int | Literal["auto"] = "auto"


class Adwin(_Parameters):
    delta: float = Field(default=0.002, gt=0, lt=1)


class Other(_Parameters):
    pass


class River(_Parameters):
    name: str


DETECTORS: Mapping[str, type[BaseModel]] = {"adwin": Adwin, "esr": Other, "page_hinkley": Other, "psi": Psi, "river": River}


def with_model(*lines: str, sources: str = FEATURES, top: str = "") -> str:
    """A file whose only model has these lines; the first of them is on line 5 (later by the lines of `top`)."""
    rest = "".join(f"    {line}\n" for line in lines)
    return f"version: 1\n{top}models:\n  - name: fraud\n    sources: {{{sources}}}\n{rest}"


def with_top(text: str) -> str:
    """A file with these lines before the models; the first of them is on line 2."""
    return with_model(top=text.rstrip("\n") + "\n")


class Folder:
    """A working directory with one configuration file in it."""

    def load(self, text: str, *, name: str = "driftsonde.yaml", **env: str) -> Config:
        Path(name).write_text(text, encoding="utf-8")
        return load_config(Path(name), env=env, detectors=DETECTORS)

    def complaint(self, text: str, *, name: str = "driftsonde.yaml", **env: str) -> str:
        """Everything a user gets to read about this file."""
        with pytest.raises(ConfigError) as refused:
            self.load(text, name=name, **env)
        return str(refused.value)
