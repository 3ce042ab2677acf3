"""Dead letters: records that can't be used, with the reason, on their way to a topic of their own. The stream goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from schemas.events import Position

__all__ = ["DeadLetter", "Reason", "Rejection"]

#: Why a record can't be used.
Reason: TypeAlias = Literal[
    "undecodable",  # no value (a tombstone), not UTF-8, not JSON, nested too deep
    "not_an_object",  # JSON, but not an object; or its features are something else than an object
    "oversize",  # too many bytes, or too many features
    "unknown_model",  # fields.model names no configured model
    "missing_id",
    "bad_time",  # no time (of the event, or of arrival), or none that can be read, or before 1973
    "future_timestamp",  # ahead of its own record timestamp, or of the wall clock
    "bad_label",  # a topic of labels: no label, or one that is no class (no number, for regression), or its source or revision is none
]

#: Characters of `DeadLetter.detail` at most.
MAX_DETAIL = 200


class Rejection(NamedTuple):
    """Why a record can't be used: a reason from the closed list, and what was found, expected and where."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that can't be used.

    Parameters
    ----------
    position : Position
        Where it lies in its log.
    reason : Reason
        Why, for counting.
    detail : str
        What was found, what was expected, and where; at most 200 characters.
    value : bytes or None
        The record's own bytes, unchanged.
    timestamp : int
        The record's own timestamp, ms since the epoch UTC.

    Examples
    --------
    >>> letter = DeadLetter(Position("fraud.features", 3, 41), "missing_id", "nothing at 'id'", b"{}", 1767608591000)
    >>> letter.key
    b'fraud.features/3/41'
    >>> dict(letter.headers("driftsonde"))["reason"]
    b'missing_id'
    """

    position: Position
    reason: Reason
    detail: str
    value: bytes | None
    timestamp: int

    def __post_init__(self) -> None:
        if len(self.detail) > MAX_DETAIL:
            object.__setattr__(self, "detail", self.detail[: MAX_DETAIL - 1] + "…")

    @property
    def key(self) -> bytes:
        """Key of the Kafka record: ``topic/partition/offset``, so a repetition can be told."""
        return "/".join(map(str, self.position)).encode()

    def headers(self, application: str) -> list[tuple[str, bytes]]:
        """Headers of the Kafka record; all values are text in UTF-8."""
        fields = {
            "reason": self.reason,
            "detail": self.detail,
            "topic": self.position.topic,
            "partition": str(self.position.partition),
            "offset": str(self.position.offset),
            "timestamp": str(self.timestamp),
            "application": application,
        }
        return [(name, value.encode()) for name, value in fields.items()]

    @staticmethod
    def json_schema() -> Mapping[str, Any]:
        """JSON Schema (2020-12) of the headers, as an object of strings."""
        number = {"type": "string", "pattern": "^-?[0-9]+$"}
        properties = {
            "reason": {"enum": list(get_args(Reason)), "description": "Why the record can't be used."},
            "detail": {"type": "string", "maxLength": MAX_DETAIL, "description": "What was found, what was expected, and where."},
            "topic": {"type": "string", "description": "Where the record lay."},
            "partition": number,
            "offset": number,
            "timestamp": {**number, "description": "The record's own timestamp, ms since the epoch UTC."},
            "application": {"type": "string", "description": "Who could not use it."},
        }
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": "urn:driftsonde:dead-letter:1",
            "title": "DeadLetter",
            "description": "Headers of a dead letter. Its value is the record's own bytes; its key is topic/partition/offset.",
            "type": "object",
            "properties": properties,
            "required": list(properties),
        }
