"""Every detector that is registered keeps the contract of a bank, at its defaults and away from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest

from detectors import FloatArray, available, parse
from detectors.profiling import profile_categories, profile_numbers
from detectors.testing import CHECKS, Case
from schemas.reference import Profile

#: Parameters to try beside the defaults; a detector without an entry is tried at its defaults.
PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "adwin": [
        {"delta": 0.05},
        {"delta": 0.3, "clock": 7, "max_buckets": 3, "grace_period": 40},
        {"delta": 0.1, "clock": 1, "max_buckets": 2, "min_window_length": 1, "grace_period": 0},
        {"delta": 0.2, "clock": 100, "max_buckets": 9, "min_window_length": 30},
    ],
    "page_hinkley": [
        {"threshold": 8.0, "delta": 0.1},
        {"threshold": 5.0, "delta": 0.0, "mode": "up", "min_instances": 1},
        {"threshold": 20.0, "delta": 0.005, "alpha": 0.99, "mode": "down"},
    ],
    "psi": [{"window": 100, "panes": 4, "bins": 5}, {"window": 60, "panes": 1, "threshold": 0.2}],
    "esr": [{"direction": "up"}, {"values_between_false_alarms": 1000.0, "tolerance": 0.1}],
}

CONFIGS = [{"kind": kind, **parameters} for kind in available() for parameters in [{}, *PARAMETERS.get(kind, [])]]


@cache
def streams() -> tuple[Sequence[Profile], FloatArray]:
    """A numeric, a heavy-tailed, a zero-inflated, a binary and a categorical column; each changes for a while, at its own time."""
    rng = np.random.default_rng(11)
    m, n = 3000, 2400
    away = [slice(300, 900), slice(1200, 1500), slice(700, 1800), slice(1000, 2400), slice(500, 1100)]

    normal = rng.normal(40, 7, m + n)
    heavy = rng.lognormal(0, 1.5, m + n)
    zeros = np.where(rng.random(m + n) < 0.6, 0.0, rng.exponential(3.0, m + n))
    binary = (rng.random(m + n) < 0.1).astype(float)
    category = rng.choice(4, m + n, p=[0.6, 0.25, 0.1, 0.05])
    profiles: list[Profile] = [profile_numbers(column[:m]) for column in (normal, heavy, zeros, binary)]
    profiles.append(profile_categories(category[:m].astype(np.int32), ("a", "b", "c", "d")))

    values = np.stack([normal, heavy, zeros, binary, category.astype(float)])[:, m:]
    values[0, away[0]] += 7.0
    values[1, away[1]] *= 4.0
    values[2, away[2]] += 1.0
    values[3, away[3]] = (rng.random(1400) < 0.4).astype(float)
    values[4, away[4]] = rng.choice(5, 600, p=[0.1, 0.1, 0.3, 0.3, 0.2])
    return profiles, values


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("spec", CONFIGS, ids=lambda spec: " ".join(f"{value}" for value in spec.values()))
def test_bank(spec: dict[str, Any], check: Callable[[Case], None]) -> None:
    profiles, values = streams()
    check(Case(parse(spec), profiles, values))


@pytest.mark.parametrize("kind", available())
def test_a_plain_shift_is_found_and_so_is_its_end(kind: str) -> None:
    rng = np.random.default_rng(3)
    profile = profile_numbers(rng.normal(size=3000))
    values = rng.normal(size=(1, 9000))
    values[:, 3000:6000] += 1.0
    case = Case(parse(kind), [profile], values, arl0=1e6)
    assert [f.change for f in case.bank().update(case.inputs())] == ["change", "back"]
