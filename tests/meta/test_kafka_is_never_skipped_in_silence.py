import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def broker_tests_without_java_or_maven(cache: Path, *, ci: str) -> subprocess.CompletedProcess[str]:
    """Run the broker tests where no Kafka can be had."""
    env = {**os.environ, "CI": ci, "PATH": "", "KAFKA_LOCAL_CACHE": str(cache)}
    env.pop("KAFKA_BOOTSTRAP_SERVERS", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/integration/test_broker.py"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_ci_without_kafka_ends_with_code_3_and_the_reason(tmp_path: Path) -> None:
    run = broker_tests_without_java_or_maven(tmp_path, ci="true")
    assert run.returncode == 3
    assert "CI=true requires a real Kafka: no mvn on PATH" in run.stdout


def test_elsewhere_the_reason_of_the_skip_is_shown(tmp_path: Path) -> None:
    run = broker_tests_without_java_or_maven(tmp_path, ci="false")
    assert run.returncode == 0
    assert "no Kafka: no mvn on PATH" in run.stdout
