"""Recorded history as `backtest` and `reference build` are given it: files, or a range of the configured topics."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import when
from streams.cli.terminal import note

if TYPE_CHECKING:
    from schemas.config import Config
    from streams.replay.arrival import Bindings
    from streams.replay.source import ReplaySource
    from streams.replay.tally import Tally

__all__ = ["Inputs", "Since", "Until", "open_history", "remark"]

Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="ROLE=FILE",
        help="A file in place of a topic: .jsonl or .csv, also .gz. ROLE is features, predictions or labels, or MODEL/ROLE. Repeatable.",
    ),
]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="Begin of the topic range: 2026-01-05T10:00, seconds since the epoch, or 24h (ago).")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="End of the topic range; by default what there is now.")]


def open_history(
    config: Config,
    inputs: list[str] | None,
    since: str | None,
    until: str | None,
    *,
    bindings: Bindings | None = None,
    assume_delay_ms: int | None = None,
) -> tuple[ReplaySource, str]:
    """Return the source of recorded history, and in words what it is.

    Parameters
    ----------
    bindings, assume_delay_ms
        See `KafkaRange` and `FileSource`.

    Raises
    ------
    typer.BadParameter
        Files and a range at once, or a time or input that can't be read.
    """
    _spare_the_collector()
    if inputs and (since or until):
        raise typer.BadParameter("--input reads files whole; --since and --until are for topics")
    if inputs:
        from streams.replay.files import FileSource
        from streams.replay.inputs import files_by_topic

        try:
            files = files_by_topic(config, inputs)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--input") from None
        return FileSource(config, files, assume_delay_ms=assume_delay_ms), ", ".join(str(path) for path in files.values())
    from schemas.alerts import iso
    from streams.replay.kafka_range import KafkaRange

    begin, end = when(since), when(until)
    if begin is not None and end is not None and begin >= end:
        raise typer.BadParameter(f"the range ends before it begins: --since {iso(begin)}, --until {iso(end)}")
    topics = config.source_topics() if bindings is None else bindings
    words = [", ".join(topics), "" if begin is None else f"from {iso(begin)}", "" if end is None else f"to {iso(end)}"]
    source = KafkaRange(config, since_ms=begin, until_ms=end, bindings=bindings, assume_delay_ms=assume_delay_ms)
    return source, " ".join(filter(None, words))


def _spare_the_collector() -> None:
    """Look for cyclic garbage rarely: every record that is read is an object to go through, and none is part of a cycle."""
    gc.freeze()
    gc.set_threshold(50_000, 50, 100)


def remark(tally: Tally) -> None:
    """Tell the user, on stderr, what could not be used."""
    for line in tally.remarks():
        note(f"warning: {line}")
