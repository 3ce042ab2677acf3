"""What users deploy: it refers to files, services and metrics that exist, and the tools it is made for accept it."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from detectors import available
from schemas.config_file import load_config
from streams.demo.synthetic import FEATURES, INJECTIONS, LABELS, PREDICTIONS, history, traffic
from streams.engine import Engine
from streams.replay.files import FileSource
from streams.replay.runner import replay, unhurried
from streams.telemetry import METRICS
from tests.meta.repository import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "driftsonde.json").read_text())
COMPOSE = YAML(typ="safe").load(ROOT / "docker-compose.yml")
SERVED = {f"driftsonde_{metric.name}{'_bucket' * (metric.type == 'histogram')}" for metric in METRICS}


def expressions_of_the_dashboard() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield f"${variable['name']}", variable["definition"]


def expressions_of_the_rules() -> Iterator[tuple[str, str]]:
    for group in YAML(typ="safe").load(PROMETHEUS / "rules.yml")["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


@pytest.mark.parametrize(("name", "expression"), [*expressions_of_the_dashboard(), *expressions_of_the_rules()])
def test_panels_and_rules_ask_for_metrics_that_are_served(name: str, expression: str) -> None:
    asked = set(re.findall(r"driftsonde_\w+", expression))
    assert asked <= SERVED
    assert asked or name == "DriftsondeDown"


def test_every_rule_has_a_test() -> None:
    tests = YAML(typ="safe").load(PROMETHEUS / "rules.test.yml")["tests"]
    tested = {check["alertname"] for test in tests for check in test["alert_rule_test"] if check["exp_alerts"]}
    assert tested == {name for name, _ in expressions_of_the_rules()}


@pytest.mark.parametrize("arguments", ["check config prometheus.yml", "check rules rules.yml", "test rules rules.test.yml"])
def test_promtool_accepts(arguments: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here; it comes with Debian's package prometheus")
    run = subprocess.run([promtool, *arguments.split()], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def promql(expression: str) -> str:
    """Fill in what Grafana fills in."""
    return re.sub(r"\$__rate_interval|\$__interval", "5m", expression).replace("$model", ".*")


def test_promtool_reads_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here; it comes with Debian's package prometheus")
    queries = [(title, expression) for title, expression in expressions_of_the_dashboard() if not title.startswith("$")]
    rules = [{"record": f"panel:{i}", "expr": promql(expression)} for i, (_, expression) in enumerate(queries)]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    run = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_compose_file_follows_the_compose_specification() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    run = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_compose_service_refers_to_what_exists(name: str) -> None:
    service: dict[str, Any] = COMPOSE["services"][name]
    assert set(service.get("depends_on", {})) <= set(COMPOSE["services"])
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), "published beyond this machine"


def test_the_worker_of_the_compose_file_understands_the_traffic_and_finds_its_faults(tmp_path: Path) -> None:
    files = {topic: tmp_path / f"{topic}.jsonl" for topic in (FEATURES, PREDICTIONS, LABELS)}
    records = sorted(chain(history(), traffic()), key=lambda record: record.stamp)
    for topic, file in files.items():
        file.write_bytes(b"\n".join(record.value for record in records if record.topic == topic))
    config = load_config(ROOT / "deploy" / "driftsonde.yaml", env={}, detectors=available())
    result = replay(Engine(unhurried(config), {}), FileSource(config, files, assume_delay_ms=0))
    alerted = {alert.data.subject for alert in result.alerts if alert.data.state == "firing"}
    assert alerted >= {subject for injection in INJECTIONS for subject in injection.subjects}
    assert not result.tally.dead_letters


def test_panels_have_their_own_ids_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        own = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not own & cells, panel["title"]
        assert at["x"] + at["w"] <= 24
        cells |= own
