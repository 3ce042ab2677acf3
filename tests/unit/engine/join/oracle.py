"""What the join means, said row by row over complete logs: no state, no clock that runs, no batches. The joiner must give the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from streams.engine.join.batches import EXCLUDED, IMPLICIT, LABELLED, UNLABELLED
from streams.engine.join.entries import MAX_LABELS
from streams.engine.join.rules import JoinRules, View

__all__ = ["LabelRow", "Meaning", "Outcome", "PredictionRow", "meaning"]


class PredictionRow(NamedTuple):
    id: int
    time: int
    clock: int
    predicted: float | None = 1
    score: float | None = 0.9
    version: int = 0
    segments: tuple[int, ...] = (0,)


class LabelRow(NamedTuple):
    id: int
    time: int
    clock: int
    value: float | None  # None takes the label back
    revision: int = -1
    source: int = 0


class Outcome(NamedTuple):
    """One row of a closed view."""

    prediction: PredictionRow
    actual: float | None
    status: int
    delay: int


@dataclass
class Meaning:
    views: dict[tuple[int, str], list[Outcome]]
    counts: Counter[str]
    by_source: Counter[tuple[int, str]]


def meaning(rules: JoinRules, predictions: list[PredictionRow], labels: list[LabelRow]) -> Meaning:
    counts: Counter[str] = Counter(labels=len(labels))
    by_source: Counter[tuple[int, str]] = Counter()
    accepted = _accepted(rules, predictions, counts)
    matched: dict[int, list[LabelRow]] = {}
    for label in labels:
        matched.setdefault(label.id, []).append(label)
    counts["unmatched_label"] += sum(len(of) for id_, of in matched.items() if id_ not in accepted)
    views: dict[tuple[int, str], list[Outcome]] = {}
    for p in sorted(accepted.values(), key=lambda p: p.time):
        met = [x for x in matched.get(p.id, []) if p.clock <= x.clock + rules.wait and x.clock - p.time <= rules.open_ms]
        counts["unmatched_label"] += len(matched.get(p.id, [])) - len(met)
        counts["excess_label"] += len(met[MAX_LABELS:])
        met = met[:MAX_LABELS]
        for view in rules.views:
            views.setdefault((p.time // rules.cohort, view.name), []).append(_outcome(rules, p, met, view))
        _count(rules, p, met, counts, by_source)
    return Meaning(views, +counts, +by_source)


def _accepted(rules: JoinRules, predictions: list[PredictionRow], counts: Counter[str]) -> dict[int, PredictionRow]:
    accepted: dict[int, PredictionRow] = {}
    for p in predictions:
        if p.clock - p.time > rules.lateness:
            counts["stale_prediction"] += 1
        elif p.time - p.clock > rules.future:
            counts["future_prediction"] += 1
        elif p.id in accepted:
            first = accepted[p.id]
            same = (p.time, p.score, p.predicted) == (first.time, first.score, first.predicted)
            counts["dup_prediction" if same else "id_conflict"] += 1
        else:
            counts["predictions"] += 1
            accepted[p.id] = p
    return accepted


def _leaks(rules: JoinRules, p: PredictionRow, label: LabelRow) -> bool:
    return _counts(rules, label) and label.time < p.time - rules.skew


def _counts(rules: JoinRules, label: LabelRow) -> bool:
    return label.source == 0 or not rules.sources


def _beyond(rules: JoinRules, p: PredictionRow, label: LabelRow, horizon: int) -> bool:
    return rules.time_to_event and label.value is not None and label.time > p.time + rules.horizons[horizon]


def _says(rules: JoinRules, label: LabelRow) -> float | None:
    return 1 if rules.time_to_event and label.value is not None else label.value


def _taken(rules: JoinRules, p: PredictionRow, met: list[LabelRow], horizon: int) -> tuple[list[LabelRow], list[LabelRow]]:
    """Labels that a horizon takes, and those that a later revision had overtaken."""
    last = p.time + rules.horizons[horizon] + rules.grace + rules.corrections
    usable = [x for x in met if _counts(rules, x) and not _leaks(rules, p, x) and not _beyond(rules, p, x, horizon) and x.clock <= last]
    stale = [
        x
        for i, x in enumerate(usable)
        if rules.revisions and x.revision >= 0 and any(earlier.revision > x.revision for earlier in usable[:i])
    ]
    return [x for x in usable if not any(x is y for y in stale)], stale


def _outcome(rules: JoinRules, p: PredictionRow, met: list[LabelRow], view: View) -> Outcome:
    known = [x for x in _taken(rules, p, met, view.horizon)[0] if x.clock <= p.time + view.offset]
    values = [_says(rules, x) for x in known]
    arrivals = [x.clock for x in known if x.value is not None]
    delay = max(0, min(arrivals) - p.time) if arrivals else -1
    if any(_leaks(rules, p, x) and x.clock <= p.time + view.offset for x in met):
        return Outcome(p, None, EXCLUDED, delay)
    if not values or values[-1] is None:
        taken_back = any(value is not None for value in values)
        negative = rules.retraction_negative if taken_back else rules.missing_negative
        return Outcome(p, 0 if negative else None, IMPLICIT if negative else UNLABELLED, delay)
    return Outcome(p, values[-1], LABELLED, delay)


def _count(rules: JoinRules, p: PredictionRow, met: list[LabelRow], counts: Counter[str], by_source: Counter[tuple[int, str]]) -> None:
    longest = max(range(len(rules.horizons)), key=lambda h: rules.horizons[h])
    deadline = p.time + rules.horizons[longest] + rules.grace
    taken, stale = _taken(rules, p, met, longest)
    counted: float | None = None  # the outcome so far, of the sources that count
    labelled = False
    other: LabelRow | None = None
    for label in met:
        conflict = counted is not None and other is not None and _says(rules, other) not in (None, counted)
        value = _says(rules, label)
        if not _counts(rules, label):
            counts["other_source"] += 1
            if _beyond(rules, p, label, longest):
                continue
            if value is not None:
                again = other is not None and other.source == label.source and other.value is not None
                if not again:
                    by_source[label.source, "joined"] += 1
                elif other is not None and _says(rules, other) != value:
                    by_source[label.source, "flips"] += 1
            other = label
        elif _leaks(rules, p, label):
            counts["leakage_suspect"] += 1
        else:
            counts["clock_skew"] += label.time < p.time
            counts["late_label"] += label.clock > p.time + min(rules.horizons) + rules.grace + rules.corrections
            if _beyond(rules, p, label, longest):
                counts["after_horizon"] += 1
            elif any(label is x for x in stale):
                counts["stale_revision"] += 1
            else:
                assert any(label is x for x in taken)
                counts[_effect(labelled, counted, value, label.clock <= deadline)] += 1
                if rules.sources and value is not None:
                    by_source[0, "joined"] += not labelled
                    by_source[0, "flips"] += counted is not None and counted != value
                counted, labelled = value, labelled or value is not None
        now = counted is not None and other is not None and _says(rules, other) not in (None, counted)
        counts["source_conflict"] += now and not conflict


def _effect(labelled: bool, before: float | None, value: float | None, in_time: bool) -> str:
    if value == before:
        return "dup_label"
    if value is None:
        return "retraction"
    return "joined" if not labelled and in_time else "correction"
