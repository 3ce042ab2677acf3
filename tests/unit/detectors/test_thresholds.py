"""Thresholds keep the budget: measured false alarms are about as far apart as was asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors import DetectorConfig
from detectors.adwin import Adwin
from detectors.page_hinkley import PageHinkley
from detectors.testing import STANDARD_NORMAL
from detectors.thresholds import adwin_delta, siegmund_threshold


def mean_time_between_alarms(config: DetectorConfig, *, arl0: float, values: int) -> float:
    rng, rows = np.random.default_rng(17), 100
    bank = config.build([STANDARD_NORMAL] * rows, arl0=arl0)
    alarms = 0
    for _ in range(0, values, rows * 2000):
        found = bank.update(rng.normal(size=(rows, 2000)))
        alarms += sum(finding.change == "change" for finding in found)
    return values / alarms


@pytest.mark.parametrize(
    "config", [PageHinkley(), PageHinkley(delta=0.1), PageHinkley(delta=0.5), PageHinkley(mode="down")], ids=["both", "0.1", "0.5", "down"]
)
def test_page_hinkley_keeps_its_budget(config: PageHinkley) -> None:
    assert 0.8 < mean_time_between_alarms(config, arl0=5000, values=2_000_000) / 5000 < 1.25  # some 400 alarms


def test_adwin_keeps_its_budget() -> None:
    assert 0.5 < mean_time_between_alarms(Adwin(), arl0=100_000, values=8_000_000) / 100_000 < 2  # some 80 alarms


@pytest.mark.parametrize("delta", [0.0, 0.005, 0.25, 1.0])
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("arl0", [1e2, 1e5, 1e9, 1e15])
def test_the_threshold_solves_siegmunds_formula(arl0: float, delta: float, sides: int) -> None:
    b = siegmund_threshold(arl0, delta, sides=sides) + 1.166
    one_sided = b * b if delta == 0 else (math.expm1(2 * delta * b) - 2 * delta * b) / (2 * delta * delta)
    assert one_sided / sides == pytest.approx(arl0, rel=1e-6)


def test_a_larger_budget_raises_the_threshold_and_one_side_needs_less_than_two() -> None:
    thresholds = [siegmund_threshold(arl0, 0.25) for arl0 in (0.1, 1e1, 1e2, 1e4, 1e8)]
    assert thresholds == sorted(thresholds)
    assert thresholds[0] == 0
    assert siegmund_threshold(1e4, 0.25, sides=1) < siegmund_threshold(1e4, 0.25, sides=2)


def test_adwins_delta_falls_with_the_budget_and_is_a_probability() -> None:
    deltas = [adwin_delta(arl0) for arl0 in (1.0, 1e5, 1e6, 1e9, 1e30)]
    assert deltas == sorted(deltas, reverse=True)
    assert deltas[0] == 0.05
    assert deltas[-1] == 1e-12
