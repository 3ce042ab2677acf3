"""What is wrong with a configuration that can run: mistakes and omissions that a review should catch.

``driftsonde check`` shows these; an *error* fails it. ``driftsonde run`` does not ask: what can't run at all is refused by
`schemas.config` itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from schemas.config import Config, LearnReference, Model, Monitor
from schemas.durations import duration_text
from schemas.events import RESERVED_SUBJECTS, UNVERSIONED
from schemas.hints import KeyPath

__all__ = ["Remark", "lint_config"]

#: Fewer rows than this learn a reference that shows large shifts only.
FEW_ROWS = 2_000
#: Fewer partitions than this cannot be shared evenly by a second and a third worker.
FEW_PARTITIONS = 3
#: Columns of labels that are no subjects.
_UNWATCHED = ("label source", "label revision")
#: What is watched of labels and of predictions joined with them.
_OUTCOMES = tuple(subject for subject in RESERVED_SUBJECTS if subject not in ("prediction", "score", *_UNWATCHED))
_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that a review should catch.

    Parameters
    ----------
    level : {"error", "warning"}
        An error fails ``driftsonde check``.
    path : KeyPath
        Where: ``read_config(…).problem(path, message)`` finds the line.
    message : str
        What was found, and what would be better.
    """

    level: Literal["error", "warning"]
    path: KeyPath
    message: str


def lint_config(config: Config) -> list[Remark]:
    """Review a configuration; remarks come in the order of the file's models.

    Examples
    --------
    >>> source = {"topic": "t", "fields": {"id": "id", "features": "."}}
    >>> config = Config.model_validate({"version": 1, "models": [{"name": "fraud", "owner": "ml", "sources": {"features": source}}]})
    >>> [(remark.level, remark.path[-1]) for remark in lint_config(config)]
    [('error', 'runbook')]
    """
    remarks = list(_settings(config))
    for index, model in enumerate(config.models):
        for rule in (_answers, _labels, _references, _monitors):
            remarks += [Remark(found.level, ("models", index, *found.path), found.message) for found in rule(model)]
    return remarks + list(_shared_topics(config))


def _settings(config: Config) -> Iterator[Remark]:
    if config.journal.partitions < FEW_PARTITIONS:
        yield Remark(
            "warning",
            ("journal", "partitions"),
            f"found {config.journal.partitions}; expected {FEW_PARTITIONS} or more per worker: "
            "they are the unit that workers share, and can't be changed later",
        )
    if config.journal.retention < _HOUR:
        yield Remark("warning", ("journal", "retention"), "less than 1h: a worker that is away longer has a gap; expected more")
    if config.engine.silence <= config.engine.grace:
        yield Remark("warning", ("engine", "silence"), "not longer than 'grace': every pause of a source would be reported as silence")
    if "pending_in_memory" in config.engine.model_fields_set and config.engine.pending_directory is None:
        message = "has no effect without 'pending_directory': all stays in memory"
        yield Remark("warning", ("engine", "pending_in_memory"), message)


def _answers(model: Model) -> Iterator[Remark]:
    for key, purpose in (("owner", "who answers an alert"), ("runbook", "where it says what to do about one")):
        if not getattr(model, key):
            yield Remark("error", (key,), f"{key!r} is missing; expected {purpose}")


def _labels(model: Model) -> Iterator[Remark]:
    for role, source in model.sources.items():
        for key in sorted(source.fields.model_fields_set & {"source", "revision"}):
            if role != "labels":
                yield Remark(
                    "warning", ("sources", role, "fields", key), f"{key!r} says something about labels only; it has no effect here"
                )
    for key in sorted(model.model_fields_set & {"positive", "negative", "threshold"}):
        if model.task != "binary":
            yield Remark("warning", (key,), f"{key!r} says something for task 'binary' only; found task {model.task!r}")
    labels, predictions = model.sources.labels, model.sources.predictions
    if labels is None:
        return
    at: KeyPath = ("sources", "labels")
    if predictions is None:
        yield Remark("error", at, "labels without 'predictions': there is nothing to join them with")
    elif predictions.fields.prediction is None and model.task in ("multiclass", "regression"):
        message = f"no 'prediction', which labels are compared with; a score says nothing for task {model.task!r}"
        yield Remark("error", ("sources", "predictions", "fields"), message)
    if "horizon" not in labels.model_fields_set:
        horizon = duration_text(labels.horizon[0])
        yield Remark("warning", at, f"no 'horizon', so labels are waited for {horizon}; expected how long after a prediction one may come")
    if labels.meaning == "time_to_event" and labels.fields.time == "$timestamp":
        message = "time_to_event goes by when the event happened, and this is when its record was written; expected the path of a time"
        yield Remark("warning", (*at, "fields"), message)
    if model.task == "none":
        message = "labels are configured but task is none: they are counted, not joined; expected task binary, multiclass or regression"
        yield Remark("warning", at, message)


def _references(model: Model) -> Iterator[Remark]:
    for version, reference in model.references.items():
        if isinstance(reference, LearnReference) and reference.learn < FEW_ROWS:
            message = f"a reference learnt from {reference.learn} rows shows large shifts only; expected {FEW_ROWS}, better 10000 or more"
            yield Remark("warning", ("references", version, "learn"), message)
    named = [version for version in model.references if version not in ("default", UNVERSIONED)]
    versioned = any(source.fields.version for _, source in model.sources.items())
    if named and not versioned:
        message = f"no source maps 'version', so every row is {UNVERSIONED!r} and this reference is never used"
        yield from (Remark("error", ("references", version), message) for version in named)


def _monitors(model: Model) -> Iterator[Remark]:
    if all(monitor.detectors == [] for monitor in model.monitors):
        yield Remark("warning", ("monitors",), "nothing is watched; expected at least one monitor with detectors")
        return
    for index, monitor in enumerate(model.monitors):
        for position, glob in enumerate(monitor.subjects):
            if reason := _why_nothing_matches(model, glob):
                yield Remark("error", ("monitors", index, "subjects", position), f"{glob!r} can match nothing: {reason}")
        if _is_overridden(monitor, model.monitors[index + 1 :]):
            yield Remark("warning", ("monitors", index), "later entries replace all that this one says; expected after them")


def _why_nothing_matches(model: Model, glob: str) -> str:
    absent = _absent_subjects(model)
    if glob in absent:
        return absent[glob]
    present = [subject for subject in RESERVED_SUBJECTS if subject not in absent]
    if model.sources.features or any(fnmatchcase(subject, glob) for subject in present):
        return ""
    return "there is no source of features"


def _absent_subjects(model: Model) -> dict[str, str]:
    """Subjects with names of their own that this model doesn't have, and why."""
    predictions = model.sources.predictions
    absent = dict.fromkeys(_UNWATCHED, "it says how labels are joined, and is not watched")
    if predictions is None or predictions.fields.prediction is None:
        absent["prediction"] = "no source maps 'prediction'"
    if predictions is None or predictions.fields.score is None:
        absent["score"] = "no source maps 'score'"
    if predictions is None or model.sources.labels is None:
        absent |= dict.fromkeys(_OUTCOMES, "it needs 'predictions' and 'labels'")
    elif model.task == "none":
        absent |= dict.fromkeys(_OUTCOMES, "labels are not joined for task 'none'")
    elif model.task != "binary":
        absent["missed_positives"] = "there is a positive class for task 'binary' only"
    return absent


def _is_overridden(monitor: Monitor, later: list[Monitor]) -> bool:
    """Whether each key this entry names is named again, by later entries, for all subjects of this one."""
    named = [key for key in ("detectors", "evidence") if getattr(monitor, key) is not None]
    return bool(named) and all(
        any(_covers(other, glob) for other in later if getattr(other, key) is not None) for key in named for glob in monitor.subjects
    )


def _covers(monitor: Monitor, glob: str) -> bool:
    """Whether an entry surely matches all that a glob matches."""
    is_literal = not any(char in glob for char in "*?[")
    return "*" in monitor.subjects or glob in monitor.subjects or (is_literal and monitor.matches(glob))


def _shared_topics(config: Config) -> Iterator[Remark]:
    """Topics that several models read in one role without saying which record is whose."""
    indices = {model.name: index for index, model in enumerate(config.models)}
    for topic, readers in config.source_topics().items():
        for model, role, source in readers:
            others = sorted({other.name for other, _, _ in readers} - {model.name})
            if others and source.fields.model is None:
                message = (
                    f"topic {topic!r} is read for {', '.join(map(repr, others))} too, and there is no 'model' here: "
                    f"every record counts for {model.name!r}; expected the field that names the model, unless that is meant"
                )
                yield Remark("warning", ("models", indices[model.name], "sources", role, "fields"), message)
