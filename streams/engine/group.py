"""A group: all watched subjects of one (model, version, segment, role). They see the same rows, so one numpy call serves them all.

Compute by column, commit by row: the banks run over the whole batch; what they find is told as `Observation`, each at its own
row, and the pipeline commits them in row order. Detectors that explain are run up to each row at which one that decides has
found something, and read there: what an alert shows never depends on how rows were cut into batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from detectors.base import DetectorBank, Finding, parse
from detectors.profiling import vocabulary_index
from detectors.scaling import Scaler
from schemas.alerts import Evidence, Window, iso
from schemas.config import DetectorSpec, Model, kind_of
from schemas.events import FloatArray, Int64Array
from schemas.reference import CategoricalProfile, Profile
from streams.engine.history import History
from streams.engine.rows import RoleRows
from streams.engine.story import Series, Story, effect_of, kind_of_change, measure_of, rounded, summarise

__all__ = ["Group", "Observation", "share_of_role"]

#: Rows between false alarms of one subject: fewer can not be calibrated; more are beyond what floats can tell.
LEAST_ARL0, LARGEST_ARL0 = 1e3, 1e15


@dataclass(frozen=True, slots=True)
class Observation:
    """A finding, placed: at which column of the batch, about which subject, by which detector.

    `agreeing` are the detectors that see the change too; `watching` is how many detectors the subject has.
    """

    column: int
    subject: str
    detector: str
    decides: bool
    finding: Finding
    story: Story
    agreeing: tuple[str, ...]
    watching: int


@dataclass(slots=True)
class _Slot:
    """A bank and the subjects (rows of the group's matrix) it watches."""

    kind: str
    decides: bool
    rows: Int64Array
    bank: DetectorBank
    last: dict[int, Finding]

    def take(self, values: FloatArray, scaled: FloatArray, start: int, stop: int) -> list[Finding]:
        matrix = scaled if self.bank.inputs == "scaled" else values
        every = len(self.rows) == len(matrix)
        part = matrix[:, start:stop] if every else matrix[self.rows, start:stop]
        return self.bank.update(part)


class Group:
    """Subjects that are watched together.

    Parameters
    ----------
    model : Model
        Its configuration: which detectors decide and which explain, for each subject.
    profiles : mapping of str to Profile
        Reference of each subject; subjects that no monitor watches are left out.
    rows_per_week : float
        Event rate of the reference, for the false-alarm budget.
    share : float
        Part of the model's false-alarm budget that falls to this group, in (0, 1].
    reference_hash : str
        Content hash of the reference; stands in every alert.
    series : Series, optional
        Of outcomes only: which labels they have. It tells detectors of the same kind over several series apart.
    state : mapping, optional
        What `state` returned.
    """

    def __init__(
        self,
        model: Model,
        profiles: Mapping[str, Profile],
        *,
        rows_per_week: float,
        share: float,
        reference_hash: str,
        series: Series | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        plans = {s: plan for s in sorted(profiles) if (plan := model.plan(s))[0]}
        numbers = tuple(s for s in plans if profiles[s].kind == "numeric")
        categories = tuple(s for s in plans if profiles[s].kind == "categorical")
        self.subjects = numbers + categories
        self.profiles = [profiles[s] for s in self.subjects]
        self.reference_hash = reference_hash
        self._series = series
        self._measures = [measure_of(s, model.task) for s in self.subjects]
        self._number_names, self._category_names = numbers, categories
        self._vocabularies = [vocabulary_index(p) for p in self.profiles if isinstance(p, CategoricalProfile)]
        self._scaler = Scaler(self.profiles)
        self._watching = [len(plans[s][0]) + len(plans[s][1]) for s in self.subjects]
        budget = model.false_alarms_per_week * share / max(len(self.subjects), 1)
        wanted = rows_per_week / budget if budget > 0 else LARGEST_ARL0
        self.arl0 = min(max(wanted, LEAST_ARL0), LARGEST_ARL0)  # rows between false alarms of one subject
        self._slots = self._build(plans, None if state is None else state["banks"])
        self._history = History(len(self.subjects), None if state is None else state["history"])

    def _build(self, plans: Mapping[str, tuple[list[DetectorSpec], list[DetectorSpec]]], states: Sequence[Any] | None) -> list[_Slot]:
        rows: dict[bytes, tuple[DetectorSpec, bool, float, list[int]]] = {}
        for row, subject in enumerate(self.subjects):
            decide, explain = plans[subject]
            arl0 = self.arl0 * len(decide)  # any of them decides, so each gets its part of the budget
            for spec, decides in [(d, True) for d in decide] + [(e, False) for e in explain]:
                key = orjson.dumps([spec, decides, arl0], option=orjson.OPT_SORT_KEYS)
                rows.setdefault(key, (spec, decides, arl0, []))[3].append(row)
        slots = []
        for i, (spec, decides, arl0, mine) in enumerate(rows.values()):
            saved = None if states is None else states[i]
            bank = parse(spec).build([self.profiles[r] for r in mine], arl0=arl0, state=None if saved is None else saved["bank"])
            last = {} if saved is None else {int(r): Finding(**f) for r, f in saved["last"].items()}
            slots.append(_Slot(kind_of(spec), decides, np.array(mine, np.int64), bank, last))
        return slots

    def process(self, rows: RoleRows, columns: Int64Array | None, times: Int64Array) -> list[Observation]:
        """Take a batch: `columns` of `rows` (all when None), with their event times; return what was observed, by column."""
        return self.take(self.matrix(rows, columns), times)

    def take(self, values: FloatArray, times: Int64Array) -> list[Observation]:
        """Take a batch as numbers.

        Parameters
        ----------
        values : float64 (subjects, n)
            In the order of `subjects`; NaN is missing, a category is its index in the reference's vocabulary.
        times : int64 (n,)
            Event times, ms since the epoch.

        Returns
        -------
        list of Observation
            By column.
        """
        if not len(times) or not self.subjects:
            return []
        scaled = self._scaler.apply(values)
        start = self._history.seen
        found = [(slot, f) for slot in self._slots if slot.decides for f in slot.take(values, scaled, 0, len(times))]
        found.sort(key=lambda sf: (sf[1].index, int(sf[0].rows[sf[1].row]), sf[0].kind))
        observations: list[Observation] = []
        done = 0
        for slot, finding in found:
            stop = finding.index - start + 1
            observations += self._explain(values, scaled, times, done, stop)
            done = max(done, stop)
            slot.last[finding.row] = finding  # not before: what others say of an earlier row must not know it
            observations.append(self._observe(slot, finding, values, times))
        observations += self._explain(values, scaled, times, done, len(times))
        self._history.add(values, times)
        return observations

    def matrix(self, rows: RoleRows, columns: Int64Array | None) -> FloatArray:
        """Values of all subjects, (subjects, n): numbers as they are, categories as their index in the reference's vocabulary."""
        numbers = rows.numbers(self._number_names)
        if not self._category_names:
            return numbers if columns is None else numbers[:, columns]
        out = np.empty((len(self.subjects), len(rows) if columns is None else len(columns)))
        split = len(self._number_names)
        out[:split] = numbers if columns is None else numbers[:, columns]
        for i, name in enumerate(self._category_names):
            column, (known, other) = rows.category(name), self._vocabularies[i]
            table = np.array([*(known.get(v, other) for v in column.values), np.nan])
            codes = column.codes if columns is None else column.codes[columns]
            out[split + i] = table[codes]  # code -1 is the last entry: missing
        return out

    def wrong_types(self, rows: RoleRows, columns: Int64Array | None) -> Iterator[tuple[str, int]]:
        """Yield (subject, values) whose type is not the reference's: strings among numbers, numbers among strings."""
        for name in set(rows.category_names()).intersection(self._number_names):
            codes = rows.category(name).codes
            if n := int(((codes if columns is None else codes[columns]) >= 0).sum()):
                yield name, n
        if self._category_names:
            for name in set(rows.number_names()).intersection(self._category_names):
                values = rows.numbers((name,))[0]
                if n := int(np.isfinite(values if columns is None else values[columns]).sum()):
                    yield name, n

    def _explain(self, values: FloatArray, scaled: FloatArray, times: Int64Array, start: int, stop: int) -> Iterator[Observation]:
        if stop <= start:
            return
        for slot in self._slots:
            if not slot.decides:
                for finding in slot.take(values, scaled, start, stop):
                    slot.last[finding.row] = finding
                    yield self._observe(slot, finding, values, times)

    def _observe(self, slot: _Slot, finding: Finding, values: FloatArray, times: Int64Array) -> Observation:
        row = int(slot.rows[finding.row])
        evidence = self._evidence(slot, finding, row, times)
        started = self._history.time(finding.onset, times)
        window = self._history.values(row, finding.onset, finding.index + 1, values)
        effect = effect_of(self.profiles[row], window, finding.cause, self._measures[row])
        kind = kind_of_change(self.subjects[row], finding.cause)
        story = Story(
            kind=kind,
            severity="warning",
            started_ms=started,
            onset=finding.onset,
            index=finding.index,
            cause=finding.cause,
            summary=summarise(
                self.subjects[row], effect, started, evidence, finding.cause, self._series.note(kind) if self._series else ""
            ),
            evidence=tuple(evidence),
            effect=effect,
            reference=self.reference_hash,
            provisional=self._series.provisional(kind) if self._series else None,
        )
        return Observation(
            column=finding.index - self._history.seen,
            subject=self.subjects[row],
            detector=slot.kind if self._series is None else self._series.detector(slot.kind),
            decides=slot.decides,
            finding=finding,
            story=story,
            agreeing=() if story.provisional else tuple(e.detector for e in evidence if e.breached),
            watching=self._watching[row],
        )

    def _evidence(self, slot: _Slot, finding: Finding, row: int, times: Int64Array) -> list[Evidence]:
        since, until = (iso(self._history.time(i, times)) for i in (finding.onset, finding.index))
        window = Window.model_validate({"from": since, "to": until, "n": finding.index - finding.onset + 1})
        own = Evidence(
            detector=slot.kind,
            statistic=rounded(finding.statistic),
            threshold=rounded(finding.threshold),
            breached=finding.change == "change",
            decides=slot.decides,
            window=window,
            series=self._series.name if self._series else None,
        )
        if not slot.decides:  # the others have not come to this row, or are past it
            return [own]
        return [own, *(said for other in self._slots if other is not slot and (said := self._says(other, row, finding)) is not None)]

    def _says(self, slot: _Slot, row: int, since: Finding) -> Evidence | None:
        """What another detector of this subject says about the change that `since` found."""
        at = np.flatnonzero(slot.rows == row)
        if not len(at):
            return None
        mine = int(at[0])
        last = slot.last.get(mine)
        recent = last is not None and last.change == "change" and since.onset <= last.index <= since.index
        if recent and last is not None:
            statistic, threshold = last.statistic, last.threshold
        elif slot.decides:
            return None  # has been run past this row: only what it has found by now can be told
        else:
            reading = slot.bank.reading(mine)
            statistic, threshold, recent = reading.statistic, reading.threshold, reading.breached
        return Evidence(
            detector=slot.kind,
            statistic=rounded(statistic),
            threshold=rounded(threshold),
            breached=recent and since.change == "change",
            decides=slot.decides,
            series=self._series.name if self._series else None,
        )

    def scores(self) -> Iterator[tuple[str, str, float, float]]:
        """Yield (subject, detector, statistic, threshold) as they stand after the last row."""
        for slot in self._slots:
            for i, row in enumerate(slot.rows):
                reading = slot.bank.reading(i)
                yield self.subjects[row], slot.kind, reading.statistic, reading.threshold

    def state(self) -> dict[str, Any]:
        """Everything needed to go on with the same configuration and reference."""
        banks = [{"bank": s.bank.state(), "last": {str(r): _plain(f) for r, f in s.last.items()}} for s in self._slots]
        return {"banks": banks, "history": self._history.state()}


def share_of_role(model: Model) -> float:
    """Part of the model's false-alarm budget that falls to the rows of one role: half of it to all of them where there are segments."""
    sources = model.sources
    roles = (sources.features is not None) + (sources.predictions is not None) + model.joins_labels
    return 1 / roles / (2 if model.segments else 1)


def _plain(f: Finding) -> dict[str, Any]:
    return {n: getattr(f, n) for n in ("index", "row", "change", "statistic", "threshold", "onset", "cause")}
