"""The configuration: one YAML file into frozen models. `schemas.config_file` reads it and places errors at file:line:column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from schemas.config_model import (
    DEFAULT_DETECTORS,
    DEFAULT_EVIDENCE,
    DetectorSpec,
    Fields,
    LabelsConfig,
    LearnReference,
    Model,
    Monitor,
    ReferenceSpec,
    Section,
    SourceConfig,
    Sources,
    Topic,
    kind_of,
)
from schemas.durations import Duration, milliseconds
from schemas.events import Role
from schemas.hints import Expected, KeyPath, Misfit
from schemas.kafka_properties import PropertyName, PropertyValue

__all__ = [
    "DEFAULT_DETECTORS",
    "DEFAULT_EVIDENCE",
    "Alerts",
    "Config",
    "DeadLetters",
    "DetectorSpec",
    "EngineOptions",
    "Fields",
    "Journal",
    "Kafka",
    "LabelsConfig",
    "LearnReference",
    "Model",
    "Monitor",
    "ReferenceSpec",
    "SourceConfig",
    "Sources",
    "kind_of",
    "milliseconds",
]


_SERVER = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[^\s:/,\[\]]+)(?::[0-9]{1,5})?")


def _servers(text: str) -> str:
    for server in text.split(","):
        if not _SERVER.fullmatch(server.strip()):
            raise ValueError(f"{server.strip()!r} is not a broker; expected 'host:port', several joined by commas")
    return text


class Kafka(Section):
    """Brokers and how to reach them."""

    bootstrap_servers: Annotated[str, AfterValidator(_servers)] = "localhost:9092"
    properties: dict[PropertyName, PropertyValue] = Field(
        default_factory=dict,
        repr=False,  # passwords live here
        description="librdkafka names: security.protocol, sasl.*, ssl.*; one block serves both clients.",
    )
    start_from: Literal["earliest", "latest"] = Field(
        default="earliest", description="Where a source is first read, before there is a committed position."
    )
    static_membership: bool = Field(
        default=False, description="Keep partitions through a restart; needs a unique host name per worker (a StatefulSet)."
    )


class Alerts(Section):
    """Where alert events go, and how soon a subject may alert again."""

    topic: Topic = "driftsonde.alerts"
    partitions: int = Field(default=1, ge=1, description="Used only when `run` creates the topic.")
    cooldown: Duration = Field(
        default=600_000, description="After 'resolved', this much of the data's time passes before the same subject may fire again."
    )


class DeadLetters(Section):
    """Where records that can't be used go."""

    topic: Topic = "driftsonde.dead-letters"


class Journal(Section):
    """The internal topic between the two stages."""

    partitions: int = Field(
        default=4, ge=1, description="Workers share these; at least three per worker, or a multiple. Fixed once created."
    )
    retention: Duration = Field(default=86_400_000, gt=0, description="How long blocks are kept; a worker that was away longer has a gap.")


class EngineOptions(Section):
    """How long to wait, how much to hold, how often to save."""

    grace: Duration = Field(default=1_000, description="How long a source may say nothing before the others go on without it.")
    max_hold: int = Field(default=500_000, ge=1, description="Rows held back at most, per model, while a source is behind.")
    checkpoint_every: Duration = Field(default=10_000, gt=0)
    silence: Duration = Field(
        default=900_000, gt=0, description="A source silent this long (and for 20 of its usual gaps) while others go on is reported."
    )
    max_pending: int = Field(
        default=10_000_000, ge=1, description="Predictions that wait for a label at most, per model; beyond, the oldest go, counted."
    )
    pending_in_memory: int = Field(
        default=2_000_000,
        ge=0,
        description="Of these, so many stay in memory; the others are kept in files, in 'pending_directory'.",
    )
    pending_directory: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="A directory on a disk of this machine, for what does not stay in memory; without it all of it does."
    )


class Config(Section):
    """The whole file."""

    version: Literal[1]
    application: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$"), Expected("1 to 200 of letters, digits, '.', '_' and '-': topics are named after it")
    ] = "driftsonde"
    kafka: Kafka = Kafka()
    alerts: Alerts = Alerts()
    dead_letters: DeadLetters = DeadLetters()
    journal: Journal = Journal()
    engine: EngineOptions = EngineOptions()
    models: list[Model] = Field(min_length=1)

    @model_validator(mode="after")
    def _parts_fit(self) -> Config:
        if found := [*self._names_used_twice(), *self._topics_read_back()]:
            raise Misfit(found)
        return self

    def _names_used_twice(self) -> list[tuple[KeyPath, str]]:
        names = [model.name for model in self.models]
        return [
            (("models", index, "name"), f"model {name!r} is configured twice; expected unique names")
            for index, name in enumerate(names)
            if name in names[:index]
        ]

    def _topics_read_back(self) -> list[tuple[KeyPath, str]]:
        """Sources that would feed driftsonde its own output, and outputs that share a topic."""
        purposes = {self.journal_topic: "the journal is kept", self.state_topic: "state is kept"}
        found: list[tuple[KeyPath, str]] = []
        for section, purpose, topic in (
            ("alerts", "alerts go", self.alerts.topic),
            ("dead_letters", "dead letters go", self.dead_letters.topic),
        ):
            if topic in purposes:
                found.append(((section, "topic"), f"{topic!r} is where {purposes[topic]}; expected a topic of its own"))
            purposes.setdefault(topic, purpose)
        for index, model in enumerate(self.models):
            for role, source in model.sources.items():
                if source.topic in purposes:
                    at = ("models", index, "sources", role, "topic")
                    found.append((at, f"{source.topic!r} is where {purposes[source.topic]}; expected a topic of yours"))
        return found

    @property
    def journal_topic(self) -> str:
        """Name of the internal journal topic."""
        return f"{self.application}.journal"

    @property
    def state_topic(self) -> str:
        """Name of the internal, compacted state topic."""
        return f"{self.application}.state"

    def model(self, name: str) -> Model:
        """Return the model of that name; KeyError when there is none."""
        for model in self.models:
            if model.name == name:
                return model
        raise KeyError(name)

    def source_topics(self) -> Mapping[str, list[tuple[Model, Role, SourceConfig]]]:
        """What to read from each topic: (model, role, mapping), in configuration order."""
        topics: dict[str, list[tuple[Model, Role, SourceConfig]]] = {}
        for model in self.models:
            for role, source in model.sources.items():
                topics.setdefault(source.topic, []).append((model, role, source))
        return topics
