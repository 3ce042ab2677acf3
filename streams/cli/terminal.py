"""Results go to stdout, all else to stderr; colour and progress bars only on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.alerts import Alert
    from streams.replay.source import Read

__all__ = ["alert_line", "note", "print_alerts", "print_table", "progress_of", "stderr", "stdout"]

_COLOURS = {"critical": "bold red", "warning": "yellow", "info": "cyan", "resolved": "green"}
#: Width of tables that do not go to a terminal: they are for files and pagers, so nothing is folded.
_WIDE = 240


class _Console(Console):
    def on_broken_pipe(self) -> NoReturn:  # the command group ends the process quietly; rich would end it with an error
        raise


def stdout() -> Console:
    """Console for results."""
    console = _Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else _Console(highlight=False, width=_WIDE)


def stderr() -> Console:
    """Console for progress, notes and warnings."""
    return _Console(stderr=True, highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """Say something to the human that is no result."""
    stderr().print(escape(text))


def alert_line(alert: Alert) -> str:
    """One line of rich markup: data time, state, severity, what, summary."""
    data = alert.data
    colour = _COLOURS["resolved" if data.state == "resolved" else data.severity]
    when = data.detected_at[:19].replace("T", " ")
    what = f"{data.model}/{data.model_version}/{data.segment}"
    return f"{when}  [{colour}]{data.state.upper():<8} {data.severity:<8}[/] {data.kind:<16} [dim]{escape(what)}[/]  {escape(data.summary)}"


def print_alerts(alerts: Sequence[Alert]) -> None:
    """Print alerts as a table, in the order given."""
    rows = []
    for alert in alerts:
        data = alert.data
        when = data.detected_at[:19].replace("T", " ")
        colour = _COLOURS["resolved" if data.state == "resolved" else data.severity]
        state = f"[{colour}]{data.state}[/]"
        rows.append([when, state, f"[{colour}]{data.severity}[/]", data.kind, *map(escape, (alert.subject, data.summary))])
    _print(["time of the data", "state", "severity", "kind", "stream", "summary"], rows)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table of plain values; numbers stand to the right."""
    _print(columns, [[cell if isinstance(cell, int | float) else escape(str(cell)) for cell in row] for row in rows])


def _print(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    console = stdout()
    if console.is_terminal:
        console.print(_table(columns, rows))
        return
    with console.capture() as text:
        console.print(_table(columns, rows))
    typer.echo("\n".join(line.rstrip() for line in text.get().splitlines()))


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in row))
    return table


@contextmanager
def progress_of(size: int) -> Iterator[Callable[[Read], None]]:
    """Show how far a replay has come, on stderr, if that is a terminal."""
    console = stderr()
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=max(size, 1))
        yield lambda read: progress.update(task, completed=read.done)
