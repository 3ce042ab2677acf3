"""The heart: however the logs are cut, interleaved, redelivered and interrupted, the alerts are the same, ids included."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.config import Config
from schemas.events import Source
from tests.worlds import START, World, block_of, by_stream, run

ROWS = 6000


@functools.cache
def world(detectors: str) -> World:
    """Two topics of two partitions each; a mean shift, a category shift and missing values begin half way; predictions shift too."""
    rng = np.random.default_rng(7)
    listed = {"default": None, "all decide": ["esr", "psi", "adwin", "page_hinkley"]}[detectors]
    config = Config.model_validate(
        {
            "version": 1,
            "engine": {"grace": "1s"},
            "alerts": {"cooldown": "60s"},
            "models": [
                {
                    "name": "fraud",
                    "false_alarms_per_week": 200,
                    "references": {"default": {"learn": 1500}},
                    "segments": ["region"],
                    "monitors": [{"subjects": ["*"], **({} if listed is None else {"detectors": listed})}],
                    "sources": {
                        "features": {"topic": "f", "fields": {"id": "id", "features": "x"}},
                        "predictions": {"topic": "p", "fields": {"id": "id", "prediction": "y", "score": "s"}},
                    },
                }
            ],
        }
    )
    n = ROWS
    drifted = (np.arange(n) > n // 2) & (np.arange(n) < n * 5 // 6)
    numbers = {
        "amount": rng.normal(size=n) + 1.2 * drifted,
        "quiet": rng.normal(size=n),
        "holes": np.where(drifted & (rng.random(n) < 0.3), np.nan, rng.lognormal(size=n)),
    }
    country = np.where(rng.random(n) < np.where(drifted, 0.6, 0.2), "DE", "FR").tolist()
    region = rng.choice(["north", "south"], n).tolist()
    stamps = START + np.arange(n) * 1000
    score = rng.normal(size=n) + 0.8 * drifted
    label = np.where(score > 0, "yes", "no").tolist()
    logs = []
    for p in (0, 1):
        mine = np.flatnonzero(np.arange(n) % 2 == p)
        logs.append(
            block_of(
                Source("f", p),
                {k: v[mine] for k, v in numbers.items()},
                stamps=stamps[mine],
                categories={"country": [country[i] for i in mine]},
                segments=[[region[i] for i in mine]],
                first_offset=10,
            )
        )
        logs.append(
            block_of(
                Source("p", p),
                {"score": score[mine]},
                stamps=stamps[mine],
                role="predictions",
                categories={"prediction": [label[i] for i in mine]},
                segments=[[None] * len(mine)],
            )
        )
    return World(config, {}, tuple(logs))


@functools.cache
def expected(detectors: str) -> dict[str, list[bytes]]:
    w = world(detectors)
    return by_stream(run(w, w.whole()))


rows = st.integers(0, ROWS)
any_cuts = st.lists(st.lists(rows, max_size=12), min_size=4, max_size=4)


@pytest.mark.parametrize("detectors", ["default", "all decide"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    cuts=any_cuts,
    picks=st.lists(st.integers(0, 3), max_size=60),
    repeat=st.lists(rows, max_size=6),
    batches=st.lists(rows, max_size=8),
    stops=st.lists(rows, max_size=3),
)
def test_cut_mixed_repeated_and_restored_the_alerts_are_the_same(detectors, cuts, picks, repeat, batches, stops):
    w = world(detectors)
    messages = w.mixed(cuts, picks, repeat=repeat)
    assert by_stream(run(w, messages, batches=batches, restore_at=stops)) == expected(detectors)


@pytest.mark.parametrize("rows_each", [1, 7, 61])
def test_many_small_blocks_one_at_a_time(rows_each):
    w = world("default")
    cuts = [list(range(0, 3000, rows_each)) for _ in w.logs]
    messages = w.mixed(cuts, picks=range(10_000))
    assert by_stream(run(w, messages, batches=range(len(messages)) if rows_each > 1 else range(0, len(messages), 3))) == expected("default")


def test_the_world_has_something_to_say():
    streams = expected("default")
    assert {
        "fraud/1/all/amount",
        "fraud/1/all/country",
        "fraud/1/all/holes",
        "fraud/1/all/score",
        "fraud/1/region=north/amount",
    } <= streams.keys()
    assert "fraud/1/all/quiet" not in streams
    states = [line.split(b'"state":"')[1].split(b'"')[0] for line in streams["fraud/1/all/amount"]]
    assert states[0] == b"firing"
    assert states[-1] == b"resolved"
