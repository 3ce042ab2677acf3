"""How long rows wait for one another, how many come late, and what putting them in order costs.

Run with ``python -m tests.bench.sequencer``.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from schemas.events import Message, Source
from streams.engine.sequencer import Sequencer
from tests.scenarios.producers import WORLDS, backtest, lag, publish, record, sequence
from tests.unit.engine.logs import announce, block

SECONDS = 60
SEEDS = (0, 1, 2, 3)


def waits() -> None:
    head = f"{'world':33} {'grace':>6} {'rows':>7} {'lag ms':>7} {'late':>5} {'as backtest':>11}"
    print(f"{head}   wait p50 / p95 / max, ms (worst of {len(SEEDS)} runs)")
    for world in WORLDS:
        runs = [(logs := publish(world, seed, SECONDS), record(logs, seed, SECONDS)) for seed in SEEDS]
        for grace_ms in (1_000, 5_000):
            outcomes = [sequence(logs, journal, grace_ms=grace_ms) for logs, journal in runs]
            behind = max(lag(world, logs, journal, grace_ms) for logs, journal in runs)
            same = sum(np.array_equal(o.rows, backtest(logs, grace_ms=grace_ms)) for o, (logs, _) in zip(outcomes, runs, strict=True))
            wait = "" if world.backlog else " / ".join(f"{max(o.wait(q) for o in outcomes):5}" for q in (0.5, 0.95, 1.0))
            rows, late = sum(len(o.rows) for o in outcomes), sum(o.late for o in outcomes)
            print(f"{world.name:33} {grace_ms / 1000:4.0f} s {rows:7} {behind:7.0f} {late:5} {same:9}/{len(SEEDS)}   {wait}", flush=True)


def cost(sources: int, rows: int, total: int, max_hold: int = 500_000) -> float:
    """Microseconds a row, of `total` rows in blocks of `rows`, pushed and released one by one."""
    rng = np.random.default_rng(0)
    at = [Source("features", i) for i in range(sources)]
    messages: list[Message] = [announce(*at)]
    now = np.zeros(sources)
    for start in range(0, total // sources, rows):
        for i in rng.permutation(sources):
            stamps = now[i] + np.cumsum(rng.exponential(10, rows))
            now[i] = stamps[-1]
            messages.append(block(at[i], stamps.astype(np.int64), start=start))
    sequencer = Sequencer(grace_ms=1_000, max_hold=max_hold)
    begun = perf_counter()
    for message in messages:
        sequencer.push(message)
        sequencer.release()
    return (perf_counter() - begun) / total * 1e6


if __name__ == "__main__":
    for sources, rows in ((1, 500), (8, 500), (8, 50), (64, 500), (300, 500)):
        print(f"{sources:4} sources, blocks of {rows:4} rows: {cost(sources, rows, 1_000_000):.2f} µs a row")
    print(f"   8 sources, blocks of  500 rows, room for only 2000: {cost(8, 500, 1_000_000, max_hold=2_000):.2f} µs a row\n")
    waits()
