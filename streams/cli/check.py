"""``driftsonde check``: is this configuration right, and does it fit the brokers and the data?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli.options import ConfigFile

if TYPE_CHECKING:
    from schemas.config import Config

__all__ = ["check"]

SAMPLES = 5


def check(
    config: ConfigFile = Path("driftsonde.yaml"),
    connect: Annotated[bool, typer.Option("--connect", help="Also brokers, topics, permissions, and a few records of each topic.")] = False,
) -> None:
    """Check the configuration and the references it names; nothing is written anywhere."""
    from detectors import available
    from schemas.config_file import read_config
    from schemas.config_lint import lint_config
    from schemas.errors import BrokerError, ConfigError, DataError
    from streams.cli.terminal import note
    from streams.references import load_references

    read = read_config(config, env=os.environ, detectors=available())
    remarks = lint_config(read.value)
    for remark in remarks:
        if remark.level == "warning":
            note(f"warning: {read.problem(remark.path, remark.message)}")
    if errors := [read.problem(remark.path, remark.message) for remark in remarks if remark.level == "error"]:
        raise ConfigError(errors)
    for model in read.value.models:
        if (labels := model.sources.labels) and model.joins_labels:
            positive = f"; the positive class is {model.positive!r}" if model.task == "binary" else ""
            typer.echo(f"model {model.name!r}: labels: {labels.understood()}{positive}")
    references = load_references(read.value, config.parent)
    count = len(read.value.models)
    typer.echo(f"{config}: {count} model{'s' * (count != 1)}, {len(references)} reference{'s' * (len(references) != 1)}: all right")
    if not connect:
        return
    from streams.live.preflight import find_problems

    if problems := find_problems(read.value, create=False):
        raise BrokerError("\n".join(problems))
    typer.echo(f"{read.value.kafka.bootstrap_servers}: brokers, topics and permissions: all right")
    if unusable := _sample(read.value):
        raise DataError("\n".join(unusable))


def _sample(config: Config) -> list[str]:
    """Decode the last few records of each topic; return what is wrong with them."""
    from streams.replay.sample import sample_topics

    unusable = []
    for topic, sample in sample_topics(config, SAMPLES).items():
        if not sample.records:
            typer.echo(f"{topic}: empty")
        elif not sample.dead_letters:
            typer.echo(f"{topic}: {sample.records} of {sample.records} records decode")
        unusable += [f"{'/'.join(map(str, letter.position))}: {letter.reason}: {letter.detail}" for letter in sample.dead_letters]
    return unusable
