"""What README.md says is there, is there; and what is there, it says."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer.main

from detectors import available
from schemas.alerts import Alert
from schemas.config_file import load_config
from streams.cli.app import app
from streams.telemetry import METRICS
from tests.meta.repository import README, ROOT


def table_under(heading: str) -> list[list[str]]:
    """Cells of the first table below a heading, without its first two lines."""
    _, _, below = README.partition(f"\n### {heading}\n")
    rows = [line.strip("|").split("|") for line in below.partition("\n### ")[0].partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("-")}


COMMANDS = typer.main.get_command(app).commands


def test_the_commands_are_those_of_the_program() -> None:
    listed = {re.match(r"`driftsonde (\w+)", row[0]).group(1) for row in table_under("Commands")}
    assert listed == set(COMMANDS)


def test_every_command_line_shown_exists() -> None:
    shown = re.findall(r"driftsonde (\w+)((?: [\w./=\[\]-]+)*)", "\n".join([*blocks("sh"), *re.findall(r"`(driftsonde [^`]+)`", README)]))
    assert shown
    for name, rest in shown:
        command, words = COMMANDS[name], rest.split()
        if subcommands := getattr(command, "commands", None):
            command = subcommands[words[0]]
        assert {word for word in words if word.startswith("-")} <= options(command), f"driftsonde {name}{rest}"


def test_the_metrics_are_those_that_are_served() -> None:
    listed = [(row[0].strip("`"), row[1], tuple(filter(None, row[2].split(", ")))) for row in table_under("Metrics and health")]
    assert listed == [(f"driftsonde_{metric.name}", metric.type, metric.labels) for metric in METRICS]


def test_the_detectors_are_those_that_are_registered() -> None:
    listed = {row[0].strip("`"): (row[1], row[2]) for row in table_under("Detectors")}
    assert listed == {kind: (config.catches, f"{config.cost_ns} ns") for kind, config in available().items()}


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_configuration_shown_is_valid(text: str, tmp_path: Path) -> None:
    file = tmp_path / "driftsonde.yaml"
    file.write_text(text)
    assert load_config(file, env={}, detectors=available()).models


@pytest.mark.parametrize("text", blocks("json"))
def test_the_alert_shown_is_one(text: str) -> None:
    shown = orjson.loads(text)
    assert orjson.loads(Alert.from_json(text.encode()).to_json()) == shown


LINKS = {
    (str(page.relative_to(ROOT)), target)
    for page in [ROOT / "README.md", *ROOT.glob("streams/**/*.md"), *ROOT.glob("detectors/**/*.md")]
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
}


@pytest.mark.parametrize(("page", "target"), sorted(LINKS))
def test_a_link_leads_somewhere(page: str, target: str) -> None:
    assert ((ROOT / page).parent / target).exists()
