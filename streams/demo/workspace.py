"""The directory of a demo: configuration, recorded history, reference. It stays, so that the user can play on."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from detectors import available
from schemas.config import Config
from schemas.config_file import load_config
from streams.demo.synthetic import FEATURES, LABELS, PREDICTIONS, Record, history, traffic
from streams.replay.files import FileSource
from streams.replay.reference_builder import build_references
from streams.replay.tally import Tally

__all__ = ["Workspace", "prepare"]

_CONFIG = """\
version: 1
application: {application}
kafka:
  bootstrap_servers: {bootstrap}
alerts: {{topic: {application}.alerts}}
dead_letters: {{topic: {application}.dead-letters}}
engine: {{grace: 5s}}                # history played at some thousand times its speed: patience with a busy machine

models:
  - name: fraud
    owner: payments-ml
    runbook: https://example.com/runbooks/fraud-drift
    task: binary
    positive: fraud
    false_alarms_per_week: 0.1      # for the whole model; the thresholds follow from it
    sources:
      features:
        topic: {features}
        fields: {{id: id, time: ts, version: model.version, features: payload.features}}
      predictions:
        topic: {predictions}
        fields: {{id: id, time: ts, version: version, prediction: label, score: score}}
      labels:
        topic: {labels}
        fields: {{id: id, time: ts, arrived: ts, label: label}}
        horizon: 2d                 # how long a prediction waits for its label
        ages: [30h]                 # a first look, when nine of ten labels have come
    references:
      "3": references/fraud-3.json
"""


@dataclass(frozen=True, slots=True)
class Workspace:
    """What was prepared.

    Parameters
    ----------
    config_path, config : Path, Config
        The configuration.
    topics : dict
        The configured topic, by the topic of a synthetic record.
    traffic : dict
        The file of each configured topic: what is published to Kafka, for backtests that need none.
    """

    directory: Path
    config_path: Path
    config: Config
    topics: dict[str, str]
    traffic: dict[str, Path]


def prepare(directory: Path, *, bootstrap: str, application: str) -> Workspace:
    """Write the configuration, the history, the reference that is built from it, and the traffic.

    Parameters
    ----------
    directory : Path
        Where to; it exists.
    bootstrap : str
        Kafka's address, as it is to stand in the configuration.
    application : str
        Prefix of all topics.
    """
    topics = {FEATURES: f"{application}.features", PREDICTIONS: f"{application}.predictions", LABELS: f"{application}.labels"}
    config_path = directory / "driftsonde.yaml"
    names = {name.rpartition(".")[2]: topic for name, topic in topics.items()}
    config_path.write_text(_CONFIG.format(application=application, bootstrap=bootstrap, **names))
    config = load_config(config_path, env=os.environ, detectors=available())
    files = _write(directory / "history", history())
    source = FileSource(config, {topics[name]: files[name] for name in (FEATURES, PREDICTIONS)})
    built = build_references(config, source, origin="the history in this directory", tally=Tally())
    path = directory / "references" / "fraud-3.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(built["fraud", "3"].to_json())
    files = {topics[name]: path for name, path in _write(directory / "traffic", traffic()).items()}
    return Workspace(directory, config_path, config, topics, files)


def _write(directory: Path, records: Iterable[Record]) -> dict[str, Path]:
    """Write records as JSON lines, one file a topic; return the file of each."""
    directory.mkdir(exist_ok=True)
    lines: dict[str, list[bytes]] = {}
    for record in records:
        lines.setdefault(record.topic, []).append(record.value + b"\n")
    files = {}
    for topic, mine in lines.items():
        files[topic] = directory / f"{topic.rpartition('.')[2]}.jsonl"
        files[topic].write_bytes(b"".join(mine))
    return files
