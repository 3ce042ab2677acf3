"""Client properties: which ones driftsonde sets itself and therefore refuses, with the reason a user gets to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

__all__ = ["REFUSED", "PropertyName", "PropertyValue"]

_POSITIONS = "positions are driftsonde's own: a worker goes on from its last checkpoint, never from what a client has committed"
_DELIVERY = (
    "delivery is at least once into a deterministic engine whose alerts carry deterministic ids, so every alert appears once; "
    "Kafka transactions do not cover it"
)
_SAME_RECORDS = "driftsonde sets it, so that the live run and a backtest read the same records"
_GROUP = "the consumer group is named by 'application'"
_BROKERS = "brokers are named by 'kafka.bootstrap_servers'"

#: Refused names (dots for underscores, lower case), and why.
REFUSED: Mapping[str, str] = {
    "acks": "driftsonde sets it: an alert counts as written when all in-sync replicas have it",
    "request.required.acks": "driftsonde sets it: an alert counts as written when all in-sync replicas have it",
    "auto.commit.interval.ms": _POSITIONS,
    "auto.offset.reset": "where a source is first read is said by 'kafka.start_from'",
    "bootstrap.servers": _BROKERS,
    "metadata.broker.list": _BROKERS,
    "enable.auto.commit": _POSITIONS,
    "enable.auto.offset.store": _POSITIONS,
    "exactly.once": _DELIVERY,
    "group.id": _GROUP,
    "group.instance.id": "static membership is asked for by 'kafka.static_membership'",
    "isolation.level": _SAME_RECORDS,
    "processing.guarantee": _DELIVERY,
    "transactional.id": _DELIVERY,
    "transaction.timeout.ms": _DELIVERY,
}


def _not_refused(name: str) -> str:
    reason = REFUSED.get(name.lower().replace("_", "."))
    if reason is not None:
        raise ValueError(f"{name!r} can't be set here: {reason}")
    return name


def _as_text(value: object) -> object:
    """Write numbers and booleans as librdkafka does; anything else is left for pydantic to judge."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


PropertyName: TypeAlias = Annotated[str, AfterValidator(_not_refused)]
PropertyValue: TypeAlias = Annotated[str, BeforeValidator(_as_text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
