"""A model whose labels come some minutes later: invented hours of it, shown to the engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.alerts import Alert
from schemas.config import Config
from schemas.events import Announcement, Block, End, FloatArray, Int64Array, Message, Source
from streams.engine import Engine
from streams.engine.stats import ModelStats
from tests.worlds import START, block_of

__all__ = ["MINUTE", "Hours", "hours", "row_of", "show"]

MINUTE = 60_000
_PREDICTIONS, _LABELS = Source("p", 0), Source("l", 0)


@dataclass
class Hours:
    """One prediction a second, and its label: what it says, when it happened, when it comes (ms); never where that is infinite."""

    predicted: NDArray[np.bool_]
    actual: NDArray[np.bool_]
    score: FloatArray
    region: list[str | None]
    happened: FloatArray
    arrives: FloatArray

    def __len__(self) -> int:
        return len(self.predicted)

    @property
    def times(self) -> Int64Array:
        """When each was predicted, ms."""
        return START + 1000 * np.arange(len(self))


def hours(n: float, *, seed: int = 5, positives: float = 0.3, error: float = 0.1, delay_min: float = 4) -> Hours:
    """`n` quiet hours."""
    rng = np.random.default_rng(seed)
    rows = int(n * 3600)
    actual = rng.random(rows) < positives
    predicted = actual ^ (rng.random(rows) < error)
    comes = START + 1000 * np.arange(rows) + delay_min * MINUTE * rng.lognormal(0, 0.5, rows)
    score = np.clip(np.where(predicted, 0.75, 0.25) + rng.normal(0, 0.1, rows), 0, 1)
    return Hours(predicted, actual, score, rng.choice(["north", "south"], rows).tolist(), comes - 1000, comes)


def config(**labels: Any) -> Config:
    """The model: labels within 30 minutes, judged after 5 and after 30."""
    source = {
        "topic": "l",
        "fields": {"id": "id", "time": "t", "label": "y"},
        "horizon": "30m",
        "ages": ["10m"],
        "cohort": "5m",
        "grace": "2m",
        "learn": 3000,
        "missing_label": "negative",
        **labels,
    }
    predictions = {"topic": "p", "fields": {"id": "id", "prediction": "y", "score": "s"}}
    model = {
        "name": "shop",
        "task": "binary",
        "positive": "yes",
        "false_alarms_per_week": 0.5,
        "segments": ["region"],
        "monitors": [{"subjects": ["prediction", "score"], "detectors": []}, {"subjects": ["l*", "missed_positives"]}],
        "sources": {"predictions": predictions, "labels": source},
    }
    return Config.model_validate({"version": 1, "engine": {"silence": "5m"}, "models": [model]})


def show(world: Hours, *, every: int = 400, **labels: Any) -> tuple[list[Alert], ModelStats]:
    """Show the engine everything, in blocks, up to the last prediction; return its alerts and counters. `labels` are for `config`."""
    engine = Engine(config(**labels), {})
    end = world.times[-1]
    order = np.argsort(world.arrives, kind="stable")
    told = order[world.arrives[order] <= end]
    blocks = [_predictions(world, a, min(a + every, len(world))) for a in range(0, len(world), every)]
    blocks += [_said(world, told[a : a + every], a) for a in range(0, len(told), every)]
    blocks.sort(key=lambda block: int(block.stamps[-1]))
    messages: list[Message] = [Announcement("shop", (_LABELS, _PREDICTIONS)), *blocks, End("shop", _LABELS), End("shop", _PREDICTIONS)]
    alerts = [alert for message in messages for alert in engine.process([message])]
    (stats,) = engine.stats().models
    return sorted(alerts, key=lambda a: (a.data.detected_at, a.data.stream, a.data.sequence)), stats


def _predictions(world: Hours, a: int, b: int) -> Block:
    block = block_of(
        _PREDICTIONS,
        {"score": world.score[a:b]},
        stamps=world.times[a:b],
        role="predictions",
        categories={"prediction": ["yes" if p else "no" for p in world.predicted[a:b]]},
        segments=[world.region[a:b]],
        first_offset=a,
        model="shop",
    )
    return replace(block, ids=tuple(f"id-{i}" for i in range(a, b)))


def _said(world: Hours, rows: Int64Array, first: int) -> Block:
    block = block_of(
        _LABELS,
        {},
        stamps=world.arrives[rows].astype(np.int64),
        role="labels",
        categories={"label": ["yes" if world.actual[i] else "no" for i in rows]},
        segments=[[None] * len(rows)],
        first_offset=first,
        model="shop",
    )
    return replace(block, ids=tuple(f"id-{i}" for i in rows), times=world.happened[rows].astype(np.int64))


def row_of(time: str) -> int:
    """Row that was predicted at a time of an alert."""
    return int((np.datetime64(time.removesuffix("Z"), "ms").astype(np.int64) - START) // 1000)
