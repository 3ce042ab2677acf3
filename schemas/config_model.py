"""The part of the configuration that describes one model: its topics, its references, and what is watched."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeAlias

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from schemas.durations import Duration
from schemas.events import Role
from schemas.hints import Expected, KeyPath, Kinded, Misfit

__all__ = [
    "DEFAULT_DETECTORS",
    "DEFAULT_EVIDENCE",
    "DetectorSpec",
    "Fields",
    "LearnReference",
    "Model",
    "Monitor",
    "ReferenceSpec",
    "Section",
    "SourceConfig",
    "Sources",
    "Topic",
    "kind_of",
]


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


Topic: TypeAlias = Annotated[str, AfterValidator(_topic)]
FieldPath: TypeAlias = Annotated[str, AfterValidator(_path)]


class Fields(Section):
    """Where in a record things are: dotted paths reach into nested JSON."""

    id: FieldPath
    time: Annotated[str, AfterValidator(_time_path)] = Field(
        default="$timestamp",
        description="Number since the epoch (s, ms, us or ns, told apart by size), ISO 8601, or $timestamp for Kafka's own.",
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


class SourceConfig(Section):
    """One topic in one role."""

    topic: Topic
    fields: Fields
    horizon: Duration | None = Field(default=None, gt=0, description="Labels only: how long after a prediction its label may come.")
    missing_label: Literal["negative", "unlabelled"] = Field(
        default="unlabelled", description="Labels only: what a prediction without a label is, once the horizon has passed."
    )


class Sources(Section):
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
        found: list[tuple[KeyPath, str]] = []
        if self.features is None and self.predictions is None:
            found.append(((), "no source of features or predictions; expected 'features' or 'predictions' (or both)"))
        if self.features and self.features.fields.features is None:
            found.append((("features", "fields"), "'features' is missing; expected the path of the object that holds them, or '.'"))
        if self.predictions and self.predictions.fields.prediction is None and self.predictions.fields.score is None:
            found.append((("predictions", "fields"), "'prediction' and 'score' are missing; expected the path of one of them, or both"))
        if self.labels and self.labels.fields.label is None:
            found.append((("labels", "fields"), "'label' is missing; expected its path"))
        if self.labels and self.labels.missing_label == "negative" and self.labels.horizon is None:
            found.append((("labels", "missing_label"), "'negative' needs a 'horizon': until when a label may still come"))
        if found:
            raise Misfit(found)
        return self


class LearnReference(Section):
    """Learn the reference from the first rows of the stream."""

    learn: int = Field(ge=100, description="Rows; 10 000 or more are advised, under 2 000 only large shifts are seen.")


def _reference_file(text: str) -> str:
    if not text or text.isdecimal():
        raise ValueError(f"{text!r} is not the name of a file; expected one, or {{learn: N}} for the first N rows of the stream")
    return text


def _learn_by_default() -> dict[str, str | LearnReference]:
    return {"default": LearnReference(learn=10_000)}


#: A reference as the user writes it: a file, or the order to learn one.
ReferenceSpec: TypeAlias = Annotated[
    Annotated[str, AfterValidator(_reference_file), Tag("file")] | Annotated[LearnReference, Tag("learn")],
    Discriminator(lambda given: "file" if isinstance(given, str) else "learn"),
    Expected("a reference file, or {learn: N}"),
]
#: A detector as the user writes it: a kind, or a mapping with ``kind`` and parameters (checked against `detectors.base`).
DetectorSpec: TypeAlias = Annotated[str | dict[str, Any], Kinded("detector")]

DEFAULT_DETECTORS: list[DetectorSpec] = ["esr"]
DEFAULT_EVIDENCE: list[DetectorSpec] = ["psi", "adwin", "page_hinkley"]


def kind_of(spec: DetectorSpec) -> str:
    """Kind of a detector as written.

    Examples
    --------
    >>> kind_of("psi"), kind_of({"kind": "psi", "bins": 20})
    ('psi', 'psi')
    """
    return spec if isinstance(spec, str) else str(spec.get("kind"))


class Monitor(Section):
    """Which detectors watch which subjects; later entries of the list win."""

    subjects: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, description="Feature names (globs), 'prediction', 'score', 'loss'."
    )
    detectors: list[DetectorSpec] | None = Field(default=None, description="These decide: any of them. [] switches the subjects off.")
    evidence: list[DetectorSpec] | None = Field(default=None, description="These run beside and are shown in the alert.")

    def matches(self, subject: str) -> bool:
        """Whether the subject is named here, literally or by a glob.

        Examples
        --------
        >>> Monitor(subjects=["debug_*", "items[0]"]).matches("items[0]")
        True
        """
        return any(subject == glob or fnmatchcase(subject, glob) for glob in self.subjects)


class Model(Section):
    """A model, its topics, its references and what is watched."""

    name: Annotated[str, Field(pattern=r"^[^\s/%]{1,128}$"), Expected("1 to 128 characters without spaces, '/' and '%'")]
    owner: str | None = Field(default=None, description="On every alert: who answers it.")
    runbook: str | None = Field(default=None, description="On every alert: where it says what to do.")
    task: Literal["binary", "multiclass", "regression", "none"] = "none"
    false_alarms_per_week: float = Field(default=1.0, gt=0, description="For the whole model; thresholds follow from it.")
    sources: Sources
    references: dict[str, ReferenceSpec] = Field(
        default_factory=_learn_by_default,
        min_length=1,
        description="Per model version: a file, or {learn: N}; 'default' for all others.",
    )
    monitors: list[Monitor] = Field(default_factory=lambda: [Monitor(subjects=["*"])])
    segments: list[FieldPath] = Field(
        default_factory=list, description="Feature names, or paths in the record: the same monitors for each value."
    )
    max_segments: int = Field(
        default=50, ge=1, description="Values watched at most; rows of further values are watched in 'all' only, and counted."
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Model:
        found: list[tuple[KeyPath, str]] = []
        labels = self.sources.labels
        if labels and labels.missing_label == "negative" and self.task != "binary":
            at = ("sources", "labels", "missing_label")
            found.append((at, f"'negative' means something for task 'binary' only; found task {self.task!r}"))
        for index, segment in enumerate(self.segments):
            if segment in self.segments[:index]:
                found.append((("segments", index), f"{segment!r} is listed twice"))
        if found:
            raise Misfit(found)
        return self

    def plan(self, subject: str) -> tuple[list[DetectorSpec], list[DetectorSpec]]:
        """Return (detectors that decide, detectors that explain) of a subject; ([], []) when it is not watched.

        Entries are read in order. Each one that matches the subject replaces what it names; one that names no
        detectors leaves those of the entries before, or, where these had switched the subject off, watches it again
        by default. A detector that decides is not repeated as evidence.

        Examples
        --------
        >>> sources = {"features": {"topic": "t", "fields": {"id": "id", "features": "."}}}
        >>> monitors = [{"subjects": ["*"]}, {"subjects": ["amount"], "detectors": ["psi"]}, {"subjects": ["debug_*"], "detectors": []}]
        >>> model = Model.model_validate({"name": "fraud", "sources": sources, "monitors": monitors})
        >>> model.plan("amount")
        (['psi'], ['adwin', 'page_hinkley'])
        >>> model.plan("debug_rows")
        ([], [])
        """
        matching = [monitor for monitor in self.monitors if monitor.matches(subject)]
        decide = DEFAULT_DETECTORS if matching else []
        explain = DEFAULT_EVIDENCE
        for monitor in matching:
            decide = (decide or DEFAULT_DETECTORS) if monitor.detectors is None else monitor.detectors
            explain = explain if monitor.evidence is None else monitor.evidence
        if not decide:
            return [], []
        deciding = {kind_of(spec) for spec in decide}
        return list(decide), [spec for spec in explain if kind_of(spec) not in deciding]

    @property
    def config_hash(self) -> str:
        """``sha256:…`` of the model's section, defaults filled in: equal meaning, equal hash."""
        return "sha256:" + sha256(orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).hexdigest()
