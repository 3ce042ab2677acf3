"""What is told of a stretch of rows does not depend on how many of them came at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from schemas.config import Config
from schemas.events import Announcement, Block, End, Message, Role, Source
from streams.engine import Engine
from streams.engine.roster import MOST_VERSIONS
from streams.engine.stats import ModelStats
from tests.worlds import START, block_of, coded

MINUTE = 60_000
SOURCES: dict[Role, Source] = {"predictions": Source("p", 0), "labels": Source("l", 0)}


def config(task: str = "binary", **given: str) -> Config:
    labels = {"topic": "l", "fields": {"id": "id", "label": "y"}, "horizon": "10m", "ages": [], "cohort": "1m", "grace": "1m"}
    predictions = {"topic": "p", "fields": {"id": "id", "prediction": "y"}}
    sources = {"predictions": predictions, "labels": {**labels, "corrections": "5m", "min_rows": 1, **given}}
    return Config.model_validate({"version": 1, "models": [{"name": "fraud", "task": task, "sources": sources}]})


def rows(role: Role, said: list[tuple[float, str, str]], first: int = 0) -> Block:
    """Rows of (minute, id, class)."""
    minutes, ids, classes = zip(*said, strict=True)
    stamps = START + np.array([int(m * MINUTE) for m in minutes])
    column = {"predictions": "prediction", "labels": "label"}[role]
    block = block_of(SOURCES[role], {}, stamps=stamps, role=role, categories={column: list(classes)}, first_offset=first)
    return replace(block, ids=ids)


def all_at_once_and_one_by_one(config: Config, messages: list[Message]) -> list[ModelStats]:
    begin: list[Message] = [Announcement("fraud", tuple(SOURCES.values()))]
    ends: list[Message] = [End("fraud", source) for source in SOURCES.values()]
    together, apart = Engine(config, {}), Engine(config, {})
    together.process([*begin, *messages, *ends])
    for message in [*begin, *messages, *ends]:
        apart.process([message])
    return [engine.stats().models[0] for engine in (together, apart)]


def numbers(role: Role, values: list[float]) -> Block:
    """A number every 100 ms, of as many ids."""
    column = {"predictions": "prediction", "labels": "label"}[role]
    block = block_of(SOURCES[role], {column: np.array(values)}, stamps=START + 100 * np.arange(len(values)), role=role)
    return replace(block, ids=tuple(map(str, range(len(values)))))


def test_an_error_too_large_for_a_float_is_a_large_error_not_a_missing_one():
    engine = Engine(config("regression"), {})
    n, largest = 13_000, 1.7e308
    begin = Announcement("fraud", tuple(SOURCES.values()))
    late = replace(
        rows("labels", [(60, "other", "1")], n), number_names=("label",), numbers=np.ones((1, 1)), category_names=(), categories=()
    )
    last = replace(rows("predictions", [(60, "other", "1")], n), category_names=(), categories=())
    said = [numbers("predictions", [0.5] * 8000 + [largest] * (n - 8000)), numbers("labels", [0.0, 1.0] * 4000 + [-largest] * (n - 8000))]
    alerts = engine.process([begin, *said, late, last, *(End("fraud", source) for source in SOURCES.values())])
    (drift,) = [a.data for a in alerts if a.data.kind == "concept_drift" and a.data.state == "firing"]
    assert drift.summary.startswith("loss: mean loss 0.5 → 1.8e+308"), drift.summary


def test_an_id_may_be_used_again_once_its_prediction_is_forgotten():
    predictions = [rows("predictions", [(m, "id", "1")], i) for i, m in enumerate([0, 5, 30, 31])]
    labels = [rows("labels", [(m, "other", "1")], i) for i, m in enumerate([1, 25, 32])]
    messages = sorted([*predictions, *labels], key=lambda block: int(block.stamps[0]))
    for stats in all_at_once_and_one_by_one(config(), messages):
        assert {name: stats.labels[name] for name in ("predictions", "id_conflict")} == {"predictions": 2, "id_conflict": 2}


def test_a_class_has_its_code_by_its_row_and_not_by_its_block():
    """The second class of a binary model is the one that is named first, although a block that came before names another later."""
    predictions = rows("predictions", [(0, "a", "1"), (20, "b", "maybe")])
    labels = [rows("labels", [(m, "a", said)], i) for i, (m, said) in enumerate([(5, "1"), (10, "no"), (30, "no")])]
    for stats in all_at_once_and_one_by_one(config(), [predictions, *labels]):
        assert stats.labels["unexpected_class"] == 1


def test_of_cohorts_that_close_at_one_row_the_newest_says_whether_there_are_enough_labels():
    for labelled, active in ((0, {"coverage_low"}), (2, set[str]())):
        minutes = sorted((0.1, 2.1) * 10)
        predictions = rows("predictions", [(m, str(i), "1") for i, m in enumerate(minutes)])
        said = [(m + 1, str(i), "1") for i, m in enumerate(minutes) if int(m) == labelled]
        messages: list[Message] = [
            predictions,
            rows("labels", said),
            rows("labels", [(60, "x", "1")], 10),
            rows("predictions", [(60, "x", "1")], 20),
        ]
        for stats in all_at_once_and_one_by_one(config(), messages):
            assert {alert.subject for alert in stats.active if alert.kind == "label_quality"} == active


def test_labels_of_a_version_that_gave_up_its_place_bring_no_watch_of_it_back():
    day = 24 * 60
    versions = [*(str(i) for i in range(MOST_VERSIONS)), "new"]
    minutes = [*(float(i) for i in range(MOST_VERSIONS)), 8.0 * day]
    made = replace(rows("predictions", [(m, f"id-{v}", "1") for m, v in zip(minutes, versions, strict=True)]), versions=coded(versions))
    labels = [rows("labels", [(m, "id-0", "1")], i) for i, m in enumerate([1, 8 * day + 1, 25 * day])]
    last = replace(rows("predictions", [(25 * day, "x", "1")], 99), versions=coded(["new"]))
    begin: list[Message] = [Announcement("fraud", tuple(SOURCES.values())), made, *labels, last]
    ends: list[Message] = [End("fraud", source) for source in SOURCES.values()]
    for together in (True, False):
        engine = Engine(config(horizon="20d", cohort="1d"), {})
        for messages in [[*begin, *ends]] if together else [[m] for m in [*begin, *ends]]:
            engine.process(messages)
        judged = engine.snapshot()["models"]["fraud"]["outcomes"]["verdicts"]["watches"]
        assert {version for version, *_ in judged} == {*versions[1:-1]}
