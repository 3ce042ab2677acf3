from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

import streams.demo.verdict
from streams.cli.app import app
from streams.demo import synthetic


def test_without_kafka_the_same_traffic_gives_the_same_verdict(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--no-kafka", "--dir", str(tmp_path)])
    assert result.exit_code == 0, result.output
    *alerts, _, head, nulls, burst, prices, haste, concept, scores, _, verdict = result.stdout.splitlines()
    assert [line.split()[2] for line in alerts].count("FIRING") == 6
    assert head.split() == ["what", "happened", "alerted", "verdict"]
    assert all(line.endswith("found") for line in (nulls, prices, concept, scores))
    assert burst.endswith("nothing to say")
    assert haste.endswith("nothing to say")
    assert verdict == "every injected drift was alerted, and nothing else"
    assert (tmp_path / "references" / "fraud-3.json").exists()


def test_without_java_it_says_so_and_goes_on_without_kafka(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nothing"))
    result = CliRunner().invoke(app, ["demo", "--dir", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "NO KAFKA   no java" in result.stderr


def test_a_fault_that_is_not_found_fails_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    invented = synthetic.Injection(1_000, synthetic.TRAFFIC_ROWS, "feature_drift", ("balance",), "nothing at all")
    monkeypatch.setattr(streams.demo.verdict, "INJECTIONS", (*synthetic.INJECTIONS, invented))
    result = CliRunner().invoke(app, ["demo", "--no-kafka", "--dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "MISSING: feature_drift of 'balance'" in result.stdout


def test_a_broker_that_does_not_answer_is_no_reason_to_go_on_without(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "--bootstrap", "127.0.0.1:1", "--dir", str(tmp_path)])
    assert result.exit_code == 5
    assert "no broker answers at 127.0.0.1:1" in result.stderr
