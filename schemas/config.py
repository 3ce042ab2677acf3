"""The configuration: one YAML file into frozen models. `schemas.config_file` reads it and places errors at file:line:column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeAlias

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from schemas.events import Role

__all__ = [
    "Alerts",
    "Config",
    "DeadLetters",
    "DetectorSpec",
    "EngineOptions",
    "Fields",
    "Journal",
    "Kafka",
    "LearnReference",
    "Model",
    "Monitor",
    "SourceConfig",
    "Sources",
    "milliseconds",
]

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = re.compile(r"(\d+)(ms|[smhdw])")


def milliseconds(text: str | int) -> int:
    """Read a Prometheus-style duration.

    Raises
    ------
    ValueError
        Not such a duration.

    Examples
    --------
    >>> milliseconds("90s"), milliseconds("1h30m"), milliseconds("7d")
    (90000, 5400000, 604800000)
    """
    if isinstance(text, bool) or not isinstance(text, str) or not text or _DURATION.sub("", text):
        raise ValueError(f"{text!r} is not a duration; expected a number with a unit such as '90s', '15m', '24h' or '7d'")
    return sum(int(n) * _UNITS[unit] for n, unit in _DURATION.findall(text))


def _topic(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name) or name in (".", ".."):
        raise ValueError(f"{name!r} is not a Kafka topic name; expected 1 to 249 of letters, digits, '.', '_' and '-'")
    return name


Duration: TypeAlias = Annotated[int, BeforeValidator(milliseconds)]
Topic: TypeAlias = Annotated[str, AfterValidator(_topic)]
#: A detector as the user writes it: a kind, or a mapping with ``kind`` and parameters (checked against `detectors.base`).
DetectorSpec: TypeAlias = str | dict[str, Any]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Kafka(_Section):
    """Brokers and how to reach them."""

    bootstrap_servers: str = "localhost:9092"
    properties: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="librdkafka names: security.protocol, sasl.*, ssl.*; one block serves both clients."
    )
    start_from: Literal["earliest", "latest"] = Field(
        default="earliest", description="Where a source is first read, before there is a committed position."
    )
    static_membership: bool = Field(
        default=False, description="Keep partitions through a restart; needs a unique host name per worker (a StatefulSet)."
    )


class Alerts(_Section):
    """Where alert events go, and how soon a subject may alert again."""

    topic: Topic = "driftsonde.alerts"
    partitions: int = Field(default=1, ge=1, description="Used only when `run` creates the topic.")
    cooldown: Duration = Field(
        default=600_000, description="After 'resolved', this much of the data's time passes before the same subject may fire again."
    )


class DeadLetters(_Section):
    """Where records that can't be used go."""

    topic: Topic = "driftsonde.dead-letters"


class Journal(_Section):
    """The internal topic between the two stages."""

    partitions: int = Field(
        default=4, ge=1, description="Workers share these; at least three per worker, or a multiple. Fixed once created."
    )
    retention: Duration = Field(default=86_400_000)


class EngineOptions(_Section):
    """How long to wait, how much to hold, how often to save."""

    grace: Duration = Field(default=1_000, description="How long a source may say nothing before the others go on without it.")
    max_hold: int = Field(default=500_000, ge=1, description="Rows held back at most, per model, while a source is behind.")
    checkpoint_every: Duration = Field(default=10_000)
    silence: Duration = Field(
        default=900_000, description="A source silent this long (and for 20 of its usual gaps) while others go on is reported."
    )


class Fields(_Section):
    """Where in a record things are: dotted paths reach into nested JSON."""

    id: str
    time: str = Field(
        default="$timestamp",
        description="Number since the epoch (s, ms, us or ns, told apart by size), ISO 8601, or $timestamp for Kafka's own.",
    )
    version: str | None = None
    model: str | None = Field(default=None, description="Names the model when a topic is shared; without it every record is this model's.")
    features: str | None = Field(default=None, description="Object of features; '.' takes the whole record but the mapped fields.")
    prediction: str | None = None
    score: str | None = None
    label: str | None = None


class SourceConfig(_Section):
    """One topic in one role."""

    topic: Topic
    fields: Fields
    horizon: Duration | None = Field(default=None, description="Labels only: how long after a prediction its label may come.")
    missing_label: Literal["negative", "unlabelled"] = "unlabelled"


class Sources(_Section):
    """Existing topics, by field mapping."""

    features: SourceConfig | None = None
    predictions: SourceConfig | None = None
    labels: SourceConfig | None = None

    def items(self) -> list[tuple[Role, SourceConfig]]:
        """Configured roles, in the order features, predictions, labels."""
        roles: tuple[Role, ...] = ("features", "predictions", "labels")
        return [(role, source) for role in roles if (source := getattr(self, role)) is not None]

    @model_validator(mode="after")
    def _has_what_roles_need(self) -> Sources:
        if self.features is None and self.predictions is None:
            raise ValueError("no source; expected 'features' or 'predictions' (or both)")
        if self.features and self.features.fields.features is None:
            raise ValueError("features.fields has no 'features'; expected the path of the object that holds them, or '.'")
        if self.predictions and self.predictions.fields.prediction is None and self.predictions.fields.score is None:
            raise ValueError("predictions.fields has neither 'prediction' nor 'score'")
        if self.labels and self.labels.fields.label is None:
            raise ValueError("labels.fields has no 'label'")
        return self


class LearnReference(_Section):
    """Learn the reference from the first rows of the stream."""

    learn: int = Field(ge=100, description="Rows; 10 000 or more are advised, under 2 000 only large shifts are seen.")


def _learn_by_default() -> dict[str, str | LearnReference]:
    return {"default": LearnReference(learn=10_000)}


class Monitor(_Section):
    """Which detectors watch which subjects; later entries of the list win."""

    subjects: list[str] = Field(min_length=1, description="Feature names (globs), 'prediction', 'score', 'loss'.")
    detectors: list[DetectorSpec] | None = Field(default=None, description="These decide: any of them. [] switches the subject off.")
    evidence: list[DetectorSpec] | None = Field(default=None, description="These run beside and are shown in the alert.")


class Model(_Section):
    """A model, its topics, its references and what is watched."""

    name: Annotated[str, Field(pattern=r"^[^\s/%]{1,128}$")]
    owner: str | None = None
    runbook: str | None = None
    task: Literal["binary", "multiclass", "regression", "none"] = "none"
    false_alarms_per_week: float = Field(default=1.0, gt=0, description="For the whole model; thresholds follow from it.")
    sources: Sources
    references: dict[str, str | LearnReference] = Field(
        default_factory=_learn_by_default, description="Per model version: a file, or {learn: N}; 'default' for all others."
    )
    monitors: list[Monitor] = Field(default_factory=lambda: [Monitor(subjects=["*"])])
    segments: list[str] = Field(
        default_factory=list, description="Feature names, or paths in the record: the same monitors for each value."
    )
    max_segments: int = Field(
        default=50, ge=1, description="Values watched at most; rows of further values are watched in 'all' only, and counted."
    )

    def plan(self, subject: str) -> tuple[list[DetectorSpec], list[DetectorSpec]]:
        """Return (detectors that decide, detectors that explain) of a subject; ([], []) when it is not watched.

        Each key is taken from the last entry that matches the subject and names it; without one the default holds.
        A detector that decides is not repeated as evidence.
        """
        matching = [m for m in self.monitors if any(fnmatchcase(subject, glob) for glob in m.subjects)]
        if not matching:
            return [], []
        decide = next((m.detectors for m in reversed(matching) if m.detectors is not None), None)
        explain = next((m.evidence for m in reversed(matching) if m.evidence is not None), None)
        decide = DEFAULT_DETECTORS if decide is None else decide
        explain = DEFAULT_EVIDENCE if explain is None else explain
        kinds = {kind_of(d) for d in decide}
        return list(decide), [e for e in explain if kind_of(e) not in kinds] if decide else []

    @property
    def config_hash(self) -> str:
        """``sha256:…`` of the model's section, defaults filled in: equal meaning, equal hash."""
        return "sha256:" + sha256(orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).hexdigest()


DEFAULT_DETECTORS: list[DetectorSpec] = ["esr"]
DEFAULT_EVIDENCE: list[DetectorSpec] = ["psi", "adwin", "page_hinkley"]


def kind_of(spec: DetectorSpec) -> str:
    """Kind of a detector as written: 'psi' and {kind: psi, bins: 20} are both ``psi``."""
    return spec if isinstance(spec, str) else str(spec.get("kind"))


class Config(_Section):
    """The whole file."""

    version: Literal[1]
    application: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")] = "driftsonde"
    kafka: Kafka = Kafka()
    alerts: Alerts = Alerts()
    dead_letters: DeadLetters = DeadLetters()
    journal: Journal = Journal()
    engine: EngineOptions = EngineOptions()
    models: list[Model] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Config:
        names = [m.name for m in self.models]
        if twice := sorted({n for n in names if names.count(n) > 1}):
            raise ValueError(f"model {twice[0]!r} is configured twice; expected unique names")
        return self

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
        return next(m for m in self.models if m.name == name)

    def source_topics(self) -> Mapping[str, list[tuple[Model, Role, SourceConfig]]]:
        """What to read from each topic: (model, role, mapping), in configuration order."""
        topics: dict[str, list[tuple[Model, Role, SourceConfig]]] = {}
        for model in self.models:
            for role, source in model.sources.items():
                topics.setdefault(source.topic, []).append((model, role, source))
        return topics
