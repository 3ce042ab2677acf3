"""An invented web shop's fraud model: seeded traffic, a reference of its quiet past, and the engine's account of what came after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from detectors.profiling import build_reference
from schemas.alerts import Alert
from schemas.config import Config
from schemas.events import Announcement, Block, Codes, End, FloatArray, Int64Array, Message, Source
from schemas.reference import Reference
from streams.engine import Engine
from tests.worlds import START, block_of, coded

__all__ = ["PAST", "FEATURES", "PREDICTIONS", "Shop", "Traffic", "rows_of_day"]

#: Rows of the quiet past, one a second.
PAST = 20_000
FEATURES, PREDICTIONS = Source("shop.features", 0), Source("shop.predictions", 0)
_COUNTRIES = np.array(["DE", "FR", "PL", "IT"])


@dataclass
class Traffic:
    """Columns of n rows; a story changes them where something happens."""

    amount: FloatArray
    age: FloatArray
    basket: FloatArray
    country: list[str | None]
    score: FloatArray
    prediction: list[str | None]
    version: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.amount)


def rows_of_day(seed: int, n: int, *, version: str = "1") -> Traffic:
    """Traffic as it always was."""
    rng = np.random.default_rng(seed)
    score = rng.beta(2, 8, n)
    return Traffic(
        amount=rng.lognormal(3.5, 0.6, n),
        age=rng.normal(40, 12, n),
        basket=rng.poisson(3, n).astype(float),
        country=_COUNTRIES[rng.choice(4, n, p=[0.5, 0.25, 0.15, 0.1])].tolist(),
        score=score,
        prediction=np.where(score > 0.45, "fraud", "fine").tolist(),
        version=[version] * n,
    )


class Shop:
    """The model, its references, and what the engine said.

    Parameters
    ----------
    past : mapping of str to Traffic
        What each version's reference is made of.
    options : mapping, optional
        More of the model's section of the configuration.
    """

    def __init__(self, past: Mapping[str, Traffic] | None = None, **options: Any) -> None:
        past = past or {"1": rows_of_day(1, PAST)}
        sources = {
            "features": {"topic": FEATURES.topic, "fields": {"id": "id", "features": "x"}},
            "predictions": {"topic": PREDICTIONS.topic, "fields": {"id": "id", "prediction": "y", "score": "s"}},
        }
        references = {version: f"{version}.json" for version in past}
        model = {"name": "shop", "sources": sources, "references": references, "false_alarms_per_week": 1, **options}
        self.config = Config.model_validate({"version": 1, "models": [model]})
        self.references = {("shop", version): _reference(version, traffic) for version, traffic in past.items()}

    def watch(self, now: Traffic, *, silent: tuple[int, int] | None = None, every: int = 500) -> list[tuple[int, str, str, str]]:
        """Show the engine what happens; return its drift and quality alerts as (row, state, kind, subject), in the order of rows.

        Parameters
        ----------
        now : Traffic
            One row a second.
        silent : (int, int), optional
            Rows [begin, end) whose predictions are never sent.
        every : int
            Rows of a block.
        """
        return [self._told(a) for a in self.alerts(now, silent=silent, every=every)]

    def alerts(self, now: Traffic, *, silent: tuple[int, int] | None = None, every: int = 500) -> list[Alert]:
        """The alerts themselves; see `watch`."""
        engine = Engine(self.config, self.references)
        said = engine.process([Announcement("shop", (FEATURES, PREDICTIONS))])
        for block in self._blocks(now, silent, every):
            said += engine.process([block])
        ends: list[Message] = [End("shop", FEATURES), End("shop", PREDICTIONS)]
        return sorted(said + engine.process(ends), key=lambda a: (a.data.detected_at, a.data.stream, a.data.sequence))

    @staticmethod
    def _blocks(now: Traffic, silent: tuple[int, int] | None, every: int) -> list[Block]:
        spoken = np.ones(len(now), bool)
        if silent is not None:
            spoken[slice(*silent)] = False
        blocks = []
        for a, b in pairwise([*range(0, len(now), every), len(now)]):
            stamps = START + 1000 * np.arange(a, b)
            numbers = {"amount": now.amount[a:b], "age": now.age[a:b], "basket": now.basket[a:b]}
            more: dict[str, Any] = {"first_offset": a, "model": "shop"}
            country = {"country": now.country[a:b]}
            blocks.append(block_of(FEATURES, numbers, stamps=stamps, categories=country, version=now.version[a:b], **more))
            kept = np.flatnonzero(spoken[a:b])
            if len(kept):
                blocks.append(_predictions(now, stamps, a, kept, int(spoken[:a].sum())))
        return blocks

    @staticmethod
    def _told(alert: Alert) -> tuple[int, str, str, str]:
        d = alert.data
        row = (int(np.datetime64(d.detected_at[:-1], "ms").astype(np.int64)) - START) // 1000
        of = d.subject if d.segment == "all" else f"{d.segment}/{d.subject}"
        return row, d.state, d.kind, of if d.model_version in ("1", "feed") else f"{d.model_version}:{of}"


def _predictions(now: Traffic, stamps: Int64Array, start: int, kept: Int64Array, offset: int) -> Block:
    rows = (start + kept).tolist()
    return block_of(
        PREDICTIONS,
        {"score": now.score[rows]},
        stamps=stamps[kept],
        role="predictions",
        categories={"prediction": [now.prediction[i] for i in rows]},
        version=[now.version[i] for i in rows],
        first_offset=offset,
        model="shop",
    )


def _reference(version: str, past: Traffic) -> Reference:
    strings: list[Codes] = [coded(past.country), coded(past.prediction)]
    return build_reference(
        model="shop",
        version=version,
        origin="the quiet past",
        times=START - 1000 * np.arange(len(past), 0, -1),
        number_names=["amount", "age", "basket", "score"],
        numbers=np.stack([past.amount, past.age, past.basket, past.score]),
        category_names=["country", "prediction"],
        categories=strings,
    )
