"""Versions that are watched: a bounded number, by rows and clocks alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from schemas.config import Config
from schemas.events import Announcement, Codes, Source
from streams.engine import Engine
from streams.engine.roster import MOST_VERSIONS, RETIRED_AFTER_MS, Mine, Refused, Retired, Roster
from tests.worlds import START, block_of, by_stream, coded, cut, told

DAY = 86_400_000
F0 = Source("f", 0)


def said(roster: Roster, versions: Codes, clocks: np.ndarray, first: int = 0) -> tuple[dict[str, list[int]], list[tuple[str, int]], int]:
    """Whose the rows are, who was retired where, and how many rows had no place."""
    rows: dict[str, list[int]] = {}
    retired, refused = [], 0
    for step in roster.take(versions, clocks):
        match step:
            case Mine(version, columns):
                rows.setdefault(version, []).extend(first + c for c in (range(len(clocks)) if columns is None else columns))
            case Retired(version, column):
                retired.append((version, first + column))
            case Refused(n, _):
                refused += n
    return rows, retired, refused


def test_versions_beyond_the_cap_are_refused_until_one_has_been_silent_for_a_week():
    names = [f"v{i}" for i in range(MOST_VERSIONS)]
    roster = Roster([])
    _, _, refused = said(roster, coded([*names, "late"]), np.arange(MOST_VERSIONS + 1))
    assert refused == 1
    rows, retired, refused = said(roster, coded([*names[1:], "late"]), np.full(MOST_VERSIONS, RETIRED_AFTER_MS))
    assert retired == [("v0", MOST_VERSIONS - 1)]
    assert rows["late"] == [MOST_VERSIONS - 1]
    assert refused == 0


def test_versions_that_the_configuration_names_always_have_a_place():
    roster = Roster(["mine"])
    _, _, refused = said(roster, coded([f"v{i}" for i in range(100)]), np.arange(100))
    assert refused == 100 - MOST_VERSIONS
    assert said(roster, coded(["mine"]), np.array([200])) == ({"mine": [0]}, [], 0)


@pytest.mark.parametrize("seed", range(5))
def test_batches_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    n = 3000
    names = [f"v{i}" for i in np.where(rng.random(n) < 0.5, rng.integers(0, 20, n), rng.integers(0, 400, n))]
    clocks = np.sort(rng.integers(0, 40 * DAY, n))
    rows, retired, refused = said(Roster(["v7"]), coded(names), clocks)
    assert len(retired) > 5
    assert refused > 100
    roster, pieces = Roster(["v7"]), []
    edges = [0, *sorted(rng.integers(0, n, 40).tolist()), n]
    for a, b in pairwise(edges):
        pieces.append(said(roster, coded(names[a:b]), clocks[a:b], a))
        roster = Roster(["v7"], roster.state())
    assert {v: [r for p in pieces for r in p[0].get(v, [])] for v in rows} == rows
    assert [x for p in pieces for x in p[1]] == retired
    assert sum(p[2] for p in pieces) == refused


def config() -> Config:
    features = {"topic": "f", "fields": {"id": "id", "features": "x"}}
    references = {"default": {"learn": 300}, "1": {"learn": 300}}
    model = {"name": "fraud", "sources": {"features": features}, "references": references, "false_alarms_per_week": 100}
    return Config.model_validate({"version": 1, "models": [model]})


def crowded(n: int = 4000) -> object:
    """Rows of version 1, and one in two with a version of its own; half way a week passes."""
    rng = np.random.default_rng(3)
    stamps = START + 1000 * np.arange(n) + np.where(np.arange(n) < n // 2, 0, 8 * DAY)
    versions = ["1" if i % 2 else f"build-{i}" for i in range(n)]
    shift = 3.0 * (np.arange(n) > n * 3 // 4)
    return block_of(F0, {"x": rng.normal(size=n) + shift}, stamps=stamps, version=versions)


def test_a_version_for_each_record_costs_a_bounded_number_of_detectors_and_alerts():
    engine = Engine(config(), {})
    alerts = told(engine.process([Announcement("fraud", (F0,)), crowded()]))
    stats = engine.stats().models[0]
    assert stats.unmonitored["version_cap"] == 2000 - 2 * MOST_VERSIONS
    assert len(engine.snapshot()["models"]["fraud"]["monitors"]["groups"]) == 1 + MOST_VERSIONS
    warned = [line for line in alerts if "/versions of features" in line and line.startswith("firing")]
    assert len(warned) == 2  # once, and once more when it still holds a day later
    assert any(line.startswith("firing feature_drift") and "fraud/1/all/x" in line for line in alerts)


def test_a_version_that_gave_up_its_place_leaves_nothing_open():
    engine = Engine(config(), {})
    engine.process([Announcement("fraud", (F0,)), crowded()])
    open_now = {(a.version, a.subject) for a in engine.stats().models[0].active if a.version.startswith("build-")}
    assert len(open_now) == MOST_VERSIONS  # still learning; the first ones were closed when they lost their place


@pytest.mark.parametrize("size", [1, 37, 1000])
def test_a_crowd_of_versions_in_batches_of_any_size_leads_to_the_same_alerts(size):
    block = crowded()
    expected = by_stream(Engine(config(), {}).process([Announcement("fraud", (F0,)), block]))
    engine, alerts = Engine(config(), {}), []
    engine.process([Announcement("fraud", (F0,))])
    for start in range(0, len(block), size):
        alerts += engine.process([cut(block, start, min(start + size, len(block)))])
    assert by_stream(alerts) == expected


def test_a_user_id_as_segment_is_counted_and_capped():
    model = config().models[0].model_copy(update={"segments": ["user"], "max_segments": 5})
    cfg = config().model_copy(update={"models": [model]})
    block = replace(crowded(), versions=coded(["1"] * 4000), segments=(coded([f"u{i}" for i in range(4000)]),))
    engine = Engine(cfg, {})
    engine.process([Announcement("fraud", (F0,)), block])
    assert engine.stats().models[0].unmonitored["segment_cap"] == 4000 - 5
