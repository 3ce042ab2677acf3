"""A bank's fraud model over four months: chargebacks come after a week or a month, investigators look at suspicious cases first.

`python -m tests.scenarios.fraud` prints what the engine says of each scenario, beside the naive detector (`tests.scenarios.naive`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.alerts import Alert
from schemas.config import Config
from schemas.events import Announcement, Block, Codes, End, FloatArray, Int32Array, Int64Array, Message, Role, Source
from streams.engine import Engine
from tests.worlds import START, no_faults

__all__ = ["CHANGE", "DAY_MS", "DAYS", "HORIZON", "NOTHING_WRONG", "REAL_DRIFT", "Scenario", "World", "day_of", "watch", "world"]

DAY_MS = 86_400_000
DAYS = 120
#: Day on which a scenario's world changes.
CHANGE = 60
#: Days after which a transaction that nobody complained about was a good one.
HORIZON = 45
PER_DAY = 3_000
_FRAUD = 0.02
_PARTITIONS = 2
_PREDICTIONS, _LABELS = "cards.predictions", "cards.labels"
_FEATURES = ("amount", "account_age", "items")
_CLASSES, _SAID_BY = ("ok", "fraud"), ("natural", "review")

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Scenario:
    """What is another from day 60 on.

    Parameters
    ----------
    traffic : float
        Transactions a day, as a multiple.
    haste : float
        Chargebacks come that many times faster.
    reviewed : (float, float)
        Share of the good transactions that investigators look at: of alerts, of the rest.
    recall, false_positives : float
        Of the model.
    """

    name: str
    traffic: float = 1
    haste: float = 1
    reviewed: tuple[float, float] = (0.8, 0.03)
    recall: float = 0.7
    false_positives: float = 0.03


_STEADY = Scenario("nothing happens")
#: Scenarios in which the model is as good as before.
NOTHING_WRONG = (
    _STEADY,
    Scenario("traffic triples", traffic=3),
    Scenario("labels come twice as fast", haste=2),
    Scenario("reviews triple", reviewed=(0.95, 0.10)),
)
REAL_DRIFT = Scenario("the model gets worse", recall=0.55, false_positives=0.05)


class Labels(NamedTuple):
    """Labels in order of arrival: whose (rows of the predictions), when (ms), said by whom (index into natural, review)."""

    rows: Int64Array
    arrivals: Int64Array
    said_by: Int32Array


@dataclass(frozen=True, eq=False)
class World:
    """Predictions in order of time, what they really were, and the labels that come until the last day."""

    start: int
    times: Int64Array
    positive: BoolArray
    predicted: BoolArray
    scores: FloatArray
    features: dict[str, FloatArray]
    labels: Labels


def world(scenario: Scenario, seed: int = 0) -> World:
    """Play a scenario."""
    rng = np.random.default_rng(seed)
    counts = [round(PER_DAY * (scenario.traffic if day >= CHANGE else 1)) for day in range(DAYS)]
    days = np.concatenate([day + np.sort(rng.random(n)) for day, n in enumerate(counts)])
    after = days >= CHANGE
    positive = rng.random(len(days)) < _FRAUD

    def then(what: str) -> FloatArray:
        return np.where(after, getattr(scenario, what), getattr(_STEADY, what))

    predicted = rng.random(len(days)) < np.where(positive, then("recall"), then("false_positives"))
    charged_back = days + rng.lognormal(np.log(8), 0.8, len(days)) / then("haste")
    of_alerts, of_rest = (np.where(after, scenario.reviewed[i], _STEADY.reviewed[i]) for i in (0, 1))
    looked_at = rng.random(len(days)) < np.where(predicted, of_alerts, of_rest)
    reviewed = days + rng.lognormal(np.log(3), 0.5, len(days))
    features = (rng.lognormal(3.5, 0.8, len(days)), rng.gamma(2, 300, len(days)), rng.poisson(2.5, len(days)).astype(float))
    return World(
        start=START,
        times=START + (days * DAY_MS).astype(np.int64),
        positive=positive,
        predicted=predicted,
        scores=np.round(0.5 * rng.random(len(days)) ** np.where(predicted, 1, 2) + 0.5 * predicted, 4),
        features=dict(zip(_FEATURES, features, strict=True)),
        labels=_labels(np.where(positive, charged_back, np.inf), np.where(looked_at, reviewed, np.inf)),
    )


def _labels(charged_back: FloatArray, reviewed: FloatArray) -> Labels:
    arrivals = np.concatenate([charged_back, reviewed])
    order = np.argsort(arrivals, kind="stable")
    order = order[: np.searchsorted(arrivals[order], DAYS)]
    said_by, rows = np.divmod(order, len(reviewed))
    return Labels(rows, START + (arrivals[order] * DAY_MS).astype(np.int64), said_by.astype(np.int32))


def config() -> Config:
    """Return the model's configuration: chargebacks count, a transaction without one is good after 45 days; cohorts are of a day."""
    predictions = {"topic": _PREDICTIONS, "fields": {"id": "id", "time": "ts", "features": "x", "prediction": "y", "score": "s"}}
    labels = {
        "topic": _LABELS,
        "fields": {"id": "id", "time": "ts", "label": "y", "source": "by"},
        "horizon": f"{HORIZON}d",
        "missing_label": "negative",
        "ages": ["3d", "14d"],
        "learn": 20_000,
    }
    model = {
        "name": "cards",
        "task": "binary",
        "positive": "fraud",
        "false_alarms_per_week": 0.1,
        "monitors": [{"subjects": ["*"]}, {"subjects": [*_FEATURES, "prediction", "score"], "detectors": []}],  # this is about outcomes
        "sources": {"features": predictions, "predictions": predictions, "labels": labels},
    }
    return Config.model_validate({"version": 1, "models": [model]})


def watch(played: World) -> list[Alert]:
    """Show the engine a world day by day; return all it says."""
    engine = Engine(config(), {})
    said: list[Alert] = []
    for messages in _days(played):
        said += engine.process(messages)
    return said


def day_of(time: str, played: World) -> float:
    """Days from the beginning of a world to a time of an alert."""
    return (datetime.fromisoformat(time).timestamp() * 1000 - played.start) / DAY_MS


def _days(played: World) -> Iterator[list[Message]]:
    sources = [Source(topic, partition) for topic in (_PREDICTIONS, _LABELS) for partition in range(_PARTITIONS)]
    yield [Announcement("cards", tuple(sources))]
    edges = played.start + DAY_MS * np.arange(DAYS + 1)
    of_predictions = np.searchsorted(played.times, edges)
    of_labels = np.searchsorted(played.labels.arrivals, edges)
    read = dict.fromkeys(sources, 0)
    for day in range(DAYS):
        messages: list[Message] = []
        for source in sources:
            if source.topic == _PREDICTIONS:
                rows = _share(of_predictions[day], of_predictions[day + 1], source.partition)
                block = _of_predictions(played, rows, source, read[source])
            else:
                rows = _share(of_labels[day], of_labels[day + 1], source.partition)
                block = _of_labels(played, rows, source, read[source])
            read[source] += len(rows)
            messages += [block] if len(rows) else []
        yield messages
    yield [End("cards", source) for source in sources]


def _share(first: np.int64, last: np.int64, partition: int) -> Int64Array:
    rows = np.arange(first, last)
    return rows[rows % _PARTITIONS == partition]


def _of_predictions(played: World, rows: Int64Array, source: Source, first_offset: int) -> Block:
    numbers = {**{name: column[rows] for name, column in played.features.items()}, "score": played.scores[rows]}
    categories = {"prediction": Codes(_CLASSES, played.predicted[rows].astype(np.int32))}
    return _block(("features", "predictions"), source, first_offset, rows, played.times[rows], numbers, categories)


def _of_labels(played: World, rows: Int64Array, source: Source, first_offset: int) -> Block:
    of, arrivals, said_by = (column[rows] for column in played.labels)
    categories = {"label": Codes(_CLASSES, played.positive[of].astype(np.int32)), "label source": Codes(_SAID_BY, said_by)}
    return _block(("labels",), source, first_offset, of, arrivals, {}, categories)


def _block(
    roles: tuple[Role, ...],
    source: Source,
    first_offset: int,
    of: Int64Array,
    times: Int64Array,
    numbers: dict[str, FloatArray],
    categories: dict[str, Codes],
) -> Block:
    n = len(of)
    return Block(
        model="cards",
        source=source,
        roles=roles,
        start=first_offset,
        end=first_offset + n,
        offsets=np.arange(first_offset, first_offset + n),
        stamps=times,
        times=times,
        ids=tuple(f"transaction {row}" for row in of.tolist()),
        versions=Codes(("1",), np.zeros(n, np.int32)),
        number_names=tuple(numbers),
        numbers=np.array([*numbers.values()], float).reshape(len(numbers), n),
        category_names=tuple(categories),
        categories=tuple(categories.values()),
        segments=(),
        faults=no_faults(),
    )


def _main() -> None:
    from tests.scenarios.naive import alarms

    print(
        "| from day 60 | errors in order of arrival: ADWIN | Page-Hinkley | joined: concept drift (day; provisional) |\n|---|---|---|---|"
    )
    for scenario in (*NOTHING_WRONG, REAL_DRIFT):
        played = world(scenario)
        naive = [f"{len(days)}" + (f" (first on day {days[0]:.1f})" if days else "") for days in alarms(played).values()]
        told = [
            f"{a.data.state} {day_of(a.data.detected_at, played):.1f}{'p' if a.data.provisional else ''}"
            f" since {day_of(a.data.started_at, played):.1f} {a.data.subject}"
            for a in watch(played)
            if a.data.kind == "concept_drift"
        ]
        print(f"| {scenario.name} | {' | '.join(naive)} | {', '.join(told) or 'none'} |", flush=True)


if __name__ == "__main__":
    _main()
