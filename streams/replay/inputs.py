"""``--input ROLE=FILE``: which file stands for which topic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from schemas.config import Config
from schemas.errors import DataError

__all__ = ["files_by_topic"]


def files_by_topic(config: Config, inputs: Sequence[str]) -> dict[str, Path]:
    """Read ``ROLE=FILE`` or ``MODEL/ROLE=FILE``; return the file of each topic.

    A file stands for a whole topic: when a topic carries several roles, its one file does.

    Raises
    ------
    ValueError
        Not of that form, or no such role.
    DataError
        Two files for one topic, or no such file.
    """
    found: dict[str, Path] = {}
    for text in inputs:
        name, _, file = text.partition("=")
        if not file:
            raise ValueError(f"{text!r} is not an input; expected ROLE=FILE, such as features=features.jsonl")
        topic = _topic(config, name)
        path = Path(file)
        if found.setdefault(topic, path) != path:
            raise DataError(f"{found[topic]} and {path} both stand for topic {topic!r}; expected one file a topic")
        if path.is_dir():
            raise DataError(f"{path}: a directory; expected a file")
        if not path.exists():
            raise DataError(f"{path}: no such file")
    return found


def _topic(config: Config, name: str) -> str:
    """Topic of ``role`` or ``model/role``."""
    model, _, role = name.rpartition("/")
    topics = {m.name: s.topic for m in config.models for r, s in m.sources.items() if r == role and model in ("", m.name)}
    known = sorted({f"{m.name}/{r}" for m in config.models for r, _ in m.sources.items()})
    if not topics:
        raise ValueError(f"{name!r} is no configured source; expected one of {', '.join(known)} (the model may be left out)")
    if len(set(topics.values())) > 1:
        raise ValueError(f"{name!r} is a source of several models; expected one of {', '.join(f'{m}/{role}' for m in sorted(topics))}")
    return next(iter(topics.values()))
