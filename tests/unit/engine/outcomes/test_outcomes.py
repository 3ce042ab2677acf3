"""Outcomes as a part of the engine: what survives a change of the configuration, and what rows that come late may still do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from schemas.config import Config
from schemas.events import Announcement, Block, Message, Source, Tick
from streams.engine import Engine
from streams.engine.stats import ModelStats
from tests.worlds import START, block_of

MINUTE = 60_000
PREDICTIONS, LABELS, OTHER_LABELS = Source("p", 0), Source("l", 0), Source("l", 1)
ALL = (PREDICTIONS, LABELS, OTHER_LABELS)


def config(*, budget: float = 1, task: str = "binary", **labels: Any) -> Config:
    source = {"topic": "l", "fields": {"id": "id", "label": "y"}, "horizon": "10m", "ages": [], "cohort": "1m", "grace": "1m", **labels}
    predictions = {"topic": "p", "fields": {"id": "id", "prediction": "y"}}
    model = {
        "name": "fraud",
        "task": task,
        "false_alarms_per_week": budget,
        "sources": {"predictions": predictions, "labels": {"corrections": "5m", "missing_label": "negative", **source}},
    }
    return Config.model_validate({"version": 1, "models": [model]})


def predictions(minutes: list[float], first: int = 0) -> Block:
    stamps = START + np.array([int(m * MINUTE) for m in minutes])
    block = block_of(PREDICTIONS, {}, stamps=stamps, role="predictions", categories={"prediction": ["1"] * len(stamps)}, first_offset=first)
    return replace(block, ids=tuple(f"id-{first + i}" for i in range(len(stamps))))


def labels(said: dict[str, float], source: Source = LABELS, first: int = 0) -> Block:
    stamps = START + np.array([int(m * MINUTE) for m in said.values()])
    block = block_of(source, {}, stamps=stamps, role="labels", categories={"label": ["1"] * len(stamps)}, first_offset=first)
    return replace(block, ids=tuple(said))


def tick(source: Source, end: int) -> Tick:
    return Tick("fraud", source, end, idle_ms=60_000)


def stats(engine: Engine) -> ModelStats:
    (of_model,) = engine.stats().models
    return of_model


def outcomes(engine: Engine, series: str) -> list[tuple[int, int]]:
    """(labelled, implicit) of the cohorts of a series."""
    return [(row.tally.labelled, row.tally.implicit) for row in stats(engine).performance if row.series == series]


def test_predictions_go_on_waiting_when_a_threshold_changes_but_not_when_the_join_does():
    engine = Engine(config(), {})
    engine.process([Announcement("fraud", ALL), predictions([0, 0.5, 1]), tick(PREDICTIONS, 3), tick(LABELS, 0), tick(OTHER_LABELS, 0)])
    assert stats(engine).pending == 3
    state = engine.snapshot()
    assert stats(Engine(config(budget=5), {}, state=state)).pending == 3
    assert stats(Engine(config(horizon="20m"), {}, state=state)).pending == 0


def test_a_label_that_comes_after_its_cohort_matured_amends_it():
    engine = Engine(config(), {})
    said = [labels({"id-0": 13, "id-9": 40}), labels({"id-8": 41}, OTHER_LABELS)]
    engine.process([Announcement("fraud", ALL), predictions([0.2, 30]), *said, tick(PREDICTIONS, 2)])
    assert outcomes(engine, "matured") == [(0, 1)]
    assert outcomes(engine, "amended") == [(1, 0)]
    assert stats(engine).labels["correction"] == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_row_that_is_late_finds_closed_what_it_would_have_found_alone(together):
    """Its own clock is in time, but the order has gone past it: rule Q7."""
    engine = Engine(config(), {})
    first: list[Message] = [
        Announcement("fraud", ALL),
        predictions([0.2, 30]),
        tick(OTHER_LABELS, 0),
        labels({"id-9": 40}),
        tick(LABELS, 1),
    ]
    late: list[Message] = [tick(PREDICTIONS, 2), labels({"id-0": 5}, OTHER_LABELS)]
    if together:
        engine.process([*first, *late])
    else:
        engine.process(first)
        engine.process(late)
    assert stats(engine).late == 1
    assert outcomes(engine, "matured") == [(0, 1)]


def test_labels_of_a_model_without_a_task_are_counted_and_not_joined():
    engine = Engine(config(task="none", missing_label="unlabelled"), {})
    engine.process([Announcement("fraud", ALL), labels({"id-0": 1}), *(tick(source, 1) for source in ALL)])
    assert stats(engine).rows["labels"] == 1
    assert stats(engine).label_delays is None


@pytest.mark.parametrize("size", [700, 2000])
def test_a_positive_class_that_no_record_names_is_told(size):
    engine = Engine(config(missing_label="unlabelled"), {})
    engine.process([Announcement("fraud", ALL), *(tick(source, 0) for source in ALL)])
    alerts = []
    for first in range(0, 2000, size):
        stamps = START + 1000 * np.arange(first, min(first + size, 2000))
        said = [("UP", "DOWN")[i % 2] for i in range(len(stamps))]
        block = block_of(LABELS, {}, stamps=stamps, role="labels", categories={"label": said}, first_offset=first)
        alerts += engine.process([block, tick(LABELS, first + len(stamps)), *(tick(source, 0) for source in (PREDICTIONS, OTHER_LABELS))])
    (alert,) = [alert for alert in alerts if alert.data.subject == "label_classes"]
    assert (alert.data.kind, alert.data.position.offset) == ("label_quality", 999)
    assert "50 % of 1000 labels name neither the positive class '1', which was never named, nor 'UP'" in alert.data.summary
    assert "50 % of 2000 labels" in (stats(engine).label_remark or "")


def test_predictions_without_any_label_are_given_up_and_both_is_told():
    engine = Engine(config().model_copy(update={"engine": config().engine.model_copy(update={"max_pending": 500})}), {})
    alerts = engine.process(
        [
            Announcement("fraud", ALL),
            predictions(list(np.arange(2000) / 60)),
            tick(PREDICTIONS, 2000),
            tick(LABELS, 0),
            tick(OTHER_LABELS, 0),
        ]
    )
    assert [alert.data.subject for alert in alerts if alert.data.kind == "label_quality"] == ["label_evictions"]
    assert stats(engine).label_remark == "no label has come for any of 2000 predictions: nothing is known of how good the model is"


def test_what_was_wrong_with_labels_is_closed_when_labels_are_configured_no_longer():
    engine = Engine(config(), {})
    ghosts = labels({f"ghost-{i}": 1 + i / 100 for i in range(3000)})
    alerts = engine.process([Announcement("fraud", ALL), predictions([0.2, 3000]), ghosts, *(tick(source, 3000) for source in ALL)])
    alerts += engine.process([labels({f"more-{i}": 2900 + i / 100 for i in range(2000)}, first=3000), tick(LABELS, 5000)])
    assert [(a.data.subject, a.data.state) for a in alerts if a.data.kind == "label_quality"] == [("label_unmatched", "firing")]
    plain = {"name": "fraud", "task": "binary", "sources": {"predictions": {"topic": "p", "fields": {"id": "id", "prediction": "y"}}}}
    again = Engine(Config.model_validate({"version": 1, "models": [plain]}), {}, state=engine.snapshot())
    said = again.process([predictions([4000], first=3000), tick(LABELS, 5000), tick(OTHER_LABELS, 3000), tick(PREDICTIONS, 3001)])
    assert ("label_unmatched", "resolved") in [(a.data.subject, a.data.state) for a in said]
