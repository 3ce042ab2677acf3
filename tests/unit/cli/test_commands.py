from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from schemas.alerts import Alert
from streams.cli.app import app
from tests.unit.replay.configs import write_lines

CONFIG = """\
version: 1
kafka: {bootstrap_servers: "127.0.0.1:1"}
models:
  - name: fraud
    owner: ml
    runbook: https://example.com
    sources:
      features: {topic: f, fields: {id: id, time: ts, version: v, features: x}}
    references: {"1": references/1.json}
    monitors: [{subjects: ["*"], detectors: [page_hinkley], evidence: []}]
"""


LABELS = """\
      predictions: {topic: p, fields: {id: id, prediction: y}}
      labels: {topic: l, fields: {id: id, label: y}, horizon: 1d}
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "driftsonde.yaml").write_text(CONFIG)
    return tmp_path


def rows(n: int, *, shift: float = 0.0, version: str = "1") -> list[dict[str, object]]:
    """Rows of one feature that goes round and round, one a second, half of them shifted."""
    return [
        {"id": i, "ts": 1_767_571_200 + i, "v": version, "x": {"a": (i * 37 % 101) / 10 + (shift if i >= n // 2 else 0)}} for i in range(n)
    ]


@pytest.fixture
def built(project: Path) -> Path:
    """A project with its reference."""
    history = write_lines(project / "history.jsonl", rows(500))
    result = run("reference", "build", "-c", project / "driftsonde.yaml", "--input", f"features={history}")
    assert result.exit_code == 0, result.stderr
    return project


LIGHT = """
import sys
from streams.cli import main
sys.argv = ["driftsonde", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("command", ["--help", "version"])
def test_nothing_heavy_is_imported_before_a_command_runs(command: str) -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT, command], capture_output=True, text=True, check=True)
    assert not set(done.stderr.split()) & {"faust", "river", "scipy", "numpy", "confluent_kafka"}


def test_without_a_command_the_help_is_shown() -> None:
    result = run()
    assert result.exit_code == 2
    assert "backtest" in result.output


def test_a_configuration_with_mistakes_is_told_with_their_places_and_exits_with_4(project: Path) -> None:
    path = project / "driftsonde.yaml"
    path.write_text(CONFIG.replace("owner: ml", "owns: ml"))
    result = run("check", "-c", path)
    assert result.exit_code == 4
    assert f"error: {path}:5:5: models[0].owns" in result.stderr
    assert result.stdout == ""


def test_the_path_of_the_configuration_may_be_in_the_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTSONDE_CONFIG", str(project / "none.yaml"))
    result = run("check")
    assert result.exit_code == 4
    assert "none.yaml" in result.stderr


def test_check_fails_without_owner_and_runbook(built: Path) -> None:
    path = built / "driftsonde.yaml"
    assert run("check", "-c", path).exit_code == 0
    path.write_text("".join(line for line in CONFIG.splitlines(keepends=True) if "owner" not in line))
    result = run("check", "-c", path)
    assert result.exit_code == 4
    assert "'owner' is missing" in result.stderr


def test_check_tells_what_it_understood_of_labels(built: Path) -> None:
    path = built / "driftsonde.yaml"
    path.write_text(CONFIG.replace("    references:", f"{LABELS}    task: binary\n    references:"))
    result = run("check", "-c", path)
    assert result.exit_code == 0
    understood = "horizon 1d, grace 1h, corrections for 8h more; cohorts of 1h, seen first at 3h and 12h; without a label: unlabelled"
    assert result.stdout.splitlines()[0] == f"model 'fraud': labels: {understood}; the positive class is '1'"
    assert result.stderr == ""


def test_check_warns_of_labels_without_a_task(built: Path) -> None:
    path = built / "driftsonde.yaml"
    path.write_text(CONFIG.replace("    references:", f"{LABELS}    references:"))
    result = run("check", "-c", path)
    assert "labels are configured but task is none: they are counted, not joined" in result.stderr
    assert "model 'fraud'" not in result.stdout


def test_a_missing_reference_exits_with_4_and_says_how_to_build_it(project: Path) -> None:
    result = run("check", "-c", project / "driftsonde.yaml")
    assert result.exit_code == 4
    assert "driftsonde reference build --model fraud --version 1" in result.stderr


@pytest.mark.parametrize("command", [["check", "--connect"], ["backtest"], ["alerts", "list"]])
def test_a_broker_that_does_not_answer_exits_with_5(built: Path, command: list[str]) -> None:
    result = run(*command, "-c", built / "driftsonde.yaml")
    assert result.exit_code == 5
    assert "127.0.0.1:1" in result.stderr


def test_a_backtest_shows_the_alerts_and_fails_on_request(built: Path) -> None:
    live = write_lines(built / "live.jsonl", rows(1000, shift=5.0))
    command = ["backtest", "-c", built / "driftsonde.yaml", "--input", f"features={live}"]
    result = run(*command)
    assert result.exit_code == 0, result.stderr
    head, *lines = result.stdout.splitlines()
    assert head.split() == ["time", "of", "the", "data", "state", "severity", "kind", "stream", "summary"]
    assert len(lines) == 1
    assert "  firing  warning   feature_drift  fraud/1/all/a  a: mean 5 → " in lines[0]
    assert "1 alert; 1000 records" in result.stderr
    assert run(*command, "--fail-on", "warning").exit_code == 3
    assert run(*command, "--fail-on", "critical").exit_code == 0


def test_a_backtest_of_quiet_data_finds_nothing(built: Path) -> None:
    live = write_lines(built / "live.jsonl", rows(1000))
    result = run("backtest", "-c", built / "driftsonde.yaml", "--input", f"features={live}", "--fail-on", "info")
    assert (result.exit_code, result.stdout) == (0, "")


def test_alerts_for_programs_are_json_lines_on_stdout_and_in_a_file(built: Path) -> None:
    live, out = write_lines(built / "live.jsonl", rows(1000, shift=5.0)), built / "alerts.jsonl"
    result = run("backtest", "-c", built / "driftsonde.yaml", "--input", f"features={live}", "--json", "--alerts", out)
    assert result.stdout_bytes == out.read_bytes()
    (alert,) = map(Alert.from_json, out.read_bytes().splitlines())
    assert (alert.data.position.topic, alert.data.position.partition) == ("f", 0)
    assert 500 <= alert.data.position.offset < 600


JOINED = """\
      predictions: {topic: p, fields: {id: id, time: ts, prediction: y}}
      labels: {topic: l, fields: {id: id, time: ts, label: y}, horizon: 1d}
    task: binary
    references: {default: {learn: 100}}"""


def test_a_backtest_must_know_when_labels_arrived(project: Path) -> None:
    config = project / "driftsonde.yaml"
    config.write_text(CONFIG.replace('    references: {"1": references/1.json}', JOINED))
    live = write_lines(project / "live.jsonl", [{"id": i, "ts": 1_767_571_200 + i, "y": 1} for i in range(300)])
    command = ["backtest", "-c", config, "--input", f"predictions={live}", "--input", f"labels={live}"]
    refused = run(*command)
    assert refused.exit_code == 4
    assert refused.stderr.startswith("error: model 'fraud': labels come from a file, which does not say when they arrived")
    assert refused.stdout == ""
    assumed = run(*command, "--assume-delay", "90m")
    assert assumed.exit_code == 0, assumed.stderr
    assert "labels assumed to arrive 1h30m after their time" in assumed.stderr


def test_records_that_can_not_be_used_are_told_and_do_not_stop_a_backtest(built: Path) -> None:
    live = write_lines(built / "live.jsonl", [*rows(300), b"{", b"[]", b"}"])
    result = run("backtest", "-c", built / "driftsonde.yaml", "--input", f"features={live}")
    assert result.exit_code == 0
    assert f"warning: 2 records can't be used (undecodable), the first at {live}:301" in result.stderr
    assert f"warning: 1 record can't be used (not_an_object), the first at {live}:302" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--input", "features=none.jsonl", "--since", "1h"],
        ["--input", "labels=none.jsonl"],
        ["--since", "yesterday"],
        ["--since", "1h", "--until", "2h"],
        ["--fail-on", "drift"],
        ["--assume-delay", "1h"],
    ],
)
def test_wrong_usage_exits_with_2(built: Path, arguments: list[str]) -> None:
    assert run("backtest", "-c", built / "driftsonde.yaml", *arguments).exit_code == 2


@pytest.mark.parametrize("lines", [[], [b"not JSON"]])
def test_a_backtest_without_a_row_is_no_good_news(built: Path, lines: list[bytes]) -> None:
    live = write_lines(built / "live.jsonl", lines)
    result = run("backtest", "-c", built / "driftsonde.yaml", "--input", f"features={live}", "--fail-on", "info")
    assert result.exit_code == 4
    assert "error: there was no row to look at" in result.stderr


def test_results_that_can_not_be_written_are_told_without_a_traceback(built: Path) -> None:
    config, live = built / "driftsonde.yaml", write_lines(built / "live.jsonl", rows(1000))
    for command, option in ((["backtest"], "--alerts"), (["reference", "build"], "-o")):
        result = run(*command, "-c", config, "--input", f"features={live}", option, built)
        assert result.exit_code == 1
        assert f"error: {built}: can't be written: Is a directory" in result.stderr


def test_a_reference_is_written_where_the_configuration_says(built: Path) -> None:
    path = built / "references" / "1.json"
    result = run("reference", "show", path)
    assert result.exit_code == 0
    assert "fraud 1: 500 rows from 2026-01-05T00:00:00.000Z" in result.stdout
    shown = orjson.loads(run("reference", "show", path, "--json").stdout)
    assert shown["profiles"]["a"]["n"] == 500
    assert shown["content_hash"].startswith("sha256:")


def test_a_reference_of_few_rows_is_warned_about_and_one_of_very_few_refused(project: Path) -> None:
    config = project / "driftsonde.yaml"
    few = write_lines(project / "few.jsonl", rows(150))
    result = run("reference", "build", "-c", config, "--input", f"features={few}")
    assert result.exit_code == 0
    assert "warning: 150 rows show large shifts only" in result.stderr
    very_few = write_lines(project / "very_few.jsonl", rows(99))
    result = run("reference", "build", "-c", config, "--input", f"features={very_few}")
    assert result.exit_code == 4
    assert "99 rows, expected 100 at least" in result.stderr


def test_a_version_without_a_configured_file_needs_one(project: Path) -> None:
    config = project / "driftsonde.yaml"
    history = write_lines(project / "h.jsonl", [*rows(200), *rows(200, version="2")])
    both = run("reference", "build", "-c", config, "--input", f"features={history}")
    assert both.exit_code == 4
    assert "no file is configured for version '2'" in both.stderr
    assert not (project / "references").exists()
    one = run("reference", "build", "-c", config, "--input", f"features={history}", "--version", "2", "-o", project / "two.json")
    assert one.exit_code == 0
    assert (project / "two.json").exists()


@pytest.mark.parametrize("of", ["config", "alert", "dead-letter", "reference"])
def test_schemas_are_json(of: str) -> None:
    assert orjson.loads(run("schema", of).stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_detectors_are_listed_and_explained() -> None:
    kinds = [line.split()[0] for line in run("detectors").stdout.splitlines()[1:]]
    assert {"page_hinkley", "adwin", "psi", "esr"} <= set(kinds)
    for kind in kinds:
        assert run("detectors", kind).stdout.startswith(f"{kind}\n")
        assert orjson.loads(run("detectors", kind, "--json").stdout)["kind"] == kind
    assert run("detectors", "nope").exit_code == 2


def test_output_that_is_piped_has_no_terminal_control(built: Path) -> None:
    for command in (["detectors"], ["reference", "show", built / "references" / "1.json"]):
        output = run(*command).stdout
        assert "\x1b" not in output
        assert not any(line.endswith(" ") for line in output.splitlines())


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    command = f"{sys.executable} -m streams.cli schema config; echo $? >&2"
    done = subprocess.run(["bash", "-c", f"{{ {command}; }} | head -c 1 >/dev/null"], capture_output=True, text=True, check=False)
    assert done.stderr == "0\n"
