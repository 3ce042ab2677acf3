"""Labels too: however the logs are cut, interleaved, redelivered and interrupted, verdicts and figures are the same."""

from __future__ import annotations

import functools
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.config import Config
from schemas.events import Block, Fault, Faults, Message, Source
from schemas.snapshot import pack, unpack
from streams.engine import Engine
from streams.engine.stats import ModelStats
from tests.worlds import START, World, block_of, by_stream, run

ROWS = 6000
RNG_SEED = 11


@functools.cache
def world(missing: str) -> World:
    """Predictions and labels in two partitions each; labels late, corrected, withdrawn, leaked, unknown; the concept flips half way."""
    rng = np.random.default_rng(RNG_SEED)
    labels = {
        "topic": "l",
        "fields": {"id": "id", "time": "t", "label": "y", "source": "by", "revision": "rev"},
        "horizon": "15m",
        "ages": ["3m", "8m"],
        "cohort": "1m",
        "grace": "2m",
        "corrections": "5m",
        "learn": 1000,
        "missing_label": missing,
    }
    config = Config.model_validate(
        {
            "version": 1,
            "alerts": {"cooldown": "60s"},
            "models": [
                {
                    "name": "fraud",
                    "task": "binary",
                    "positive": "yes",
                    "false_alarms_per_week": 500,
                    "references": {"default": {"learn": 2000}},
                    "segments": ["region"],
                    "sources": {"predictions": {"topic": "p", "fields": {"id": "id", "prediction": "y", "score": "s"}}, "labels": labels},
                }
            ],
        }
    )
    n = ROWS
    actual = rng.random(n) < 0.3
    wrong = rng.random(n) < np.where(np.arange(n) < n // 2, 0.1, 0.45)
    predicted = actual ^ wrong
    score = np.clip(np.where(predicted, 0.7, 0.3) + rng.normal(0, 0.1, n), 0, 1)
    region = rng.choice(["north", "south"], n).tolist()
    stamps = START + np.arange(n) * 1000
    predictions = []
    for p in (0, 1):
        mine = np.flatnonzero(np.arange(n) % 2 == p)
        block = block_of(
            Source("p", p),
            {"score": score[mine]},
            stamps=stamps[mine],
            role="predictions",
            categories={"prediction": ["yes" if predicted[i] else "no" for i in mine]},
            segments=[[region[i] for i in mine]],
        )
        predictions.append(replace(block, ids=tuple(f"id-{i}" for i in mine)))
    return World(config, {}, (*predictions, *_labels(rng, actual, stamps)))


def _labels(rng: np.random.Generator, actual: np.ndarray, stamps: np.ndarray) -> list[Block]:
    n = len(actual)
    told = np.flatnonzero(rng.random(n) < 0.85)
    delay = rng.lognormal(np.log(120_000), 0.8, len(told)).astype(int)
    rows = [
        (int(stamps[i] + d), f"id-{i}", int(stamps[i] + d // 2), "yes" if actual[i] else "no") for i, d in zip(told, delay, strict=True)
    ]
    for arrived, name, time, label in list(rows):
        match rng.random():
            case x if x < 0.03:
                rows.append((arrived + int(rng.integers(1, 400_000)), name, time, "no" if label == "yes" else "yes"))  # a correction
            case x if x < 0.05:
                rows.append((arrived + int(rng.integers(1, 400_000)), name, time, ""))  # a withdrawal
            case x if x < 0.08:
                rows.append((arrived + 5000, name, time, label))  # twice
            case x if x < 0.09:
                rows.append((arrived + 1000, f"ghost-{name}", time, label))
            case x if x < 0.10:
                rows.append((arrived + 2000, name, time - 10_000_000, label))  # older than its prediction
    rows.sort()
    blocks = []
    for p in (0, 1):
        mine = [row for i, row in enumerate(rows) if i % 2 == p]
        empty = np.array([i for i, row in enumerate(mine) if row[3] == ""], np.int32)
        block = block_of(
            Source("l", p),
            {"label revision": np.where(rng.random(len(mine)) < 0.5, rng.integers(0, 4, len(mine)).astype(float), np.nan)},
            stamps=np.array([row[0] for row in mine]),
            role="labels",
            categories={
                "label": [row[3] or None for row in mine],
                "label source": ["review" if rng.random() < 0.2 else None for _ in mine],
            },
            segments=[[None] * len(mine)],
        )
        nulls = Faults(("label",), np.zeros(len(empty), np.int32), empty, np.full(len(empty), Fault.NULL, np.uint8))
        blocks.append(replace(block, ids=tuple(r[1] for r in mine), times=np.array([r[2] for r in mine], np.int64), faults=nulls))
    return blocks


@functools.cache
def expected(missing: str) -> dict[str, list[bytes]]:
    w = world(missing)
    return by_stream(run(w, w.whole()))


@functools.cache
def expected_figures(missing: str) -> tuple[object, ...]:
    w = world(missing)
    return _figures(w, w.whole(), [])


def _figures(w: World, messages: list[Message], batches: list[int]) -> tuple[object, ...]:
    engine = Engine(w.config, w.references)
    edges = sorted({0, len(messages), *(b % (len(messages) + 1) for b in batches)})
    for a, b in pairwise(edges):
        _, state = unpack(pack(engine.snapshot(), header={}))
        engine = Engine(w.config, w.references, state=state)
        engine.process(messages[a:b])
    (stats,) = engine.stats().models
    return _known(stats)


def _known(stats: ModelStats) -> tuple[object, ...]:
    rows = [(r.series, r.version, r.segment, r.start_ms, r.end_ms, pack(r.tally.state(), header={})) for r in stats.performance]
    return stats.labels, stats.pending, stats.orphans, stats.coverage, rows, stats.model_metrics, stats.worst, stats.label_delays


rows = st.integers(0, ROWS)
any_cuts = st.lists(st.lists(rows, max_size=8), min_size=4, max_size=4)
mixes = {
    "cuts": any_cuts,
    "picks": st.lists(st.integers(0, 3), max_size=60),
    "repeat": st.lists(rows, max_size=6),
    "batches": st.lists(rows, max_size=6),
    "stops": st.lists(rows, max_size=3),
}


@pytest.mark.parametrize("missing", ["negative", "unlabelled"])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(**mixes)
def test_cut_mixed_repeated_and_restored_the_verdicts_are_the_same(missing, cuts, picks, repeat, batches, stops):
    w = world(missing)
    messages = w.mixed(cuts, picks, repeat=repeat)
    assert by_stream(run(w, messages, batches=batches, restore_at=stops)) == expected(missing)


@pytest.mark.parametrize("missing", ["negative", "unlabelled"])
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cuts=any_cuts, picks=mixes["picks"], batches=mixes["batches"])
def test_cut_mixed_and_restored_the_figures_are_the_same(missing, cuts, picks, batches):
    w = world(missing)
    assert _figures(w, w.mixed(cuts, picks), batches) == expected_figures(missing)


def test_many_small_blocks_one_at_a_time():
    w = world("unlabelled")
    cuts = [list(range(0, ROWS, 37)) for _ in w.logs]
    messages = w.mixed(cuts, picks=range(10_000))
    assert by_stream(run(w, messages, batches=range(len(messages)))) == expected("unlabelled")


@pytest.mark.parametrize("missing", ["negative", "unlabelled"])
def test_the_world_has_something_to_say(missing):
    streams = expected(missing)
    assert "fraud/1/all/loss" in streams
    first = streams["fraud/1/all/loss"][0]
    assert b'"kind":"concept_drift"' in first
    counts = expected_figures(missing)[0]
    for name in ("joined", "correction", "retraction", "dup_label", "unmatched_label", "leakage_suspect", "stale_revision"):
        assert counts[name] > 0, name
