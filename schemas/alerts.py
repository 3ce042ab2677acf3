"""The alert event: what on-call tooling consumes. CloudEvents 1.0, structured JSON; additive changes only within v1."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Literal, TypeAlias

import orjson
from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Alert",
    "AlertData",
    "AlertPosition",
    "Effect",
    "Evidence",
    "Kind",
    "Severity",
    "State",
    "Window",
    "alert_id",
    "alert_key",
    "iso",
    "stream_name",
]

Kind: TypeAlias = Literal["feature_drift", "prediction_drift", "concept_drift", "data_quality", "label_quality", "silence", "monitoring"]
State: TypeAlias = Literal["pending", "firing", "updated", "resolved"]
Severity: TypeAlias = Literal["info", "warning", "critical"]

SCHEMA = "urn:driftsonde:alert:v1"


def iso(ms: int) -> str:
    """Milliseconds since the epoch as RFC 3339 in UTC.

    Examples
    --------
    >>> iso(1767608591000)
    '2026-01-05T10:23:11.000Z'
    """
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stream_name(model: str, version: str, segment: str, subject: str) -> str:
    """Name of the stream of alerts of one monitored thing; a slash inside a part becomes ``%2F``.

    Examples
    --------
    >>> stream_name("fraud", "3", "all", "amount")
    'fraud/3/all/amount'
    >>> stream_name("fraud", "a/b", "all", "amount")
    'fraud/a%2Fb/all/amount'
    """
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in (model, version, segment, subject))


def alert_id(stream: str, sequence: int, position: tuple[str, int, int]) -> str:
    """Id of an alert: a function of the input alone, so a replay and a redelivery give the same.

    Examples
    --------
    >>> alert_id("fraud/3/all/amount", 1, ("fraud.features", 3, 918273))
    'c6bff0db2cbc5f19460c50eb79a7c3fe'
    """
    return _digest("alert", stream, str(sequence), *map(str, position))


def alert_key(stream: str, position: tuple[str, int, int]) -> str:
    """Key shared by all events of one episode; `position` is that of the record at which it fired."""
    return _digest("episode", stream, *map(str, position))


def _digest(*parts: str) -> str:
    return blake2b(orjson.dumps(parts), digest_size=16).hexdigest()


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Window(_Data):
    """The rows a detector looked at."""

    from_: str = Field(alias="from", description="Event time of the first row, RFC 3339.")
    to: str = Field(description="Event time of the last row, RFC 3339.")
    n: int = Field(ge=0, description="Number of rows.")

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Evidence(_Data):
    """What one detector says at the time of the alert."""

    detector: str
    statistic: float = Field(description="Rounded to 6 significant digits.")
    threshold: float
    breached: bool
    decides: bool = Field(default=False, description="Whether this detector decides (or only explains).")
    series: str | None = Field(default=None, description="Of labels only: when they were read, such as 'matured' or 'age 1h'.")
    window: Window | None = None


class Effect(_Data):
    """How large the change is, in the user's units."""

    measure: str = Field(description="'mean', 'missing share', or \"share of 'x'\".")
    reference: float
    current: float
    in_reference_sd: float | None = None


class AlertPosition(_Data):
    """The record at which the alert was decided."""

    topic: str
    partition: int
    offset: int


class AlertData(_Data):
    """What changed, since when, how sure we are, and whom it concerns."""

    state: State
    kind: Kind
    severity: Severity
    model: str
    model_version: str
    segment: str
    subject: str
    alert_key: str = Field(description="The same for every event of one episode.")
    stream: str
    sequence: int = Field(ge=1, description="Gap-free within the stream.")
    started_at: str = Field(description="When the change began, as estimated, RFC 3339; the data's clock.")
    detected_at: str = Field(description="When it was decided, RFC 3339; the data's clock.")
    summary: str
    evidence: tuple[Evidence, ...] = ()
    effect: Effect | None = None
    provisional: bool | None = Field(
        default=None,
        description="Concept drift only: whether labels of these predictions were still to come; a later event confirms or withdraws it.",
    )
    also_firing: dict[Kind, int] = Field(
        default_factory=dict,
        description="Episodes of other kinds that were firing in this model then, by kind; left out when there are none.",
    )
    owner: str | None = None
    runbook: str | None = None
    reference: str | None = Field(default=None, description="Content hash of the reference.")
    config: str = Field(description="Hash of the model's configuration.")
    position: AlertPosition


class Alert(_Data):
    """One event of the alert topic.

    `id` and `data.sequence` are functions of the input alone; a consumer that remembers the last sequence of each
    `data.stream` sees every alert exactly once.
    """

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: Literal["io.driftsonde.alert.v1"] = "io.driftsonde.alert.v1"
    subject: str
    time: str
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Literal["urn:driftsonde:alert:v1"] = "urn:driftsonde:alert:v1"
    data: AlertData

    def to_json(self) -> bytes:
        """Encode as one line of JSON."""
        without = None if self.data.also_firing else {"data": {"also_firing"}}
        return orjson.dumps(self.model_dump(by_alias=True, exclude_none=True, exclude=without))

    @classmethod
    def from_json(cls, value: bytes) -> Alert:
        """Decode what `to_json` wrote; unknown fields are ignored (additive changes)."""
        return cls.model_validate(orjson.loads(value))

    @staticmethod
    def json_schema() -> Mapping[str, Any]:
        """JSON Schema (2020-12) of the event."""
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA, **Alert.model_json_schema(by_alias=True)}
