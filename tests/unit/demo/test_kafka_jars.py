from __future__ import annotations

import stat
from pathlib import Path

import pytest

from schemas.errors import BrokerError
from streams.demo.kafka_jars import KafkaUnavailable, fetch, java


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAFKA_LOCAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path / "cache"


def put_maven(directory: Path, script: str) -> None:
    mvn = directory / "bin" / "mvn"
    mvn.parent.mkdir()
    mvn.write_text("#!/bin/sh\n" + script)
    mvn.chmod(mvn.stat().st_mode | stat.S_IXUSR)


COPIES = """
echo run >> "$(dirname "$0")/runs"
for argument in "$@"; do case "$argument" in -DoutputDirectory=*) out="${argument#*=}";; esac; done
mkdir -p "$out" && touch "$out/kafka_2.13-9.9.9.jar"
"""


def test_jars_are_fetched_once(cache: Path, tmp_path: Path) -> None:
    put_maven(tmp_path, COPIES)
    assert fetch("9.9.9") == fetch("9.9.9") == cache / "9.9.9" / "libs"
    assert [p.name for p in (cache / "9.9.9" / "libs").iterdir()] == ["kafka_2.13-9.9.9.jar"]
    assert (tmp_path / "bin" / "runs").read_text() == "run\n"


def test_a_failed_fetch_says_why_and_leaves_nothing_behind(cache: Path, tmp_path: Path) -> None:
    put_maven(tmp_path, "echo '[ERROR] Could not resolve kafka_2.13'; exit 1\n")
    with pytest.raises(KafkaUnavailable, match=r"Could not resolve kafka_2\.13"):
        fetch("9.9.9")
    assert list((cache / "9.9.9").iterdir()) == []


def test_a_fetch_that_copies_nothing_is_a_failure(cache: Path, tmp_path: Path) -> None:
    put_maven(tmp_path, "exit 0\n")
    with pytest.raises(KafkaUnavailable, match=r"9\.9\.9"):
        fetch("9.9.9")


def test_without_maven_it_says_so(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(KafkaUnavailable, match="no mvn on PATH"):
        fetch("9.9.9")


def test_without_java_it_says_so(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nothing"))
    with pytest.raises(KafkaUnavailable, match="no java at"):
        java()


def test_an_unavailable_kafka_is_the_brokers_fault() -> None:
    assert issubclass(KafkaUnavailable, BrokerError)
