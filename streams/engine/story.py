"""What an alert says: kind, summary, evidence, effect. Words are made here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from detectors.profiling import moments
from schemas.alerts import Effect, Evidence, Kind, Severity, iso
from schemas.events import FloatArray
from schemas.reference import CategoricalProfile, NumericProfile, Profile

__all__ = ["Measure", "Series", "Story", "effect_of", "kind_of_change", "measure_of", "rounded", "summarise"]


_LARGEST = 1.79769e308
_PERFORMANCE = ("loss", "missed_positives")
_WHOLE = ("matured", "labels")
_LABELS = ("label", "label_delay", "label_coverage")


class Story(BaseModel):
    """The content of an alert, without its place in the life of an episode. A value: frozen, and JSON both ways.

    `onset` and `index` place the change among its stream's rows; where several series tell of one stream (outcomes by age of their
    labels) they are prediction times, ms. `provisional` is None where labels do not matter, True where more of them are to come.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    severity: Severity
    started_ms: int
    onset: int
    index: int
    cause: str
    summary: str
    evidence: tuple[Evidence, ...] = ()
    effect: Effect | None = None
    reference: str | None = None
    provisional: bool | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Which labels the outcomes of a stream have: all of a horizon, only those of a certain age, or (``labels``) it is about labels.

    Examples
    --------
    >>> Series("age 1h").detector("esr"), Series("matured").detector("esr")
    ('esr (age 1h)', 'esr')
    """

    name: str

    def provisional(self, kind: Kind) -> bool | None:
        """Whether more labels are to come that may tell another story; None where that is no question."""
        return self.name.startswith("age ") if kind == "concept_drift" else None

    def note(self, kind: Kind) -> str:
        """By which clock a change is dated, and how sure it is."""
        said = "by prediction time"
        if self.name in _WHOLE:
            return said
        return f"{said}; provisional, {self.name}" if self.provisional(kind) else f"{said}; {self.name}"

    def detector(self, kind: str) -> str:
        """Name of a detector of this series, different from its name on any other."""
        return kind if self.name in _WHOLE else f"{kind} ({self.name})"


@dataclass(frozen=True, slots=True)
class Measure:
    """What is told of a stream of outcomes or labels: its mean or median, as a share, a time or a plain number."""

    name: str
    unit: Literal["share", "s", "number"] = "share"


_MISSED, _LABELLED, _DELAY = Measure("share of positives missed"), Measure("share labelled"), Measure("median delay, s", "s")
_ERRORS, _LOSS, _POSITIVES = Measure("error rate"), Measure("mean loss", "number"), Measure("share of positives")


def measure_of(subject: str, task: str) -> Measure | None:
    """Return what is told of a stream that the label join makes; None for a feature, a prediction, a class among many.

    Examples
    --------
    >>> measure_of("loss", "binary").name, measure_of("loss", "regression").name, measure_of("amount", "binary")
    ('error rate', 'mean loss', None)
    """
    if subject == "loss":
        return _LOSS if task == "regression" else _ERRORS
    if subject == "label":
        return _POSITIVES if task == "binary" else None
    return {"missed_positives": _MISSED, "label_delay": _DELAY, "label_coverage": _LABELLED}.get(subject)


def rounded(x: float) -> float:
    """Round to 6 significant digits: what is published must not depend on the shape of a batch. It is finite, as JSON has no infinity.

    Examples
    --------
    >>> rounded(0.123456789), rounded(1234567.8), rounded(float("inf"))
    (0.123457, 1234570.0, 1.79769e+308)
    """
    return 0.0 if isnan(x) else float(f"{min(max(x, -_LARGEST), _LARGEST):.6g}")


def kind_of_change(subject: str, cause: str) -> Kind:
    """Missing values of a feature or a prediction are a data-quality matter; otherwise the subject decides."""
    if subject in _PERFORMANCE:
        return "concept_drift"
    if subject in _LABELS:
        return "label_quality"
    if cause == "missing values":
        return "data_quality"
    return "prediction_drift" if subject in ("prediction", "score") else "feature_drift"


def effect_of(profile: Profile, window: FloatArray, cause: str, measure: Measure | None = None) -> Effect | None:
    """Say how far the rows since the onset are from the reference, in the user's units.

    Parameters
    ----------
    profile : Profile
        The reference of the subject.
    window : float64 (n,)
        Values since the onset; NaN is missing, categories are their index.
    cause : str
        What the detector says has moved; chooses the measure where `measure` does not.
    measure : Measure, optional
        What is told of this stream whatever has moved, as long as there are values.
    """
    present = window[np.isfinite(window)]
    if cause == "missing values" or not len(present):
        if not len(window):
            return None
        return Effect(
            measure="missing share", reference=rounded(profile.missing / max(profile.n, 1)), current=rounded(1 - len(present) / len(window))
        )
    if isinstance(profile, CategoricalProfile):
        return _category_effect(profile, present, cause)
    if measure is not None:
        return _outcome_effect(profile, present, measure)
    return _number_effect(profile, present, cause)


def _number_effect(profile: NumericProfile, present: FloatArray, cause: str) -> Effect:
    now = moments(np.sort(present))
    measure, reference, current = "mean", profile.mean, now.mean
    if cause.startswith("spread") and len(present) > 1:
        measure, reference, current = "sd", profile.sd, now.sd
    in_sd = rounded((current - reference) / profile.sd) if profile.sd > 0 else None
    return Effect(measure=measure, reference=rounded(reference), current=rounded(current), in_reference_sd=in_sd)


def _outcome_effect(profile: NumericProfile, present: FloatArray, measure: Measure) -> Effect:
    match measure.unit:
        case "s":
            return Effect(measure=measure.name, reference=rounded(profile.median), current=rounded(float(np.median(present))))
        case "share":
            return Effect(measure=measure.name, reference=rounded(profile.mean), current=rounded(float(present.mean())))
    return _number_effect(profile, present, "").model_copy(update={"measure": measure.name})


def _category_effect(profile: CategoricalProfile, present: FloatArray, cause: str) -> Effect:
    k = len(profile.vocabulary)
    now = np.bincount(present.astype(np.int64), minlength=k + 1)[: k + 1] / len(present)
    then = np.append(np.array(profile.counts[:k], float), 0.0) / max(sum(profile.counts[:k]), 1)
    most = k if cause == "unseen values" else int(np.abs(now - then).argmax())  # in few rows a known share moves more by chance
    name = f"share of {profile.vocabulary[most]!r}" if most < k else "share of unseen values"
    return Effect(measure=name, reference=rounded(float(then[most])), current=rounded(float(now[most])))


def summarise(subject: str, effect: Effect | None, started_ms: int, evidence: Sequence[Evidence], cause: str, note: str = "") -> str:
    """One line for a human on call; `note` says by which clock, and how sure.

    Examples
    --------
    >>> summarise("amount", Effect(measure="mean", reference=43.1, current=61.7, in_reference_sd=1.1), 1767608500000,
    ...     [Evidence(detector="psi", statistic=0.31, threshold=0.021, breached=True)], "mean up")
    'amount: mean 43.1 → 61.7 (+1.1 reference sd) since about 2026-01-05 10:21; psi 0.31 > 0.021'
    >>> summarise("loss", Effect(measure="error rate", reference=0.061, current=0.94), 1767608500000, [], "mean up", "by prediction time")
    'loss: error rate 6.1 % → 94 % since about 2026-01-05 10:21 (by prediction time)'
    """
    what = cause or "changed"
    if effect is not None:
        name, short = _WORDS.get(effect.measure, (effect.measure, _short))
        what = f"{name} {short(effect.reference)} → {short(effect.current)}"
        if effect.in_reference_sd is not None:
            what += f" ({effect.in_reference_sd:+.2g} reference sd)"
    said = ", ".join(f"{e.detector} {e.statistic:.3g} > {e.threshold:.3g}" for e in evidence if e.breached)
    since = f" since about {iso(started_ms)[:16].replace('T', ' ')}" + (f" ({note})" if note else "")
    return f"{subject}: {what}{since}" + (f"; {said}" if said else "")


def _short(x: float) -> str:
    return f"{x:.0f}" if 1000 <= abs(x) < 1e9 else f"{x:.3g}"


def _percent(x: float) -> str:
    return f"{100 * x:.3g} %"


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * size:
            return f"{_short(seconds / size)} {unit}"
    return f"{_short(seconds)} s"


#: How measures are said: their name in a sentence, and their numbers.
_WORDS = {measure.name: (measure.name, _percent) for measure in (_MISSED, _LABELLED, _ERRORS, _POSITIVES)} | {
    _DELAY.name: ("median delay", _duration)
}
