"""Traffic as stage 1 meets it, in virtual time: producers with wrong clocks, slow networks, rare labels, history at speed.

A `World` describes, `record` plays it and writes down the journal, `sequence` runs a sequencer over that journal as the live worker
would, `backtest` over the raw logs as a backtest would.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from schemas.events import End, Message, Source, Tick
from streams.engine.sequencer import Release, Sequencer
from tests.unit.engine.logs import MODEL, announce, block

FETCH_PAUSE_MS = 20
TICK_MS = 1_000
#: Wall time after the last record: enough for all sources to fall idle.
AFTERWARDS_MS = 20_000
#: First timestamp of the data, ms; far from the wall clock, which starts at 0.
DATA_START = 1_000_000
MAX_HOLD = 10_000_000


@dataclass(frozen=True)
class World:
    """What the sources do.

    Parameters
    ----------
    rates : dict
        Records a second of wall time, by source.
    speed : float
        Milliseconds of data in one of wall time: 1 is live, 1000 is history published at a thousand times its speed.
    delay_ms : float
        Mean of the exponential time from a record's timestamp until it can be fetched, wall time.
    skew_ms : float
        The clock of each source's producer is wrong by up to this, data time.
    backlog : bool
        Everything has been published before stage 1 starts.
    """

    name: str
    rates: dict[Source, float]
    speed: float = 1
    delay_ms: float = 20
    skew_ms: float = 0
    backlog: bool = False


@dataclass(frozen=True)
class Log:
    """One source: timestamp (data ms) and time of arrival in the broker (wall ms) of each record."""

    source: Source
    stamps: np.ndarray
    arrivals: np.ndarray
    skew: float


class Entry(NamedTuple):
    """A message of the journal and when it was written, wall ms."""

    at: float
    message: Message


@dataclass(frozen=True)
class Outcome:
    """What a sequencer made of a journal: rows as (source number, offset), in order."""

    rows: np.ndarray
    late: int
    waits: np.ndarray

    def wait(self, quantile: float) -> int:
        """Time from arrival in the broker until the row went, ms."""
        return round(float(np.quantile(self.waits, quantile)))


def publish(world: World, seed: int, seconds: float) -> list[Log]:
    rng = np.random.default_rng(seed)
    logs = []
    for source, rate in world.rates.items():
        made = np.cumsum(rng.exponential(1000 / rate, int(rate * seconds * 2) + 100))
        made = made[made < seconds * 1000]
        skew = rng.uniform(-world.skew_ms, world.skew_ms)
        arrivals = np.maximum.accumulate(made + rng.exponential(world.delay_ms, len(made)))  # a partition keeps its order
        stamps = (made * world.speed + skew).astype(np.int64) + DATA_START
        logs.append(Log(source, stamps, np.zeros(len(made)) if world.backlog else arrivals, skew))
    return logs


def record(logs: list[Log], seed: int, seconds: float) -> list[Entry]:
    """Read the logs as stage 1 does, each source by its own pace, and return the journal."""
    rng = np.random.default_rng([seed, 1])
    journal = [Entry(0.0, announce(*(log.source for log in logs)))]
    read = [0] * len(logs)
    at_end_since = [0.0] * len(logs)
    agenda = [(float(rng.uniform(0, 50)), "fetch", i) for i in range(len(logs))]
    agenda += [(TICK_MS + float(rng.uniform(0, TICK_MS)), "tick", i) for i in range(len(logs))]
    heapq.heapify(agenda)
    while agenda[0][0] < seconds * 1000 + AFTERWARDS_MS:
        now, what, i = heapq.heappop(agenda)
        log, lo = logs[i], read[i]
        there = min(int(np.searchsorted(log.arrivals, now, side="right")), lo + 500)
        if what == "fetch":
            if there > lo:
                journal.append(Entry(now, block(log.source, log.stamps[lo:there], start=lo)))
                read[i], at_end_since[i] = there, now
            heapq.heappush(agenda, (now + float(rng.exponential(FETCH_PAUSE_MS)), what, i))
        else:
            if there == lo:
                journal.append(Entry(now, Tick(MODEL, log.source, lo, int(now - at_end_since[i]))))
            heapq.heappush(agenda, (now + TICK_MS, what, i))
    return journal


def lag(world: World, logs: list[Log], journal: list[Entry], grace_ms: int) -> float:
    """How far behind the newest timestamp anybody could have sent a row of an idle source came, at most; data ms.

    Delay times speed, plus the spread of the producers' clocks: what the grace must exceed for no row to be late.
    """
    fastest = max(log.skew for log in logs)
    idle: set[Source] = set()
    worst = 0.0
    for at, message in journal:
        match message:
            case Tick(source=source):
                (idle.add if message.idle_ms >= grace_ms else idle.discard)(source)
            case _ if getattr(message, "source", None) in idle:
                worst = max(worst, at * world.speed + fastest + DATA_START - float(message.stamps[0]))
                idle.discard(message.source)
    return worst


def sequence(logs: list[Log], journal: list[Entry], *, grace_ms: int) -> Outcome:
    """Sequence a journal, message by message, as it is written."""
    sequencer = Sequencer(grace_ms=grace_ms, max_hold=MAX_HOLD)
    arrivals = {log.source: log.arrivals for log in logs}
    rows, waits = [np.empty((0, 2), np.int64)], [np.empty(0)]
    for at, message in journal:
        sequencer.push(message)
        if (release := sequencer.release()) is not None:
            rows.append(_rows(logs, release))
            waits += [at - arrivals[p.block.source][p.block.offsets[p.lo : p.hi]] for p in release.pieces]
    return Outcome(np.concatenate(rows), sequencer.counts.late, np.concatenate(waits))


def backtest(logs: list[Log], *, grace_ms: int) -> np.ndarray:
    """Sequence the raw logs, one after the other: no ticks, each with its end."""
    sequencer = Sequencer(grace_ms=grace_ms, max_hold=MAX_HOLD)
    sequencer.push(announce(*(log.source for log in logs)))
    for log in logs:
        sequencer.push(block(log.source, log.stamps))
        sequencer.push(End(MODEL, log.source))
    release = sequencer.release()
    return np.empty((0, 2), np.int64) if release is None else _rows(logs, release)


def _rows(logs: list[Log], release: Release) -> np.ndarray:
    number = {log.source: i for i, log in enumerate(logs)}
    parts = [np.stack([np.full(len(p), number[p.block.source]), p.block.offsets[p.lo : p.hi]], axis=1) for p in release.pieces]
    rows = np.concatenate(parts)
    return rows if release.order is None else rows[release.order]


def _sources(topic: str, n: int, rate: float) -> dict[Source, float]:
    return {Source(topic, i): rate for i in range(n)}


_FEATURES, _PREDICTIONS = _sources("features", 4, 100), _sources("predictions", 4, 100)
_RARE = _sources("labels", 4, 0.2)

WORLDS = (
    World("live, all busy", {**_FEATURES, **_PREDICTIONS}),
    World("live, labels rare", {**_FEATURES, **_PREDICTIONS, **_RARE}),
    World("live, labels rare, delay 200 ms", {**_FEATURES, **_RARE}, delay_ms=200),
    World("live, one partition empty", {**_FEATURES, Source("empty", 0): 1e-6}),
    World("live, producers' clocks ±300 ms", {**_FEATURES, **_RARE}, skew_ms=300),
    World("live, producers' clocks ±3 s", {**_FEATURES, **_RARE}, skew_ms=3_000),
    World("history at 1000×, caught up", {**_FEATURES, **_sources("labels", 4, 20)}, speed=1000),
    World("history at 1000×, labels rare", {**_FEATURES, **_sources("labels", 4, 0.5)}, speed=1000),
    World("backlog", {**_FEATURES, **_PREDICTIONS, **_RARE}, backlog=True),
)
