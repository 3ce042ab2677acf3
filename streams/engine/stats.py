"""What the engine has counted: frozen, read at scrape time. The engine knows no metrics library."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ActiveAlert", "EngineStats", "ModelStats", "SourceStats"]


@dataclass(frozen=True, slots=True)
class SourceStats:
    """One source of a model: how far it has come; `cursor` and `clock_ms` are None until it is heard of."""

    topic: str
    partition: int
    cursor: int | None
    clock_ms: int | None
    held: int
    rows: int
    idle: bool
    stalled: bool


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An episode that is firing now."""

    version: str
    segment: str
    subject: str
    kind: str
    severity: str


@dataclass(frozen=True, slots=True)
class ModelStats:
    """Counters of one model, since the engine was first started (they are part of its snapshot).

    Parameters
    ----------
    rows : dict
        Rows applied, by role.
    duplicates, late, forced, gaps : int
        Rows skipped as already seen; applied out of order; released before their turn because too many were held; ranges of
        offsets that never came.
    held : int
        Rows waiting for other sources now.
    faults : dict
        Values masked, by (subject, reason).
    unmonitored : dict
        Rows that no monitor watched, by reason: ``learning``, ``no_reference``, ``version_cap`` and ``segment_cap`` (more versions or
        segments than are watched; the latter's rows are still watched in *all*). ``subject_cap`` counts values of subjects beyond
        those that are learnt, not rows.
    alerts : dict
        Alerts emitted, by (kind, severity, state).
    suppressed : dict
        Changes not alerted, by reason (``cooldown``).
    scores : dict
        (statistic, threshold) by (version, segment, subject, detector), as far as the group has come.
    """

    model: str
    rows: dict[str, int]
    duplicates: int
    late: int
    forced: int
    gaps: int
    held: int
    last_time_ms: int
    subjects: int
    drifted: int
    sources: tuple[SourceStats, ...]
    faults: dict[tuple[str, str], int]
    unmonitored: dict[str, int]
    alerts: dict[tuple[str, str, str], int]
    suppressed: dict[str, int]
    active: tuple[ActiveAlert, ...]
    scores: dict[tuple[str, str, str, str], tuple[float, float]]
    references: dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counters of all models of an engine, in order of their names."""

    models: tuple[ModelStats, ...]
