"""Two logs of predictions and labels, small and full of trouble, and a reader that takes them in any order and in any pieces."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate
from random import Random
from typing import NamedTuple

import numpy as np

from schemas.snapshot import pack, unpack
from streams.engine.join.batches import Closed, Labels, Predictions
from streams.engine.join.joiner import Joiner
from streams.engine.join.rules import JoinRules
from tests.unit.engine.join.oracle import LabelRow, Meaning, Outcome, PredictionRow

__all__ = ["END", "Reading", "World", "difference", "expected", "labels_of", "predictions_of", "random_world", "read", "rows_of"]

#: A clock after everything; its negative is before everything.
END = 10**12


class World(NamedTuple):
    rules: JoinRules
    predictions: list[PredictionRow]
    labels: list[LabelRow]


def predictions_of(rows: Sequence[PredictionRow]) -> Predictions:
    return Predictions(
        keys=_keys(row.id for row in rows),
        times=np.array([row.time for row in rows], np.int64),
        clocks=np.array([row.clock for row in rows], np.int64),
        predicted=_numbers(row.predicted for row in rows),
        scores=_numbers(row.score for row in rows),
        versions=np.array([row.version for row in rows], np.int32),
        segments=np.array([row.segments for row in rows], np.int32).reshape(len(rows), 1).T,
    )


def labels_of(rows: Sequence[LabelRow]) -> Labels:
    return Labels(
        keys=_keys(row.id for row in rows),
        times=np.array([row.time for row in rows], np.int64),
        clocks=np.array([row.clock for row in rows], np.int64),
        values=_numbers(row.value for row in rows),
        revisions=np.array([row.revision for row in rows], np.int64),
        sources=np.array([row.source for row in rows], np.int16),
    )


def _keys(ids: Iterable[int]) -> np.ndarray:
    # Ids whose first halves are equal are apart by the second.
    return np.array([(id_ // 2, id_) for id_ in ids], np.uint64).reshape(-1, 2)


def _numbers(values: Iterable[float | None]) -> np.ndarray:
    return np.array([math.nan if value is None else value for value in values], np.float64)


def rows_of(closed: Closed) -> list[tuple[object, ...]]:
    """A closed view, a tuple a row: as `expected` makes them of what the oracle says."""
    columns = (closed.times, closed.predicted, closed.scores, closed.versions, *closed.segments)
    columns += (closed.actual, closed.status, closed.delays)
    return [tuple(None if value != value else value for value in row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def expected(meaning: Meaning) -> dict[tuple[int, str], list[tuple[object, ...]]]:
    def row(o: Outcome) -> tuple[object, ...]:
        p = o.prediction
        return (p.time, p.predicted, p.score, p.version, *p.segments, o.actual, o.status, o.delay)

    return {view: [row(outcome) for outcome in outcomes] for view, outcomes in meaning.views.items()}


class Reading:
    """A joiner and what it has closed."""

    def __init__(self, rules: JoinRules) -> None:
        self.rules = rules
        self.joiner = Joiner(rules, segments=1)
        self.views: dict[tuple[int, str], list[tuple[object, ...]]] = {}
        self._last: dict[str, int] = {}

    def advance(self, pi: int, lam: int) -> None:
        for closed in self.joiner.advance(pi, lam):
            name = closed.view.name
            assert (closed.cohort, name) not in self.views
            assert closed.pi < pi
            assert closed.lam < lam
            assert self._last.get(name, -1) < closed.cohort
            self._last[name] = closed.cohort
            self.views[closed.cohort, name] = rows_of(closed)

    def restore(self) -> None:
        _, state = unpack(pack(self.joiner.state(), header={}))
        self.joiner = Joiner(self.rules, segments=1, state=state)


def read(world: World, random: Random) -> Reading:
    """Read both logs to their ends, interleaved and cut at random, telling now and then how far they are read, or restoring."""
    reading = Reading(world.rules)
    predictions_first, longest, restores = random.choice([0.05, 0.5, 0.95]), random.choice([2, 8, 40, 1000]), random.choice([0, 0, 0.1])
    p = q = 0
    while p < len(world.predictions) or q < len(world.labels):
        n = random.randint(1, longest)
        if q == len(world.labels) or (p < len(world.predictions) and random.random() < predictions_first):
            reading.joiner.predictions(predictions_of(world.predictions[p : p + n]))
            p += n
        else:
            reading.joiner.labels(labels_of(world.labels[q : q + n]))
            q += n
        if random.random() < 0.5:
            read_p, read_q = world.predictions[:p], world.labels[:q]
            reading.advance(read_p[-1].clock if read_p else -END, read_q[-1].clock if read_q else -END)
        if random.random() < restores:
            reading.restore()
    reading.advance(END, END)
    return reading


def difference(meant: Meaning, reading: Reading) -> str | None:
    """Where a reading to the end of both logs is not what is meant; None where it is."""
    views, joiner = expected(meant), reading.joiner
    for view in sorted(views.keys() | reading.views.keys()):
        if views.get(view) != reading.views.get(view):
            return f"view {view}: found {reading.views.get(view)}, expected {views.get(view)}"
    if +joiner.counts != meant.counts:
        return f"counts: found {dict(joiner.counts - meant.counts)} too many, {dict(meant.counts - joiner.counts)} too few"
    if +joiner.by_source != meant.by_source:
        return f"counts by source: found {joiner.by_source}, expected {meant.by_source}"
    return f"{joiner.pending} predictions and {joiner.orphans} labels are left" if joiner.pending or joiner.orphans else None


def random_world(seed: int) -> World:
    random = Random(seed)
    horizons = random.choice([(10_000,), (10_000,), (1_000, 10_000), (10_000, 1_000), (500, 3_000, 20_000)])
    corrections = random.choice([0, 2_000, 15_000])
    task = random.choice(["binary", "binary", "multiclass", "regression"])
    rules = JoinRules(
        task,
        horizons,
        grace=500,
        corrections=corrections,
        skew=50,
        wait=random.choice([0, 300, 5_000, 100_000]),
        lateness=1_000,
        future=1_000,
        cohort=random.choice([100, 1_000, 7_000]),
        ages=random.choice([(), (400,), (100, horizons[0] // 2)]),
        missing_negative=task == "binary" and random.random() < 0.7,
        retraction_negative=task == "binary" and random.random() < 0.5,
        time_to_event=task == "binary" and random.random() < 0.3,
        revisions=random.random() < 0.7,
        sources=random.random() < 0.5,
    )
    span = random.choice([3_000, 50_000])
    gap = random.choice([0, 0, 10**10])  # years in which nothing happens
    predictions: list[PredictionRow] = []
    labels: list[LabelRow] = []
    for id_ in range(random.choice([5, 20, 60])):
        time = random.randrange(span) + gap * (id_ % 2)
        clock = time + random.choice([0, 1, 5, 50, 400, 900, 1_500]) - random.choice([0, 0, 0, 20, 1_200])
        given = PredictionRow(
            id_, time, clock, _value(random, task), random.choice([0.25, 0.75, None]), random.randrange(3), (random.randrange(3),)
        )
        predictions.append(given)
        if random.random() < 0.15:
            moved = {"time": time + 30} if rules.wait else {"score": None}  # a conflict, while its cohort is surely there
            other = random.choice([{}, {}, {"score": 0.5}, moved, {"predicted": None}])
            predictions.append(given._replace(clock=clock + random.randrange(300), **other))
        if random.random() < 0.75:
            labels += _labels(random, task, given)
        if random.random() < 0.05:
            labels.append(LabelRow(1_000 + id_, time, time + 10, 1))
    return World(rules, *_logs(random, rules, predictions, labels))


def _value(random: Random, task: str) -> float | None:
    if random.random() < 0.1:
        return None
    return {"binary": random.randrange(2), "multiclass": random.randrange(4), "regression": random.choice([0.5, -2.25, 7.0])}[task]


def _labels(random: Random, task: str, of: PredictionRow) -> list[LabelRow]:
    time = of.time + random.choice([1, 100, 1_000, 5_000, 9_900, 10_400, 10_600, 12_000, 20_000, -20, -50, -51, -5_000])
    clock = time + random.choice([0, 0, 5, 100, 400, 900])
    revised = random.random() < 0.4
    found = []
    while True:
        revision = random.randrange(4) if revised and random.random() < 0.8 else -1
        source = random.choice([0, 0, 0, 1, 2])
        found.append(LabelRow(of.id, time, clock, _value(random, task), revision, source))
        if random.random() < 0.5:
            return found
        clock += random.choice([0, 10, 500, 3_000, 11_000])


def _logs(
    random: Random, rules: JoinRules, predictions: list[PredictionRow], labels: list[LabelRow]
) -> tuple[list[PredictionRow], list[LabelRow]]:
    """Logs in the order of arrival but for small disorder, with clocks: the running maximum of arrival."""
    predictions.sort(key=lambda p: p.clock + random.randrange(-30, 30))
    labels.sort(key=lambda x: x.clock + random.randrange(-30, 30))
    p_clocks = accumulate((p.clock for p in predictions), max)
    l_clocks = accumulate((x.clock for x in labels), max)
    return (
        [p._replace(clock=clock) for p, clock in zip(predictions, p_clocks, strict=True)],
        [x._replace(clock=clock) for x, clock in zip(labels, l_clocks, strict=True)],
    )
