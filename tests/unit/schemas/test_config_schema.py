"""The JSON Schema for editors agrees with what the reader takes and refuses."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from schemas.config_schema import config_json_schema
from schemas.errors import ConfigError
from tests.unit.schemas.configs import DETECTORS, PREDICTIONS, Folder, with_model, with_top
from tests.unit.schemas.test_config_file import EXAMPLE

SCHEMA = config_json_schema({kind: config.model_json_schema() for kind, config in DETECTORS.items()})
VALIDATOR = Draft202012Validator(SCHEMA)


def accepts(text: str) -> bool:
    document: Any = YAML(typ="safe", pure=True).load(text)
    return bool(VALIDATOR.is_valid(document))


def with_detectors(detectors: str) -> str:
    return with_model(f"monitors: [{{subjects: [x], detectors: {detectors}, evidence: {detectors}}}]")


def with_labels(keys: str) -> str:
    labels = f"labels: {{topic: l, fields: {{id: id, label: y}}, {keys}}}"
    return with_model("task: binary", sources=f"{PREDICTIONS}, {labels}")


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    "text",
    [
        EXAMPLE,
        with_model(),
        with_model('false_alarms_per_week: "${BUDGET:-1}"', 'max_segments: "${N:-5}"', 'task: "${TASK:-none}"'),
        with_top('engine: {grace: "${GRACE:-1s}", silence: 1h30m}\nkafka: {static_membership: "${STATIC:-true}"}'),
        with_top("kafka: {properties: {sasl.password: 1, enable.idempotence: true, security.protocol: SSL}}"),
        with_detectors("[psi, {kind: psi}, {kind: psi, bins: 20, threshold: '${T:-0.2}'}, {kind: river, name: KSWIN}]"),
        with_model("references: {default: {learn: 1000}, x: a.json}"),
        with_labels("horizon: 7d, ages: []"),
        with_labels("horizon: [7d, '${LONG:-30d}'], grace: 5m, ages: [1h, 2d], missing_label: negative, learn: '${N:-500}'"),
    ],
)
def test_what_the_reader_takes_it_takes(folder: Folder, text: str) -> None:
    folder.load(text)
    assert accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        with_model("frobnicate: 1"),
        with_model("task: dance"),
        with_model("max_segments: 0"),
        with_model("false_alarms_per_week: often"),
        with_top("engine: {grace: 10}"),
        with_top("engine: {grace: 10 s}"),
        with_top("engine: {grace: ''}"),
        with_detectors("[magic]"),
        with_detectors("[{kind: psi, bin: 20}]"),
        with_detectors("[{bins: 20}]"),
        with_detectors("[river]"),
        with_labels("horizon: 7"),
        with_labels("horizon: []"),
        with_labels("horizon: [soon]"),
        with_labels("ages: 1h"),
        with_labels("min_coverage: 50"),
        with_labels("missing_label: positive"),
        "version: 1\n",
        "version: 2\nmodels: []\n",
    ],
)
def test_what_the_reader_refuses_it_refuses(folder: Folder, text: str) -> None:
    with pytest.raises(ConfigError):
        folder.load(text)
    assert not accepts(text)


def test_defaults_of_durations_are_shown_as_durations() -> None:
    assert SCHEMA["$defs"]["EngineOptions"]["properties"]["checkpoint_every"]["default"] == "10s"
    assert SCHEMA["$defs"]["LabelsConfig"]["properties"]["horizon"]["default"] == "1w"


def test_every_key_of_the_top_is_explained() -> None:
    definitions = SCHEMA["$defs"]
    assert all("description" in definition for definition in definitions.values())
