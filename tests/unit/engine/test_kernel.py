"""What the engine as a whole promises about references, segments, faults, gaps and changed configurations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from schemas.config import Config
from schemas.errors import FormatError
from schemas.events import Announcement, Block, Fault, Faults, Source
from streams.engine import Engine
from tests.worlds import START, block_of, told

F0 = Source("f", 0)


def config(**model) -> Config:
    features = {"topic": "f", "fields": {"id": "id", "features": "x"}}
    base = {"name": "fraud", "sources": {"features": features}, "references": {"default": {"learn": 500}}, "false_alarms_per_week": 100}
    return Config.model_validate({"version": 1, "models": [{**base, **model}]})


def rows(n: int, *, first: int = 0, shift: float = 0.0, seed: int = 1, version: str = "1", **columns) -> Block:
    rng = np.random.default_rng([seed, first])
    stamps = START + 1000 * np.arange(first, first + n)
    return block_of(F0, {"x": rng.normal(size=n) + shift}, stamps=stamps, first_offset=first, version=version, **columns)


def engine_with(cfg: Config, *blocks: Block) -> tuple[Engine, list[str]]:
    engine = Engine(cfg, {})
    alerts = engine.process([Announcement("fraud", (F0,)), *blocks])
    return engine, told(alerts)


def test_a_reference_is_learnt_announced_and_then_watched():
    engine, said = engine_with(config(), rows(499))
    assert said == ["firing monitoring info fraud/1/all/reference of features #1 @0"]
    assert engine.stats().models[0].subjects == 0
    assert told(engine.process([rows(1, first=499)])) == ["resolved monitoring info fraud/1/all/reference of features #2 @499"]
    assert engine.stats().models[0].subjects == 1
    assert engine.stats().models[0].references == {"1": (500, START + 499_000)}
    assert told(engine.process([rows(300, first=500, shift=3.0)]))[0].startswith("firing feature_drift warning fraud/1/all/x #1 @5")


def test_a_version_that_may_not_be_learnt_is_not_watched_and_says_so():
    cfg = config(references={"1": {"learn": 500}})
    engine, said = engine_with(cfg, rows(800, version="2"))
    assert said == ["firing monitoring warning fraud/2/all/reference of features #1 @0"]
    assert engine.stats().models[0].unmonitored == {"no_reference": 800}


def test_versions_are_watched_apart():
    versions = ["1" if i % 2 else "2" for i in range(2000)]
    blocks = replace(rows(2000), versions=block_of(F0, {}, stamps=np.arange(2000), version=versions).versions)
    engine, said = engine_with(config(), blocks)
    assert [line for line in said if "resolved" in line] == [
        "resolved monitoring info fraud/2/all/reference of features #2 @998",
        "resolved monitoring info fraud/1/all/reference of features #2 @999",
    ]
    assert engine.stats().models[0].subjects == 2


def test_segments_beyond_the_cap_are_counted_and_still_watched_in_all():
    cfg = config(segments=["country"], max_segments=2)
    countries = [["de", "fr", "us", "it"][i % 4] for i in range(1200)]
    engine, _ = engine_with(cfg, rows(1200, segments=[countries]))
    model = engine.stats().models[0]
    assert model.unmonitored["segment_cap"] == 600
    assert model.unmonitored["learning"] == 500 + 300 + 300


def test_a_drift_in_one_segment_is_found_there():
    cfg = config(segments=["country"])
    n = 6000
    countries = np.array(["de", "fr"])[np.arange(n) % 2]
    block = rows(n, segments=[countries.tolist()])
    x = block.numbers.copy()
    x[0, (countries == "de") & (np.arange(n) > 4000)] += 2.0
    _, said = engine_with(cfg, replace(block, numbers=x))
    fired = [line for line in said if "feature_drift" in line and line.startswith("firing")]
    assert any("country=de/x" in line for line in fired)
    assert not any("country=fr/x" in line for line in fired)


def test_faults_and_wrong_types_are_counted_by_subject():
    reasons = np.array([Fault.NULL, Fault.NULL, Fault.NOT_FINITE], np.uint8)
    faults = Faults(("x", "y"), np.array([0, 0, 1], np.int32), np.array([3, 4, 5], np.int32), reasons)
    engine, _ = engine_with(config(), rows(600), replace(rows(10, first=600), faults=faults))
    engine.process([rows(5, first=610, categories={"x": ["a", None, "b", None, "c"]})])
    assert engine.stats().models[0].faults == {("x", "null"): 2, ("y", "not_finite"): 1, ("x", "wrong_type"): 3}


def test_a_subject_that_a_whole_block_lacks_is_counted_as_absent_in_each_row():
    engine, _ = engine_with(config(), rows(600))
    bare = rows(20, first=600)
    engine.process([replace(bare, number_names=("other",))])
    assert engine.stats().models[0].faults == {("x", "absent"): 20}


def test_rare_values_of_a_category_are_no_drift():
    rng = np.random.default_rng(5)
    names = [f"shop{i}" if rng.random() < 0.3 else "web" for i in rng.integers(0, 100_000, 12_000)]  # each shop is seen once or never
    _, said = engine_with(
        config(references={"default": {"learn": 4000}}, false_alarms_per_week=1), rows(12_000, categories={"shop": names})
    )
    assert not [line for line in said if "/shop" in line]


def test_a_gap_is_a_monitoring_event_at_the_first_row_after_it_and_ends_by_itself():
    engine, _ = engine_with(config(), rows(600))
    said = told(engine.process([rows(5, first=700)]))
    assert said == ["firing monitoring warning fraud/feed/all/gap f%2F0 #1 @700"]
    assert engine.stats().models[0].gaps == 1
    assert told(engine.process([rows(700, first=705)]))[0].startswith("resolved monitoring warning fraud/feed/all/gap f%2F0 #2 @1300")


def test_what_no_monitor_names_is_not_watched():
    engine, _ = engine_with(
        config(monitors=[{"subjects": ["*"]}, {"subjects": ["x"], "detectors": []}]), rows(600), rows(900, first=600, shift=9)
    )
    assert engine.stats().models[0].subjects == 0


def test_a_changed_configuration_keeps_numbers_closes_episodes_and_begins_anew():
    engine, said = engine_with(config(), rows(600), rows(400, first=600, shift=3.0))
    assert any(line.startswith("firing feature_drift warning fraud/1/all/x #1") for line in said)
    changed = Engine(config(false_alarms_per_week=50), {}, state=engine.snapshot())
    assert told(changed.process([rows(10, first=990)])) == []  # all seen before: nothing new, nothing said
    assert told(changed.process([rows(10, first=1000)])) == [
        "resolved feature_drift warning fraud/1/all/x #2 @1000",
        "firing monitoring info fraud/feed/all/state #1 @1000",
        "firing monitoring info fraud/1/all/reference of features #3 @1000",
    ]
    assert changed.stats().models[0].duplicates == 10


def test_a_state_of_another_release_is_refused_or_its_detectors_begin_anew():
    engine, _ = engine_with(config(), rows(600))
    with pytest.raises(FormatError, match="an engine state of format 99; this version of driftsonde reads format 2"):
        Engine(config(), {}, state={**engine.snapshot(), "format": 99})
    state = engine.snapshot()
    state["models"]["fraud"]["identity"][0] = "monitors 0"
    del state["models"]["fraud"]["monitors"]  # of whatever shape it was
    said = told(Engine(config(), {}, state=state).process([rows(10, first=600)]))
    assert "firing monitoring info fraud/feed/all/state #1 @600" in said


def test_models_do_not_touch_each_other():
    other = config().models[0].model_copy(update={"name": "other"})
    cfg = config()
    both = cfg.model_copy(update={"models": [*cfg.models, other]})
    mine = [Announcement("fraud", (F0,)), rows(600), rows(400, first=600, shift=3.0)]
    alone = told(Engine(cfg, {}).process(mine))
    beside = Engine(both, {}).process([m for pair in zip(mine, [replace(m, model="other") for m in mine], strict=True) for m in pair])
    assert told(a for a in beside if a.data.model == "fraud") == alone


def test_a_budget_next_to_nothing_is_a_very_quiet_model_and_no_error():
    engine, said = engine_with(config(false_alarms_per_week=1e-320), rows(600), rows(2000, first=600, shift=5.0))
    assert any(line.startswith("firing feature_drift") for line in said)
    assert all(np.isfinite(threshold) for _, threshold in engine.stats().models[0].scores.values())
