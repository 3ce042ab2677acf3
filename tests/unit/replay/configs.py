"""Small configurations, and files that fit them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from schemas.config import Config

FEATURES = {"topic": "f", "fields": {"id": "id", "time": "ts", "version": "version", "features": "x"}}
PREDICTIONS = {"topic": "p", "fields": {"id": "id", "time": "ts", "version": "version", "prediction": "label", "score": "score"}}
START = 1_767_571_200_000  # 2026-01-05T00:00:00Z


def config(*, features: Mapping[str, Any] | None = FEATURES, predictions: Mapping[str, Any] | None = None, **model: Any) -> Config:
    sources = {name: given for name, given in (("features", features), ("predictions", predictions)) if given is not None}
    return Config.model_validate({"version": 1, "models": [{"name": "fraud", "sources": sources, **model}]})


def row(i: int, **features: Any) -> dict[str, Any]:
    """The i-th record, one a second."""
    return {"id": f"r{i}", "ts": START + 1000 * i, "version": "3", "x": features}


def write_lines(path: Path, rows: Iterable[Mapping[str, Any] | bytes]) -> Path:
    content = b"".join((r if isinstance(r, bytes) else orjson.dumps(r)) + b"\n" for r in rows)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path
