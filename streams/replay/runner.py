"""Plays recorded history through the engine: the backtest."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from schemas.alerts import Alert
from schemas.config import Config
from schemas.errors import DataError
from streams.engine import Engine, EngineStats
from streams.replay.source import Read, ReplaySource
from streams.replay.tally import Tally

__all__ = ["ReplayResult", "replay", "unhurried"]


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What came of a replay.

    Parameters
    ----------
    alerts : tuple of Alert
        In the order in which they were raised.
    stats : EngineStats
        The engine's counters at the end.
    tally : Tally
        What became of the records.
    seconds : float
        How long it took, by the wall clock.
    assumption : str, optional
        What was assumed of the records' arrival.
    """

    alerts: tuple[Alert, ...]
    stats: EngineStats
    tally: Tally
    seconds: float
    assumption: str | None = None


def unhurried(config: Config) -> Config:
    """Return `config` as a backtest wants it: rows are never forced out before their turn, because reading can wait."""
    return config.model_copy(update={"engine": config.engine.model_copy(update={"max_hold": sys.maxsize})})


def replay(
    engine: Engine,
    source: ReplaySource,
    *,
    on_alert: Callable[[Alert], None] | None = None,
    progress: Callable[[Read], None] | None = None,
) -> ReplayResult:
    """Show the engine everything that `source` has.

    Parameters
    ----------
    engine : Engine
        Made with an `unhurried` configuration.
    source : ReplaySource
        Where history lies.
    on_alert : callable, optional
        Is told of each alert as it is raised.
    progress : callable, optional
        Is shown each step of reading.

    Raises
    ------
    DataError
        It is not known when labels arrived; see `streams.replay.arrival.Arrivals`.
    """
    _check(source)
    began = time.monotonic()
    alerts: list[Alert] = []
    tally = Tally()
    for read in source.read():
        for alert in engine.process(read.messages):
            alerts.append(alert)
            if on_alert is not None:
                on_alert(alert)
        tally.add(read, source)
        if progress is not None:
            progress(read)
    _check(source)
    return ReplayResult(tuple(alerts), engine.stats(), tally, time.monotonic() - began, source.arrivals.assumption())


def _check(source: ReplaySource) -> None:
    if (why := source.arrivals.refusal()) is not None:
        raise DataError(why)
