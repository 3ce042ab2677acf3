"""What a configuration file means: formats, variables, and the text that a value was written with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from schemas.config import Config, LearnReference
from schemas.config_file import read_config
from tests.unit.schemas.configs import DETECTORS, FEATURES, LABELS, PREDICTIONS, Folder, with_model, with_top

#: The example of the README's configuration page.
EXAMPLE = Path(__file__).with_name("example.yaml").read_text(encoding="utf-8")


def leaves(document: Any, pointer: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Path of every value in a document that is no mapping or list with something in it."""
    children = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    deeper = [leaf for key, child in children for leaf in leaves(child, (*pointer, key))]
    yield from deeper or [pointer]


def test_every_key_of_the_example_arrives(folder: Folder) -> None:
    loaded = folder.load(EXAMPLE).model_dump(exclude_unset=True)
    written = YAML(typ="safe", pure=True).load(EXAMPLE)
    assert set(leaves(loaded)) == set(leaves(written))


def test_the_example_means_what_it_says(folder: Folder) -> None:
    config = folder.load(EXAMPLE, KAFKA_BOOTSTRAP_SERVERS="kafka-1:9092,kafka-2:9092")
    assert config.kafka.bootstrap_servers == "kafka-1:9092,kafka-2:9092"
    assert (config.journal_topic, config.state_topic) == ("driftsonde.journal", "driftsonde.state")
    assert (config.engine.grace, config.engine.checkpoint_every) == (1_000, 10_000)
    model = config.model("fraud")
    assert [role for role, _ in model.sources.items()] == ["features", "predictions", "labels"]
    assert model.sources.labels is not None
    assert model.sources.labels.horizon == (7 * 86_400_000,)
    assert model.references == {"3": "references/fraud-3.json", "default": LearnReference(learn=10_000)}
    assert model.plan("hour") == (["esr"], ["psi", "adwin", "page_hinkley"])
    assert model.plan("amount") == ([{"kind": "psi", "bins": 20}, {"kind": "adwin", "delta": 0.01}, "page_hinkley"], [])
    assert model.plan("debug_rows") == ([], [])


@pytest.mark.parametrize(("name", "write"), [("driftsonde.json", json.dumps), ("driftsonde.yaml", json.dumps)])
def test_json_means_the_same_as_yaml(folder: Folder, name: str, write: Any) -> None:
    document = YAML(typ="safe", pure=True).load(EXAMPLE)
    assert folder.load(write(document), name=name) == folder.load(EXAMPLE)


def test_toml_means_the_same_as_yaml(folder: Folder) -> None:
    toml = """
        version = 1
        [engine]
        grace = "2s"
        [[models]]
        name = "fraud"
        false_alarms_per_week = 0.5
        references = {"3" = "references/3.json", default = {learn = 10_000}}
        monitors = [{subjects = ["*"], detectors = [{kind = "psi", bins = 20}]}]
        [models.sources.features]
        topic = "fraud.features"
        fields = {id = "id", features = "."}
    """
    yaml = with_model(
        "false_alarms_per_week: 0.5",
        "references: {3: references/3.json, default: {learn: 10000}}",
        "monitors: [{subjects: ['*'], detectors: [{kind: psi, bins: 20}]}]",
        top="engine: {grace: 2s}\n",
    )
    assert folder.load(toml, name="driftsonde.toml") == folder.load(yaml)


def test_places_in_json_and_toml(folder: Folder) -> None:
    assert folder.complaint('{\n\t"version": 1,\n\t"modles": []\n}', name="a.json").startswith("a.json:3:2: modles: unknown key 'modles'")
    assert folder.complaint('{"version": }', name="a.json").startswith("a.json:1:13: not JSON: expecting value")
    assert folder.complaint('{"version": 1, "version": 1, "models": [1]}', name="a.json").startswith(
        "a.json:1:16: version: key 'version' is here"
    )
    assert folder.complaint("version = 2", name="a.toml").startswith("a.toml: version: found 2; expected 1\n")
    assert folder.complaint("version = 1\nmodels = [1,, 2]", name="a.toml").startswith("a.toml:2:13: not TOML: invalid value")


def test_text_is_kept_as_it_was_written(folder: Folder) -> None:
    """YAML takes these for numbers and truths; as names they are not."""
    config = folder.load(
        with_model(
            "owner: 007",
            "segments: [no, 12:30, 0123, 1e5, 1.10, true]",
            "references: {1.10: a.json, 1.1: b.json, 0x10: c.json}",
            "monitors: [{subjects: [no, 1e5, 2024-01-01]}]",
            top="kafka: {properties: {sasl.password: 0123, socket.timeout.ms: 6000, enable.ssl.certificate.verification: false}}\n",
        )
    )
    model = config.models[0]
    assert model.owner == "007"
    assert model.segments == ["no", "12:30", "0123", "1e5", "1.10", "true"]
    assert model.references == {"1.10": "a.json", "1.1": "b.json", "0x10": "c.json"}
    assert model.monitors[0].subjects == ["no", "1e5", "2024-01-01"]
    assert config.kafka.properties == {
        "sasl.password": "0123",
        "socket.timeout.ms": "6000",
        "enable.ssl.certificate.verification": "false",
    }


def test_toml_and_json_keep_the_digits_of_text(folder: Folder) -> None:
    sources = {"features": {"topic": "t", "fields": {"id": "id", "features": "."}}}
    text = json.dumps({"version": 1, "models": [{"name": "m", "owner": "@", "sources": sources}]}).replace('"@"', "1.10")
    assert folder.load(text, name="a.json").models[0].owner == "1.10"
    text = 'version = 1\n[[models]]\nname = "m"\nowner = 1.10\n[models.sources.features]\ntopic = "t"\nfields = {id = "id", features = "."}'
    assert folder.load(text, name="a.toml").models[0].owner == "1.10"


def test_variables_become_what_the_place_wants(folder: Folder) -> None:
    text = with_model(
        "owner: ${OWNER:-}",
        "runbook: ${RUNBOOK:-https://wiki.example.com/fraud}",
        'false_alarms_per_week: "${BUDGET:-1e-1}"',
        "max_segments: ${SEGMENTS}",
        'monitors: [{subjects: [x], detectors: [{kind: psi, bins: "${BINS:-20}", policy: "${POLICY}", window: 50}]}]',
        top="kafka: {static_membership: '${STATIC}'}\nengine: {grace: '${GRACE}s'}\n",
    )
    config = folder.load(text, SEGMENTS="7", STATIC="true", GRACE="5", POLICY="3")
    model = config.models[0]
    assert (model.owner, model.runbook) == (None, "https://wiki.example.com/fraud")
    assert (model.false_alarms_per_week, model.max_segments) == (0.1, 7)
    assert (config.kafka.static_membership, config.engine.grace) == (True, 5_000)
    assert model.monitors[0].detectors == [{"kind": "psi", "bins": 20, "policy": "3", "window": 50}]


def test_a_missing_variable_is_a_problem_at_its_place(folder: Folder) -> None:
    text = with_model(
        "owner: ${TEAM:?who answers an alert}", "segments: [country, '${SEGMENT}']", "runbook: https://${HOST}/${PAGE}", "task: ${"
    )
    forms = "expected ${NAME}, ${NAME:-default} or ${NAME:?message}; $$ is a dollar"
    assert folder.complaint(text, TEAM="", HOST="wiki").splitlines()[::3] == [
        "driftsonde.yaml:5:12: models[0].owner: environment variable TEAM is empty: who answers an alert",
        "driftsonde.yaml:6:25: models[0].segments[1]: environment variable SEGMENT is not set",
        "driftsonde.yaml:7:14: models[0].runbook: environment variable PAGE is not set",
        f"driftsonde.yaml:8:11: models[0].task: a '${{' that is no variable; {forms}",
    ]


def test_the_value_of_a_variable_is_what_was_found(folder: Folder) -> None:
    assert "found '-3'; expected at least 1" in folder.complaint(with_model("max_segments: ${N}"), N="-3")


def test_anchors_and_merges(folder: Folder) -> None:
    text = f"""
        version: 1
        models:
          - name: first
            owner: &team payments
            monitors: &usual [{{subjects: [a]}}]
            sources:
              {FEATURES}
              predictions: &p {{topic: p, fields: &f {{id: id, score: s}}}}
          - name: second
            owner: *team
            monitors: *usual
            sources: {{predictions: {{<<: *p, topic: q, fields: {{<<: [*f], id: key}}}}}}
    """
    second = folder.load(text).model("second")
    assert (second.owner, second.monitors[0].subjects) == ("payments", ["a"])
    assert second.sources.predictions is not None
    assert second.sources.predictions.topic == "q"
    assert (second.sources.predictions.fields.id, second.sources.predictions.fields.score) == ("key", "s")


def test_what_is_found_out_later_gets_a_place_too(folder: Folder) -> None:
    Path("a.yaml").write_text(with_model(sources=f"{FEATURES}, {PREDICTIONS}"), encoding="utf-8")
    read = read_config(Path("a.yaml"), env={}, detectors=DETECTORS)
    topic = read.problem(("models", 0, "sources", "predictions", "topic"), "no such topic")
    assert (topic.where, topic.path) == ("a.yaml:4:102", "models[0].sources.predictions.topic")
    assert read.problem(("models", 0, "owner"), "missing").where == "a.yaml:3:5"
    assert read.problem(("kafka", "bootstrap_servers"), "can't be reached").where == "a.yaml:1:1"


def test_the_configuration_imports_no_yaml() -> None:
    """Workers, codecs and the engine import it; only reading a file needs YAML."""
    check = "import sys, schemas.config; sys.exit('ruamel.yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_without_a_catalogue_detectors_are_taken_as_they_are(folder: Folder) -> None:
    Path("a.yaml").write_text(
        with_model("monitors: [{subjects: [x], detectors: [magic, {kind: spell, power: 9, on: true}]}]"), encoding="utf-8"
    )
    config: Config = read_config(Path("a.yaml"), env={}).value
    assert config.models[0].monitors[0].detectors == ["magic", {"kind": "spell", "power": 9, "on": True}]


def test_a_label_source_loads(folder: Folder) -> None:
    assert folder.load(with_model("task: binary", sources=f"{FEATURES}, {PREDICTIONS}, {LABELS}")).models[0].sources.labels is not None


def test_windows_line_ends_and_byte_order_mark(folder: Folder) -> None:
    text = "\ufeff" + with_top("engine: {grace: 3s}").replace("\n", "\r\n")
    Path("a.yaml").write_bytes(text.encode())
    assert read_config(Path("a.yaml"), env={}).value.engine.grace == 3_000
