"""``driftsonde schema``: JSON Schema of what crosses the boundary."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

__all__ = ["schema"]


class Subject(StrEnum):
    """What there is a schema of."""

    config = "config"
    alert = "alert"
    dead_letter = "dead-letter"
    reference = "reference"


def schema(of: Annotated[Subject, typer.Argument(help="What the schema is of.")]) -> None:
    """Print a JSON Schema (2020-12)."""
    import orjson

    found: Mapping[str, Any]
    match of:
        case Subject.config:
            from detectors import available
            from schemas.config_schema import config_json_schema

            found = config_json_schema({kind: config.model_json_schema() for kind, config in available().items()})
        case Subject.alert:
            from schemas.alerts import Alert

            found = Alert.json_schema()
        case Subject.dead_letter:
            from schemas.dead_letters import DeadLetter

            found = DeadLetter.json_schema()
        case Subject.reference:
            from schemas.reference import Reference

            found = Reference.json_schema()
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
