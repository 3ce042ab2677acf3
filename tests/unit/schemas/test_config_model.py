"""What the models of the configuration decide by themselves."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.config import Config, DetectorSpec, Kafka, Model, Monitor

EVIDENCE = ["psi", "adwin", "page_hinkley"]


def model(*monitors: dict[str, Any], **more: Any) -> Model:
    sources = {"features": {"topic": "t", "fields": {"id": "id", "features": "."}}}
    watched = {"monitors": list(monitors)} if monitors else {}
    return Model.model_validate({"name": "m", "sources": sources, **watched, **more})


def on(*subjects: str, **keys: list[DetectorSpec]) -> dict[str, Any]:
    return {"subjects": list(subjects), **keys}


@pytest.mark.parametrize(
    ("monitors", "decide", "explain"),
    [
        ([], ["esr"], EVIDENCE),
        ([on("*")], ["esr"], EVIDENCE),
        ([on("other")], [], []),
        ([on("amo*", "other")], ["esr"], EVIDENCE),
        ([on("*", detectors=["psi"])], ["psi"], ["adwin", "page_hinkley"]),
        ([on("*", detectors=["psi"]), on("amount", detectors=["adwin"])], ["adwin"], ["psi", "page_hinkley"]),
        ([on("amount", detectors=["adwin"]), on("*", detectors=["psi"])], ["psi"], ["adwin", "page_hinkley"]),
        ([on("*", detectors=["psi"]), on("amount", evidence=["esr"])], ["psi"], ["esr"]),
        ([on("*", evidence=["adwin"]), on("amount", detectors=["psi"])], ["psi"], ["adwin"]),
        ([on("*", detectors=["psi"]), on("amount")], ["psi"], ["adwin", "page_hinkley"]),
        ([on("*"), on("a*", detectors=[])], [], []),
        ([on("*"), on("a*", evidence=[])], ["esr"], []),
        ([on("*", detectors=[]), on("amount")], ["esr"], EVIDENCE),
        ([on("*", detectors=[]), on("amount", evidence=["psi"])], ["esr"], ["psi"]),
        ([on("*", detectors=[{"kind": "psi", "bins": 20}])], [{"kind": "psi", "bins": 20}], ["adwin", "page_hinkley"]),
    ],
)
def test_later_monitors_win(monitors: list[dict[str, Any]], decide: list[DetectorSpec], explain: list[DetectorSpec]) -> None:
    assert model(*monitors).plan("amount") == (decide, explain)


@pytest.mark.parametrize(
    ("glob", "subject", "matches"),
    [
        ("amount", "amount", True),
        ("amount", "Amount", False),
        ("item_?", "item_1", True),
        ("item_[12]", "item_3", False),
        ("item[0]", "item[0]", True),  # a name that looks like a glob is still a name
        ("*", "prediction", True),
    ],
)
def test_globs(glob: str, subject: str, matches: bool) -> None:
    assert Monitor(subjects=[glob]).matches(subject) is matches


def test_the_plan_is_the_callers_to_change() -> None:
    plan = model().plan("amount")
    plan[0].append("psi")
    assert model().plan("amount") == (["esr"], EVIDENCE)


def test_the_hash_is_of_the_meaning() -> None:
    assert model().config_hash == model(on("*"), task="none", false_alarms_per_week=1).config_hash
    assert model().config_hash != model(task="binary").config_hash
    assert model().config_hash.startswith("sha256:")


def test_an_unknown_model_is_a_key_error() -> None:
    config = Config(version=1, models=[model()])
    assert config.model("m") == config.models[0]
    with pytest.raises(KeyError, match="other"):
        config.model("other")


def test_topics_are_listed_with_all_that_is_read_from_them() -> None:
    sources = {
        "features": {"topic": "both", "fields": {"id": "id", "features": "."}},
        "predictions": {"topic": "both", "fields": {"id": "id", "score": "s"}},
    }
    config = Config(version=1, models=[model(), model(name="n", sources=sources)])
    topics = {topic: [(m.name, role) for m, role, _ in readers] for topic, readers in config.source_topics().items()}
    assert topics == {"t": [("m", "features")], "both": [("n", "features"), ("n", "predictions")]}


@pytest.mark.parametrize("servers", ["kafka", "kafka:9092", "a:1, b:2", "10.0.0.1:9092", "[::1]:9092", "[fe80::1]"])
def test_brokers(servers: str) -> None:
    assert Kafka(bootstrap_servers=servers).bootstrap_servers == servers


@pytest.mark.parametrize("servers", ["", "a:", ":9092", "a:b", "a,,b", "kafka://a:9092", "a b", "a:1:2"])
def test_no_brokers(servers: str) -> None:
    with pytest.raises(ValidationError, match="is not a broker"):
        Kafka(bootstrap_servers=servers)


def test_client_properties_are_written_as_librdkafka_writes_them() -> None:
    kafka = Kafka.model_validate({"properties": {"enable.idempotence": True, "linger.ms": 5, "sasl.password": "0123"}})
    assert kafka.properties == {"enable.idempotence": "true", "linger.ms": "5", "sasl.password": "0123"}
