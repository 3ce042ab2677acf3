"""Whatever is wrong with a configuration, what it says about it holds no secret."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from tests.unit.schemas.configs import Folder, with_model, with_top

SECRET = "hunter2"

LINES = {
    "a value of the wrong form": "sasl.password: [hunter2]",
    "a mapping": "sasl.password: {hunter2: hunter2}",
    "a list on lines of its own": "sasl.password:\n  - hunter2",
    "a variable that is none": "sasl.password: ${hunter2",
    "an alias without an anchor": "sasl.password: *hunter2",
    "a tag": "sasl.password: !hunter2 x",
    "a tag handle": "sasl.password: !hunter2!x y",
    "a quote that is never closed": "sasl.password: 'hunter2",
    "a forbidden first character": "ssl.key.password: @hunter2",
    "a colon": "sasl.oauthbearer.client.secret: hunter2: x",
    "a colon on the next line": "sasl.password:\n  hunter2: x: y",
    "a refused key beside it": "{sasl.password: hunter2, group.id: x}",
    "a key block with a tab": "ssl.key.pem: |\n  -----BEGIN PRIVATE KEY-----\n  Proc-Type: 4,ENCRYPTED\n\thunter2\n",
    "a key block that is not indented": "ssl.key.pem: |\n  -----BEGIN\n@hunter2\nhunter2==\n",
    "a login module": "sasl.jaas.config: org.apache.PlainLoginModule required\n  password=hunter2: x",
    "an explicit key": "? sasl.password\n: [hunter2]",
    "a properties file": "sasl.password=hunter2",
    "a truth": "token: hunter2\nssl.truststore.password:",
}


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES.keys())
def test_client_properties_do_not_show(folder: Folder, lines: str) -> None:
    assert SECRET not in folder.complaint(
        with_top("kafka:\n  properties:\n" + indent(lines, "    ", lambda line: not line.startswith(("@", "hunter2"))))
    )


def test_a_password_where_none_belongs_does_not_show(folder: Folder) -> None:
    complaint = folder.complaint(with_model("password: hunter2", "api_key: hunter2"))
    assert SECRET not in complaint
    assert (
        complaint
        == dedent("""
        driftsonde.yaml:5:5: models[0].password: unknown key 'password'; expected one of: name, owner, runbook, task, \\
        positive, negative, threshold, false_alarms_per_week, sources, references, monitors, segments, max_segments
             5 |     password: ***
               |     ^
        driftsonde.yaml:6:5: models[0].api_key: unknown key 'api_key'; expected one of: name, owner, runbook, task, \\
        positive, negative, threshold, false_alarms_per_week, sources, references, monitors, segments, max_segments
             6 |     api_key: ***
               |     ^
    """)
        .replace("\\\n", "")
        .strip()
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"version": 1, "kafka": {"properties": {"sasl.password": ["hunter2"]}}, "models": [1]}'),
        ("b.json", '{"version": 1, "kafka": {"properties": {"sasl.password": "hunter2", }}}'),
        ("a.toml", 'version = 1\nkafka.properties = {"sasl.password" = ["hunter2"]}\n'),
        ("b.toml", 'version = 1\n[kafka.properties]\n"sasl.password" = "hunter2\n'),
    ],
)
def test_neither_in_json_nor_in_toml(folder: Folder, name: str, text: str) -> None:
    assert SECRET not in folder.complaint(text, name=name)


def test_a_secret_from_the_environment_does_not_show(folder: Folder) -> None:
    text = with_top("kafka: {properties: {sasl.password: '${PASSWORD}', enable.auto.commit: true}, start_from: last}")
    assert SECRET not in folder.complaint(text, PASSWORD=SECRET)


def test_a_configuration_that_is_printed_shows_no_properties(folder: Folder) -> None:
    config = folder.load(with_top("kafka: {properties: {sasl.password: hunter2}}"))
    assert SECRET not in f"{config!r} {config}"
    assert config.kafka.properties == {"sasl.password": SECRET}
