"""``driftsonde backtest``: what the live worker would have said about recorded history."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import ConfigFile, Json, duration, load, write
from streams.cli.recorded import Inputs, Since, Until, open_history, remark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schemas.alerts import Alert
    from schemas.config import Config
    from streams.engine import EngineStats
    from streams.replay.runner import ReplayResult

__all__ = ["backtest"]

DRIFT_FOUND = 3


class Level(StrEnum):
    """Least severity that counts."""

    info = "info"
    warning = "warning"
    critical = "critical"


def backtest(
    config: ConfigFile = Path("driftsonde.yaml"),
    since: Since = None,
    until: Until = None,
    inputs: Inputs = None,
    assume_delay: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Labels arrived this long after their time, all else at its own, unless records say when (fields.arrived).",
        ),
    ] = None,
    alerts: Annotated[Path | None, typer.Option(metavar="OUT.jsonl", help="Write the alert events there, one a line.")] = None,
    fail_on: Annotated[Level | None, typer.Option(help="Exit with 3 when there is an alert of this severity or a higher one.")] = None,
    json: Json = False,
) -> None:
    """Replay recorded history through the engine of the live worker and show the alerts, and how good the models were.

    Nothing is written to Kafka.
    """
    loaded = load(config)
    from schemas.errors import DataError
    from streams.cli.performance import performance_json, print_performance
    from streams.cli.terminal import print_alerts, progress_of
    from streams.engine import Engine
    from streams.pending_files import pending_files
    from streams.references import load_references
    from streams.replay.runner import replay, unhurried

    delay_ms = _delay(loaded, assume_delay)
    engine = Engine(unhurried(loaded), load_references(loaded, config.parent), arrays=pending_files(loaded))
    source, _ = open_history(loaded, inputs, since, until, assume_delay_ms=delay_ms)
    with progress_of(source.size) as progress:
        result = replay(engine, source, progress=progress)
    if alerts is not None:
        write(alerts, b"".join(alert.to_json() + b"\n" for alert in result.alerts))
    if json:
        lines = [performance_json(model, result.alerts, result.assumption) for model in result.stats.models]
        for line in (*(alert.to_json() for alert in result.alerts), *filter(None, lines)):
            typer.echo(line)
    else:
        if result.alerts:
            print_alerts(result.alerts)
        for model in result.stats.models:
            print_performance(model, result.alerts)
    _say(result)
    if not any(sum(model.rows.values()) for model in result.stats.models):
        raise DataError("there was no row to look at: no drift found means nothing here")
    if fail_on is not None and _drifted(result.alerts, fail_on):
        raise typer.Exit(DRIFT_FOUND)


def _delay(config: Config, text: str | None) -> int | None:
    if text is None:
        return None
    if not any(model.task != "none" and model.sources.labels for model in config.models):
        raise typer.BadParameter("no model joins labels; expected one with a task and sources.labels", param_hint="--assume-delay")
    return duration(text)


def _say(result: ReplayResult) -> None:
    """Say on stderr how it went."""
    from streams.cli.terminal import note

    remark(result.tally)
    if result.assumption is not None:
        note(result.assumption)
    for line in _shortcomings(result.stats):
        note(f"warning: {line}")
    rate = result.tally.records / max(result.seconds, 1e-9)
    count = len(result.alerts)
    note(f"{count} alert{'s' * (count != 1)}; {result.tally.records} records in {result.seconds:.1f} s ({rate:,.0f} a second)")


def _shortcomings(stats: EngineStats) -> list[str]:
    """What makes the result less than it seems."""
    found = []
    for model in stats.models:
        unwatched = {reason: n for reason, n in sorted(model.unmonitored.items()) if n}
        found += [f"model {model.model!r}: {n} rows were not watched ({reason})" for reason, n in unwatched.items()]
        if model.label_remark is not None:
            found.append(f"model {model.model!r}: {model.label_remark}")
        if model.gaps:
            found.append(f"model {model.model!r}: {model.gaps} ranges of offsets are missing from the log")
        if not model.subjects:
            found.append(f"model {model.model!r}: nothing was watched")
    return found


def _drifted(alerts: Sequence[Alert], level: Level) -> bool:
    """Whether anything but the monitor's own state was alerted at `level` or above."""
    ranks = list(Level)
    return any(a.data.kind != "monitoring" and ranks.index(Level(a.data.severity)) >= ranks.index(level) for a in alerts)
