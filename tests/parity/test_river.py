"""ADWIN and Page-Hinkley alarm where river does: same streams, same parameters, same indices.

River takes a value at a time; ours take batches of any size, with the state saved and restored in between, and skip missing values.
``DRIFTSONDE_PARITY_SEEDS=20 pytest tests/parity/test_river.py`` compares twenty times as many streams.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift

from detectors import DetectorConfig, Finding, FloatArray
from detectors.adwin import Adwin
from detectors.page_hinkley import PageHinkley
from detectors.testing import STANDARD_NORMAL
from schemas.snapshot import pack, unpack

SEEDS = range(int(os.environ.get("DRIFTSONDE_PARITY_SEEDS", "1")))
N = 6000

#: Ours at these parameters is river's with the same ones.
PARAMETERS: list[tuple[type[DetectorConfig], type, dict[str, Any]]] = [
    (Adwin, drift.ADWIN, {"delta": 0.002}),
    (Adwin, drift.ADWIN, {"delta": 0.5, "clock": 16, "grace_period": 50}),
    (Adwin, drift.ADWIN, {"delta": 0.05, "clock": 1, "max_buckets": 3, "min_window_length": 1, "grace_period": 0}),
    (Adwin, drift.ADWIN, {"delta": 0.9, "clock": 7, "max_buckets": 8, "min_window_length": 30}),
    (Adwin, drift.ADWIN, {"delta": 0.3, "clock": 3, "max_buckets": 2}),
    (Adwin, drift.ADWIN, {"delta": 0.1, "clock": 256, "max_buckets": 4, "min_window_length": 3}),
    (PageHinkley, drift.PageHinkley, {"delta": 0.005, "threshold": 50.0, "alpha": 0.9999}),
    (PageHinkley, drift.PageHinkley, {"delta": 0.25, "threshold": 10.1, "alpha": 1.0}),
    (PageHinkley, drift.PageHinkley, {"delta": 0.05, "threshold": 20.1, "alpha": 0.999, "mode": "up"}),
    (PageHinkley, drift.PageHinkley, {"delta": 0.005, "threshold": 50.1, "alpha": 0.99, "mode": "down", "min_instances": 100}),
    (PageHinkley, drift.PageHinkley, {"delta": 0.0, "threshold": 20.1, "alpha": 1.0, "min_instances": 1}),
]


def streams(seed: int) -> dict[str, FloatArray]:
    rng = np.random.default_rng(seed)
    noise, at = rng.normal(size=N), np.arange(N)
    return {
        "stationary": rng.normal(size=N),
        "steps": noise + (at // 1500 % 2) * 1.5,
        "ramp": noise + at / N * 3,
        "constant": np.full(N, 3.3),
        "constant that jumps": np.where(at < N // 2, 0.1, 0.9),
        "cauchy": rng.standard_cauchy(N),
        "lognormal": rng.lognormal(0, 1.5, N),
        "discrete": rng.integers(0, 5, N) + (at > N // 2).astype(float),
        "binary": (rng.random(N) < 0.3).astype(float),
        "binary steps": (rng.random(N) < np.where(at // 2000 % 2, 0.5, 0.1)).astype(float),
        "autocorrelated": np.convolve(rng.normal(size=N + 49), 0.95 ** np.arange(50), "valid"),
        "huge offset": noise + 1e7 + (at > N // 3) * 0.5,
        "big scale": rng.normal(size=N) * 50,
        "small scale": rng.normal(size=N) * 1e-3,
    }


def river_alarms(make: Callable[[], Any], values: FloatArray) -> list[int]:
    detector, alarms = make(), []
    for i in np.flatnonzero(~np.isnan(values)).tolist():
        detector.update(values[i])
        if detector.drift_detected:
            alarms.append(i)
    return alarms


@cache
def expected(which: int, seed: int, gaps: bool) -> tuple[FloatArray, list[list[int]]]:
    _, theirs, parameters = PARAMETERS[which]
    values = np.stack(list(streams(seed).values()))
    if gaps:
        rng = np.random.default_rng(seed)
        values[rng.random(values.shape) < 0.07] = np.nan
        values[1, 1000:2500] = np.nan
        values[2, :100] = np.nan
    return values, [river_alarms(lambda: theirs(**parameters), row) for row in values]


def batches(n: int, typical: int, rng: np.random.Generator) -> Iterator[slice]:
    start = 0
    while start < n:
        stop = min(n, start + (1 if typical == 1 else int(rng.integers(typical // 2, 2 * typical))))
        yield slice(start, stop)
        start = stop


def run(config: DetectorConfig, values: FloatArray, typical: int) -> list[Finding]:
    """Findings of the batch form, in batches about this long, saved and restored now and then."""
    profiles, rng = [STANDARD_NORMAL] * len(values), np.random.default_rng(typical)
    bank, findings = config.build(profiles, arl0=1e6), []
    for batch in batches(values.shape[1], typical, rng):
        findings += bank.update(values[:, batch])
        if rng.random() < 0.03:
            bank = config.build(profiles, arl0=1e6, state=unpack(pack(dict(bank.state()), header={}))[1])
    return findings


def alarms(findings: list[Finding], row: int) -> list[int]:
    """Findings at a milestone are no alarms: see `detectors.episodes`."""
    return [f.index for f in findings if f.row == row and f.threshold not in (0.1, 0.25)]


@pytest.mark.parametrize("gaps", [False, True], ids=["complete", "with gaps"])
@pytest.mark.parametrize("which", range(len(PARAMETERS)), ids=lambda i: f"{PARAMETERS[i][0].kind} {list(PARAMETERS[i][2].values())}")
@pytest.mark.parametrize("seed", SEEDS)
def test_alarms_are_rivers(which: int, seed: int, gaps: bool) -> None:
    ours, _, parameters = PARAMETERS[which]
    values, theirs = expected(which, seed, gaps)
    assert any(theirs), "no stream proves anything when river finds nothing"
    config = ours(**parameters)
    whole = run(config, values, 2 * N)
    for name, row, river in zip(streams(seed), range(len(values)), theirs, strict=True):
        assert alarms(whole, row) == river, name
    assert run(config, values, 300) == whole
    assert run(config, values, 20) == whole
    head = N // 5
    assert run(config, values[:, :head], 1) == [f for f in whole if f.index < head]


@pytest.mark.parametrize("which", [0, 5, 7], ids=["adwin", "adwin, long clock", "page_hinkley"])
def test_alarms_are_rivers_in_long_windows(which: int) -> None:
    ours, theirs, parameters = PARAMETERS[which]
    rng = np.random.default_rng(99)
    values = rng.normal(size=(2, 250_000)) / 8
    values[0, 200_000:] += 0.02
    values[1, 120_000:120_400] += 0.3
    found = run(ours(**parameters), values, 1500)
    for row in range(2):
        assert alarms(found, row) == river_alarms(lambda: theirs(**parameters), values[row])


@settings(max_examples=60, deadline=None)
@given(
    which=st.integers(0, len(PARAMETERS) - 1),
    levels=st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 7.0, -40.0, 1e6]), st.integers(1, 120)), min_size=1, max_size=5),
    spread=st.sampled_from([0.0, 0.1, 1.0]),
    missing=st.sampled_from([0.0, 0.3]),
    seed=st.integers(0, 1000),
    typical=st.sampled_from([2, 10, 64, 500]),
)
def test_alarms_are_rivers_on_short_streams(
    which: int, levels: list[tuple[float, int]], spread: float, missing: float, seed: int, typical: int
) -> None:
    ours, theirs, parameters = PARAMETERS[which]
    rng = np.random.default_rng(seed)
    values = np.concatenate([np.full(n, level) for level, n in levels])
    values = values + spread * rng.normal(size=values.shape)
    values[rng.random(values.shape) < missing] = np.nan
    found = run(ours(**parameters), values[None, :], typical)
    assert alarms(found, 0) == river_alarms(lambda: theirs(**parameters), values)
