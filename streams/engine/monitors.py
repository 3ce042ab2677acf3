"""The groups of one model: which exist, which still learn, and who sees which rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from schemas.config import LearnReference, Model
from schemas.errors import InvariantError
from schemas.events import Codes, Int32Array, Int64Array, Role
from schemas.reference import Profile, Reference
from streams.engine.episode import ALL
from streams.engine.group import Group, Observation, share_of_role
from streams.engine.learner import Learner
from streams.engine.roster import Mine, Refused, Retired, Roster
from streams.engine.rows import LABEL_COLUMNS, PREDICTION_COLUMNS, RoleRows, first_appearances

__all__ = ["Crowded", "Gone", "GroupKey", "Learnt", "Monitors", "References", "Seen", "Said", "Unreferenced"]

#: References by (model, version); version "default" serves all versions that have none of their own.
References: TypeAlias = Mapping[tuple[str, str], Reference]
WEEK_S = 7 * 24 * 3600
LEARN_BY_DEFAULT = 10_000


class GroupKey(NamedTuple):
    """Whose rows a group sees."""

    version: str
    segment: str
    role: Role


@dataclass(frozen=True, slots=True)
class Seen:
    """An observation of a group, at a row of the release."""

    row: int
    key: GroupKey
    observation: Observation


@dataclass(frozen=True, slots=True)
class Unreferenced:
    """A version has no reference for a role: it is being learnt from `rows` rows, or (0) can't be watched."""

    row: int
    key: GroupKey
    rows: int


@dataclass(frozen=True, slots=True)
class Learnt:
    """A reference has been learnt; watching begins with the next row."""

    row: int
    key: GroupKey
    reference: Reference


@dataclass(frozen=True, slots=True)
class Gone:
    """A version is no longer watched: it had no rows for long, and another one needs its place."""

    row: int
    version: str
    role: Role


@dataclass(frozen=True, slots=True)
class Crowded:
    """There are more versions than can be watched; from this row on it is time to say so."""

    row: int
    role: Role


Said: TypeAlias = Seen | Unreferenced | Learnt | Gone | Crowded


class Monitors:
    """All groups and learners of one model.

    Parameters
    ----------
    model : Model
        Configuration.
    references : mapping
        References that were loaded from files.
    state : mapping, optional
        What `state` returned, under the same configuration and references.
    """

    def __init__(self, model: Model, references: References, state: Mapping[str, Any] | None = None) -> None:
        self._model, self._references = model, references
        self._groups: dict[GroupKey, Group | Learner | None] = {}
        self._learnt: dict[GroupKey, Reference] = {}
        self._segments: dict[tuple[str, Role, str], set[str]] = {}  # values taken, by (version, role, field)
        self._rosters: dict[Role, Roster] = {}
        self.faults: Counter[tuple[str, str]] = Counter()
        self.unmonitored: Counter[str] = Counter()
        if state is not None:
            self._restore(state)

    def process(self, rows: RoleRows, clocks: Int64Array) -> Iterator[Said]:
        """Show the rows of one role to every group that they belong to.

        Parameters
        ----------
        rows : RoleRows
            The rows of one release that carry the role.
        clocks : int64 (len(rows),)
            Clock of each row, ms; never decreases.
        """
        times = rows.times()
        for step in self._roster(rows.role).take(rows.versions(), clocks):
            match step:
                case Mine(version, columns):
                    yield from self._show(GroupKey(version, ALL, rows.role), rows, columns, times)
                    for index, field in enumerate(self._model.segments):
                        yield from self._show_segments(version, field, rows, rows.segment(index), columns, times)
                case Retired(version, column):
                    self._forget(version, rows.role)
                    yield Gone(int(rows.at[column]), version, rows.role)
                case Refused(refused, told):
                    self.unmonitored["version_cap"] += refused
                    yield from (Crowded(int(rows.at[column]), rows.role) for column in told)

    def _roster(self, role: Role) -> Roster:
        return self._rosters.setdefault(role, Roster(self._model.references))

    def _forget(self, version: str, role: Role) -> None:
        for key in [key for key in self._groups if (key.version, key.role) == (version, role)]:
            del self._groups[key]
            self._learnt.pop(key, None)
        for taken in [taken for taken in self._segments if taken[:2] == (version, role)]:
            del self._segments[taken]

    def _show_segments(
        self, version: str, field: str, rows: RoleRows, values: Codes, columns: Int64Array | None, times: Int64Array
    ) -> Iterator[Said]:
        codes = values.codes if columns is None else values.codes[columns]
        taken = self._segments.setdefault((version, rows.role, field), set())
        watched = self._with_a_place(field, taken, codes, values.values)
        for code, segment in watched.items():
            mine = np.flatnonzero(codes == code) if columns is None else columns[codes == code]
            yield from self._show(GroupKey(version, segment, rows.role), rows, mine, times)
        self.unmonitored["segment_cap"] += int((codes >= 0).sum() - np.isin(codes, list(watched)).sum())

    def _with_a_place(self, field: str, taken: set[str], codes: Int32Array, values: Sequence[str]) -> dict[int, str]:
        """Segments of a batch that are watched, by code; new ones take places in the order in which they appear."""
        watched = {}
        for code in first_appearances(codes):
            segment = f"{field}={values[code]}"
            if segment in taken or len(taken) < self._model.max_segments:
                taken.add(segment)
                watched[code] = segment
        return watched

    def _show(self, key: GroupKey, rows: RoleRows, columns: Int64Array | None, times: Int64Array) -> Iterator[Said]:
        if key not in self._groups:
            first = int(rows.at[0 if columns is None else columns[0]])
            self._groups[key] = watcher = self._watcher(key)
            if not isinstance(watcher, Group):
                yield Unreferenced(first, key, watcher.needs if watcher else 0)
        watcher = self._groups[key]
        if isinstance(watcher, Learner):
            every = np.arange(len(rows)) if columns is None else columns
            mine, columns = every[: watcher.needs], every[watcher.needs :]
            if refused := watcher.take(rows, mine, times[mine]):
                self.unmonitored["subject_cap"] += refused
            self.unmonitored["learning"] += len(mine)
            if watcher.needs:
                return
            reference = watcher.reference(self._model.name, key.version)
            self._learnt[key] = reference
            self._groups[key] = watcher = self._group(key, reference.profiles, reference)
            yield Learnt(int(rows.at[mine[-1]]), key, reference)
        if watcher is None:
            self.unmonitored["no_reference"] += len(rows) if columns is None else len(columns)
            return
        if key.segment == ALL:  # each value counts once, whatever segments its row is in
            for subject, n in watcher.wrong_types(rows, columns):
                self.faults[subject, "wrong_type"] += n
            for subject, n in rows.absent(watcher.subjects, columns):
                self.faults[subject, "absent"] += n
        mine = rows.at if columns is None else rows.at[columns]
        for observation in watcher.process(rows, columns, times if columns is None else times[columns]):
            yield Seen(int(mine[observation.column]), key, observation)

    def _watcher(self, key: GroupKey) -> Group | Learner | None:
        """Make what watches these rows: a group when there is a reference, else a learner when that is allowed."""
        reference = self._reference(key.version)
        if reference is not None:
            profiles = reference.profiles if key.segment == ALL else reference.segments.get(key.segment, {})
            if any((name in PREDICTION_COLUMNS) == (key.role == "predictions") for name in profiles):
                return self._group(key, profiles, reference)
            return Learner(self._rows_to_learn(key.version) or LEARN_BY_DEFAULT)  # the file does not cover this role or segment
        rows = self._rows_to_learn(key.version)
        return Learner(rows) if rows else None

    def _reference(self, version: str) -> Reference | None:
        given = self._model.references
        name = version if version in given else "default"
        return self._references.get((self._model.name, name))

    def _rows_to_learn(self, version: str) -> int | None:
        """Rows to learn from: as said for this version, else for all others; None when neither is said."""
        given = self._model.references
        said = [g for g in (given.get(version), given.get("default")) if isinstance(g, LearnReference)]
        return said[0].learn if said else None

    def _group(self, key: GroupKey, profiles: Mapping[str, Profile], reference: Reference, state: Mapping[str, Any] | None = None) -> Group:
        mine = {n: p for n, p in profiles.items() if (n in PREDICTION_COLUMNS) == (key.role == "predictions") and n not in LABEL_COLUMNS}
        whole = self._learnt.get(key._replace(segment=ALL), reference)  # a segment's budget is counted in the model's rows
        return Group(
            self._model,
            mine,
            rows_per_week=whole.rows_per_second * WEEK_S,
            share=share_of_role(self._model),
            reference_hash=reference.content_hash,
            state=state,
        )

    def scores(self) -> dict[tuple[str, str, str, str], tuple[float, float]]:
        """(statistic, threshold) by (version, segment, subject, detector)."""
        return {
            (key.version, key.segment, subject, detector): (statistic, threshold)
            for key, group in self._groups.items()
            if isinstance(group, Group)
            for subject, detector, statistic, threshold in group.scores()
        }

    def subjects(self) -> int:
        """Number of (version, segment, subject) watched now."""
        return sum(len(g.subjects) for g in self._groups.values() if isinstance(g, Group))

    def references(self) -> dict[str, tuple[int, int]]:
        """(rows, time of the last row) of the reference of each version that is watched."""
        known: dict[str, tuple[int, int]] = {}
        for key, group in self._groups.items():
            if isinstance(group, Group) and key.segment == ALL:
                reference = self._learnt.get(key) or self._reference(key.version)
                if reference is not None:
                    known[key.version] = (reference.rows, reference.to_ms)
        return known

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        groups = []
        for key, group in self._groups.items():
            learnt = self._learnt.get(key)
            groups.append(
                {
                    "key": list(key),
                    "is": "group" if isinstance(group, Group) else "learner" if isinstance(group, Learner) else "nothing",
                    "learnt": None if learnt is None else learnt.to_json(),
                    "state": None if group is None else group.state(),
                }
            )
        return {
            "groups": groups,
            "segments": [[*k, sorted(v)] for k, v in sorted(self._segments.items())],
            "rosters": {role: roster.state() for role, roster in sorted(self._rosters.items())},
            "faults": [[*k, n] for k, n in sorted(self.faults.items())],
            "unmonitored": dict(self.unmonitored),
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        for saved in state["groups"]:
            version, segment, role = saved["key"]
            key = GroupKey(version, segment, role)
            if saved["learnt"] is not None:
                self._learnt[key] = Reference.from_json(saved["learnt"], where="snapshot")
        for saved in state["groups"]:
            version, segment, role = saved["key"]
            key = GroupKey(version, segment, role)
            if saved["is"] == "group":
                reference = self._learnt.get(key) or self._reference(version)
                if reference is None:
                    raise InvariantError(f"snapshot of model {self._model.name!r}: found a group of {key}, expected its reference too")
                profiles = reference.profiles if key in self._learnt or segment == ALL else reference.segments[segment]
                self._groups[key] = self._group(key, profiles, reference, saved["state"])
            elif saved["is"] == "learner":
                self._groups[key] = Learner(self._rows_to_learn(version) or LEARN_BY_DEFAULT, saved["state"])
            else:
                self._groups[key] = None
        self._rosters = {role: Roster(self._model.references, saved) for role, saved in state["rosters"].items()}
        self._segments = {(version, role, field): set(values) for version, role, field, values in state["segments"]}
        self.faults.update({(subject, reason): n for subject, reason, n in state["faults"]})
        self.unmonitored.update(state["unmonitored"])
