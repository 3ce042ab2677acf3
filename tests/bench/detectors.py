"""Cost of every detector, in ns per value: ``python -m tests.bench.detectors``.

Batches differ by chance in what else the machine does, so the tenth percentile over batches is shown. River's ADWIN and Page-Hinkley
take one value at a time; they are measured on one row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from river import drift

from detectors import FloatArray, Scaler, available, parse
from detectors.profiling import profile_numbers
from tests.bench.tables import markdown

SHAPES = ((20, 1000), (50, 1000), (20, 200), (200, 200))
ROUNDS = 30


def cost(take: Callable[[FloatArray], object], batches: Sequence[FloatArray]) -> float:
    """Nanoseconds per value; a first round warms up and fills windows."""
    for batch in batches:
        take(batch)
    spent = []
    for batch in list(batches) * (ROUNDS // len(batches)):
        start = time.process_time_ns()
        take(batch)
        spent.append((time.process_time_ns() - start) / batch.size)
    return float(np.quantile(spent, 0.1))


def river(make: Callable[[], drift.ADWIN | drift.PageHinkley]) -> Callable[[FloatArray], object]:
    """Feed a detector of river's a value at a time."""
    detector = make()

    def take(batch: FloatArray) -> None:
        for value in batch[0].tolist():
            detector.update(value)

    return take


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(0)
    rows: list[list[object]] = []
    for kind in available():
        costs = []
        for shape in SHAPES:
            profiles = [profile_numbers(rng.normal(size=3000)) for _ in range(shape[0])]
            batches = [rng.normal(size=shape) for _ in range(10)]
            bank = parse(kind).build(profiles, arl0=1e6)
            costs.append(f"{cost(bank.update, batches):.0f}")
        rows.append([kind, *costs])
    scaler = Scaler([profile_numbers(rng.normal(size=3000))] * 50)
    rows.append(["scaling", "", f"{cost(scaler.apply, [rng.normal(size=(50, 1000))] * 10):.1f}", "", ""])
    for name, make in (("river's ADWIN", drift.ADWIN), ("river's PageHinkley", drift.PageHinkley)):
        rows.append([name, *[f"{cost(river(make), [rng.normal(size=(1, 5000))] * 10):.0f}"] * len(SHAPES)])
    print(markdown(["ns a value", *(f"{r} × {n}" for r, n in SHAPES)], rows))


if __name__ == "__main__":
    main()
