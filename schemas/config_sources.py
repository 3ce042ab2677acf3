"""The part of the configuration that says where records are, and where in a record things are."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ["FieldPath", "Fields", "Section", "SourceConfig", "Topic"]


class Section(BaseModel):
    """A mapping of the configuration file: frozen, without unknown keys, without infinite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


def _topic(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name) or name in (".", ".."):
        raise ValueError(f"{name!r} is not a Kafka topic name; expected 1 to 249 of letters, digits, '.', '_' and '-'")
    return name


def _path(path: str) -> str:
    if not all(path.split(".")):
        raise ValueError(f"{path!r} is not a path; expected names joined by single dots, such as 'payload.amount'")
    return path


def _features_path(path: str) -> str:
    return path if path == "." else _path(path)


def _time_path(path: str) -> str:
    if path.startswith("$") and path != "$timestamp":
        raise ValueError(f"{path!r} is not a time; expected a path, or '$timestamp' for Kafka's own")
    return _path(path)


def _arrival_path(path: str) -> str:
    if path.startswith("$"):
        raise ValueError(f"{path!r} is not a path; without 'arrived' a record arrived at Kafka's own timestamp")
    return _path(path)


Topic: TypeAlias = Annotated[str, AfterValidator(_topic)]
FieldPath: TypeAlias = Annotated[str, AfterValidator(_path)]


class Fields(Section):
    """Where in a record things are: dotted paths reach into nested JSON."""

    id: FieldPath
    time: Annotated[str, AfterValidator(_time_path)] = Field(
        default="$timestamp",
        description="Number since the epoch (s, ms, us or ns, told apart by size), ISO 8601, or $timestamp for Kafka's own.",
    )
    arrived: Annotated[str, AfterValidator(_arrival_path)] | None = Field(
        default=None,
        description="When the record arrived, where Kafka's timestamp does not say it: a topic that was filled afterwards.",
    )
    version: FieldPath | None = None
    model: FieldPath | None = Field(
        default=None, description="Names the model when a topic is shared; without it every record is this model's."
    )
    features: Annotated[str, AfterValidator(_features_path)] | None = Field(
        default=None, description="Object of features; '.' takes the whole record but the mapped fields."
    )
    prediction: FieldPath | None = None
    score: FieldPath | None = None
    label: FieldPath | None = None
    source: FieldPath | None = Field(default=None, description="Labels only: who says so, such as 'review'; see 'count'.")
    revision: FieldPath | None = Field(
        default=None, description="Labels only: a whole number; of several labels the highest wins, without it the last."
    )


class SourceConfig(Section):
    """One topic in one role."""

    topic: Topic
    fields: Fields
