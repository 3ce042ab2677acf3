"""``driftsonde alerts``: the alert topic, for people and for pipes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import ConfigFile, Json, load, when

if TYPE_CHECKING:
    from schemas.alerts import Alert

__all__ = ["app"]

app = typer.Typer(help="Read the alert topic.", no_args_is_help=True)
Model = Annotated[str | None, typer.Option(metavar="NAME", help="Only this model's.")]


@app.command("list")
def list_(
    config: ConfigFile = Path("driftsonde.yaml"),
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Published at or after; 24h is a day ago. By default all.")] = None,
    model: Model = None,
    json: Json = False,
) -> None:
    """List the alerts that the topic holds now, in the order of the topic."""
    from streams.replay.alert_log import read_alerts

    for alert in read_alerts(load(config), since_ms=when(since)):
        _print(alert, model=model, json=json)


@app.command()
def tail(
    config: ConfigFile = Path("driftsonde.yaml"),
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Begin with what was published at or after; by default with what comes.")
    ] = "0s",
    model: Model = None,
    json: Json = False,
) -> None:
    """Follow the alerts as they come, until interrupted."""
    from streams.replay.alert_log import follow_alerts

    for alert in follow_alerts(load(config), since_ms=when(since)):
        _print(alert, model=model, json=json)


def _print(alert: Alert, *, model: str | None, json: bool) -> None:
    from streams.cli.terminal import alert_line, stdout

    if model is not None and alert.data.model != model:
        return
    if json:
        typer.echo(alert.to_json())
    else:
        stdout().print(alert_line(alert), soft_wrap=True)
