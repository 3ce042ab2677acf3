"""The part of the configuration that describes one model: its topics, its references, and what is watched."""

from __future__ import annotations

from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeAlias

import orjson
from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from schemas.config_labels import LabelsConfig
from schemas.config_sources import FieldPath, Fields, Section, SourceConfig, Topic
from schemas.events import Role
from schemas.hints import Expected, KeyPath, Kinded, Misfit
from schemas.labels import class_of

__all__ = [
    "DEFAULT_DETECTORS",
    "DEFAULT_EVIDENCE",
    "DetectorSpec",
    "Fields",
    "LabelsConfig",
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


class Sources(Section):
    """Existing topics, by field mapping."""

    features: SourceConfig | None = None
    predictions: SourceConfig | None = None
    labels: LabelsConfig | None = None

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
#: What decides and what explains by default where labels are involved. Only more errors are an alarm; PSI says nothing of 0 and 1; and of
#: labels it is enough to know that they have changed.
_OF_LOSSES: tuple[list[DetectorSpec], list[DetectorSpec]] = ([{"kind": "esr", "direction": "up"}], ["adwin", "page_hinkley"])
_OF_LABELS: tuple[list[DetectorSpec], list[DetectorSpec]] = (["esr"], [])
_OF_OUTCOMES = {
    **dict.fromkeys(("loss", "missed_positives"), _OF_LOSSES),
    **dict.fromkeys(("label", "label_delay", "label_coverage"), _OF_LABELS),
}


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


def _positive(text: str) -> str:
    return class_of(text, binary=True)


class Model(Section):
    """A model, its topics, its references and what is watched."""

    name: Annotated[str, Field(pattern=r"^[^\s/%]{1,128}$"), Expected("1 to 128 characters without spaces, '/' and '%'")]
    owner: str | None = Field(default=None, description="On every alert: who answers it.")
    runbook: str | None = Field(default=None, description="On every alert: where it says what to do.")
    task: Literal["binary", "multiclass", "regression", "none"] = "none"
    positive: Annotated[str, Field(min_length=1), AfterValidator(_positive)] = Field(
        default="1", description="Task binary only: the class that counts as positive, in labels and predictions; true is '1'."
    )
    negative: Annotated[str, Field(min_length=1), AfterValidator(_positive)] | None = Field(
        default=None, description="Task binary only: the other class; by default the first other one that a record names."
    )
    threshold: float = Field(
        default=0.5, description="Task binary only: a score of this or more predicts the positive class, where no prediction is given."
    )
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
        if self.sources.labels:
            found += [(("sources", "labels", *below), message) for below, message in self.sources.labels.misfits(self.task)]
        if self.negative == self.positive:
            found.append((("negative",), f"{self.negative!r} is the positive class; expected the other one"))
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
        by default. A detector that decides is not repeated as evidence. The defaults of what is made of labels (``loss``,
        ``label``, …) are not those of features.

        Examples
        --------
        >>> sources = {"features": {"topic": "t", "fields": {"id": "id", "features": "."}}}
        >>> monitors = [{"subjects": ["*"]}, {"subjects": ["amount"], "detectors": ["psi"]}, {"subjects": ["debug_*"], "detectors": []}]
        >>> model = Model.model_validate({"name": "fraud", "sources": sources, "monitors": monitors})
        >>> model.plan("amount")
        (['psi'], ['adwin', 'page_hinkley'])
        >>> model.plan("debug_rows")
        ([], [])
        >>> model.plan("loss")
        ([{'kind': 'esr', 'direction': 'up'}], ['adwin', 'page_hinkley'])
        """
        matching = [monitor for monitor in self.monitors if monitor.matches(subject)]
        default, explain = _OF_OUTCOMES.get(subject, (DEFAULT_DETECTORS, DEFAULT_EVIDENCE))
        decide = default if matching else []
        for monitor in matching:
            decide = (decide or default) if monitor.detectors is None else monitor.detectors
            explain = explain if monitor.evidence is None else monitor.evidence
        if not decide:
            return [], []
        deciding = {kind_of(spec) for spec in decide}
        return list(decide), [spec for spec in explain if kind_of(spec) not in deciding]

    @property
    def joins_labels(self) -> bool:
        """Whether labels are joined with predictions: both are there, and the task says how to compare them."""
        return self.task != "none" and self.sources.labels is not None and self.sources.predictions is not None

    @property
    def config_hash(self) -> str:
        """``sha256:…`` of the model's section, defaults filled in: equal meaning, equal hash."""
        return "sha256:" + sha256(orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).hexdigest()
