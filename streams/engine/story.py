"""What an alert says: kind, summary, evidence, effect. Words are made here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

import numpy as np
from pydantic import BaseModel, ConfigDict

from detectors.profiling import moments
from schemas.alerts import Effect, Evidence, Kind, Severity, iso
from schemas.events import FloatArray
from schemas.reference import CategoricalProfile, NumericProfile, Profile

__all__ = ["Story", "effect_of", "kind_of_change", "rounded", "summarise"]


_LARGEST = 1.79769e308


class Story(BaseModel):
    """The content of an alert, without its place in the life of an episode. A value: frozen, and JSON both ways."""

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


def rounded(x: float) -> float:
    """Round to 6 significant digits: what is published must not depend on the shape of a batch. It is finite, as JSON has no infinity.

    Examples
    --------
    >>> rounded(0.123456789), rounded(1234567.8), rounded(float("inf"))
    (0.123457, 1234570.0, 1.79769e+308)
    """
    return 0.0 if isnan(x) else float(f"{min(max(x, -_LARGEST), _LARGEST):.6g}")


def kind_of_change(subject: str, cause: str) -> Kind:
    """Missing values are a data-quality matter whatever the subject; otherwise the subject decides."""
    if cause == "missing values":
        return "data_quality"
    return "prediction_drift" if subject in ("prediction", "score") else "feature_drift"


def effect_of(profile: Profile, window: FloatArray, cause: str) -> Effect | None:
    """Say how far the rows since the onset are from the reference, in the user's units.

    Parameters
    ----------
    profile : Profile
        The reference of the subject.
    window : float64 (n,)
        Values since the onset; NaN is missing, categories are their index.
    cause : str
        What the detector says has moved; chooses the measure.
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
    return _number_effect(profile, present, cause)


def _number_effect(profile: NumericProfile, present: FloatArray, cause: str) -> Effect:
    now = moments(np.sort(present))
    measure, reference, current = "mean", profile.mean, now.mean
    if cause.startswith("spread") and len(present) > 1:
        measure, reference, current = "sd", profile.sd, now.sd
    in_sd = rounded((current - reference) / profile.sd) if profile.sd > 0 else None
    return Effect(measure=measure, reference=rounded(reference), current=rounded(current), in_reference_sd=in_sd)


def _category_effect(profile: CategoricalProfile, present: FloatArray, cause: str) -> Effect:
    k = len(profile.vocabulary)
    now = np.bincount(present.astype(np.int64), minlength=k + 1)[: k + 1] / len(present)
    then = np.append(np.array(profile.counts[:k], float), 0.0) / max(sum(profile.counts[:k]), 1)
    most = k if cause == "unseen values" else int(np.abs(now - then).argmax())  # in few rows a known share moves more by chance
    name = f"share of {profile.vocabulary[most]!r}" if most < k else "share of unseen values"
    return Effect(measure=name, reference=rounded(float(then[most])), current=rounded(float(now[most])))


def summarise(subject: str, effect: Effect | None, started_ms: int, evidence: Sequence[Evidence], cause: str) -> str:
    """One line for a human on call.

    Examples
    --------
    >>> summarise("amount", Effect(measure="mean", reference=43.1, current=61.7, in_reference_sd=1.1), 1767608500000,
    ...     [Evidence(detector="psi", statistic=0.31, threshold=0.021, breached=True)], "mean up")
    'amount: mean 43.1 → 61.7 (+1.1 reference sd) since about 2026-01-05 10:21; psi 0.31 > 0.021'
    """
    what = cause or "changed"
    if effect is not None:
        what = f"{effect.measure} {_short(effect.reference)} → {_short(effect.current)}"
        if effect.in_reference_sd is not None:
            what += f" ({effect.in_reference_sd:+.2g} reference sd)"
    said = ", ".join(f"{e.detector} {e.statistic:.3g} > {e.threshold:.3g}" for e in evidence if e.breached)
    return f"{subject}: {what} since about {iso(started_ms)[:16].replace('T', ' ')}" + (f"; {said}" if said else "")


def _short(x: float) -> str:
    return f"{x:.3g}" if abs(x) < 1000 else f"{x:.0f}"
