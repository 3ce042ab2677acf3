"""What the join costs a row, besides the hashing of ids: ``python -m tests.bench.join_cost``.

Four days of predictions whose labels come hours later, by age views, a matured and an amended one; the label log either keeps pace,
or is a quarter of an hour ahead, so that many labels wait for their predictions. Then floods of a million labels.
"""

from __future__ import annotations

from time import process_time

import numpy as np

from streams.engine.join.batches import Labels, Predictions
from streams.engine.join.joiner import Joiner
from streams.engine.join.keys import Keys
from streams.engine.join.rules import JoinRules
from tests.bench.tables import markdown

HOUR = 3_600_000
ROWS = 400_000
RULES = JoinRules(
    "binary",
    (24 * HOUR,),
    cohort=HOUR,
    ages=(3 * HOUR, 12 * HOUR),
    corrections=8 * HOUR,
    missing_negative=True,
    revisions=False,
    sources=False,
)


def predictions(keys: Keys, times: np.ndarray) -> Predictions:
    n = len(times)
    return Predictions(keys, times, times, np.ones(n), np.full(n, 0.5), np.zeros(n, np.int32), np.zeros((2, n), np.int32))


def labels(keys: Keys, clocks: np.ndarray) -> Labels:
    n = len(clocks)
    return Labels(keys, clocks, clocks, (np.arange(n) % 2).astype(float), np.full(n, -1), np.zeros(n, np.int16))


def cost(batch: int, *, ahead: int = 0) -> list[float]:
    """CPU microseconds of a prediction, of a label, and of a prediction's way out, when both logs are read in batches."""
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 2**63, (ROWS, 2)).astype(np.uint64)
    times = np.sort(rng.integers(0, 96 * HOUR, ROWS))
    arrivals = times + (rng.lognormal(0, 1, ROWS) * (4 * HOUR if not ahead else 60_000)).astype(np.int64)
    by_arrival = np.argsort(arrivals, kind="stable")
    joiner = Joiner(RULES, segments=2)
    spent = np.zeros(3)
    taken = 0
    for begin in range(0, ROWS, batch):
        now = times[begin : begin + batch]
        end = int(np.searchsorted(arrivals[by_arrival], now[-1] + ahead))
        due, taken = by_arrival[taken:end], end
        given = predictions(keys[begin : begin + batch], now), labels(keys[due], arrivals[due])
        marks = [process_time()]
        joiner.predictions(given[0])
        marks.append(process_time())
        joiner.labels(given[1])
        marks.append(process_time())
        for _ in joiner.advance(int(now[-1]), int(now[-1])):
            pass
        marks.append(process_time())
        spent += np.diff(marks)
    return [1e6 * s / n for s, n in zip(spent, (ROWS, taken, ROWS), strict=True)]


def flood(ids: int, *, known: bool, batch: int = 1_000, total: int = 1_000_000) -> float:
    """CPU microseconds of each of a million labels for so many ids, all at one moment."""
    keys = np.arange(2 * ids, dtype=np.uint64).reshape(-1, 2)
    joiner = Joiner(RULES, segments=2)
    if known:
        joiner.predictions(predictions(keys, np.zeros(ids, np.int64)))
    begun = process_time()
    for begin in range(0, total, batch):
        joiner.labels(labels(keys[np.arange(begin, begin + batch) % ids], np.full(batch, 5)))
    return 1e6 * (process_time() - begun) / total


def main() -> None:
    rows = [
        [f"{name}, batches of {batch:,}", *(f"{us:.2f}" for us in cost(batch, ahead=ahead))]
        for name, ahead in (("labels in step", 0), ("labels ahead", HOUR // 4))
        for batch in (1_000, 10_000)
    ]
    print(markdown(["µs", "a prediction", "a label", "closing, a prediction"], rows), end="\n\n")
    floods = [
        [name, f"{flood(ids, known=known):.2f}"]
        for name, ids, known in (
            ("a prediction", 1, True),
            ("an id that nobody knows", 1, False),
            ("a million ids that nobody knows", 1_000_000, False),
        )
    ]
    print(markdown(["a million labels for", "µs a label"], floods))


if __name__ == "__main__":
    main()
