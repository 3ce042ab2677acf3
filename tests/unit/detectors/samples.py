"""Streams with known changes, and shortcuts, for the tests of detectors that count."""

from __future__ import annotations

import numpy as np

from detectors import Finding, FloatArray
from detectors.profiling import build_reference
from schemas.reference import Profile


def profiles_of(references: FloatArray) -> list[Profile]:
    """Profiles of numeric streams, (streams, n)."""
    names = [f"{i:04}" for i in range(len(references))]
    times = np.arange(references.shape[1])
    reference = build_reference(model="m", version="1", origin="test", times=times, number_names=names, numbers=references)
    return [reference.profiles[name] for name in names]


def series(law: str, rng: np.random.Generator, n: int) -> FloatArray:
    """One quiet series."""
    noise = rng.standard_normal(n)
    match law:
        case "lognormal":
            return np.exp(noise)
        case "counts":
            return np.floor(np.exp(noise))
        case "errors":
            return (rng.random(n) < 0.1).astype(np.float64)
        case "gaps":
            return np.where(rng.random(n) < 0.05, np.nan, noise)
        case "wandering":
            for i in range(1, n):
                noise[i] += 0.6 * noise[i - 1]
            return noise
        case "seasonal":
            return noise + 0.3 * np.sin(2 * np.pi * np.arange(n) / 1000)
    return noise


def changed(change: str, rng: np.random.Generator, values: FloatArray) -> FloatArray:
    """The series with a change from row 1000 on."""
    out = values.copy()
    after = out[1000:]
    match change:
        case "shift":
            after += 0.5
        case "spread":
            after *= 1.6
        case "sentinel":
            after[rng.random(len(after)) < 0.05] = -1.0
        case "gaps":
            after[rng.random(len(after)) < 0.15] = np.nan
        case "errors":
            after[rng.random(len(after)) < 0.1] = 1.0
    return out


def found(findings: list[Finding], row: int = 0) -> list[Finding]:
    return [f for f in findings if f.row == row]
