"""The commands, and what their endings mean.

Exit codes: 0 fine · 1 failure at run time · 2 usage · 3 drift found (``--fail-on``) · 4 configuration or data wrong ·
5 broker unreachable · 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from schemas.errors import DriftsondeError
from streams.cli.alerts import app as alerts
from streams.cli.backtest import backtest
from streams.cli.check import check
from streams.cli.demo import demo
from streams.cli.detectors import detectors
from streams.cli.reference import app as reference
from streams.cli.run import run
from streams.cli.schema import schema

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """Turns errors raised on purpose into a message and an exit code; anything else keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except DriftsondeError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:  # the reader, such as `head`, has seen enough: no failure of ours
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        return result


app = typer.Typer(
    name="driftsonde",
    cls=_Commands,
    help="A streaming drift detector for machine-learning systems on Kafka.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they show local variables, and those may be secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(run)
app.command()(backtest)
app.add_typer(reference, name="reference")
app.command()(check)
app.add_typer(alerts, name="alerts")
app.command()(detectors)
app.command()(schema)


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    typer.echo(f"driftsonde {installed('driftsonde')}")


def main() -> None:
    """Run the command line; ends the process."""
    app()
