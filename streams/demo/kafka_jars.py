"""The jars of an Apache Kafka broker, fetched once from Maven Central and kept in a cache.

Environment: ``KAFKA_LOCAL_CACHE`` (default ``~/.cache/kafka-local``), ``JAVA_HOME``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from schemas.errors import BrokerError

__all__ = ["FILES", "KafkaUnavailable", "VERSION", "fetch", "java"]

#: The release that tests and demo run on.
VERSION = "4.3.1"
#: Where pom.xml, server.properties and log4j2.xml lie.
FILES = Path(__file__).with_name("broker")


class KafkaUnavailable(BrokerError):
    """No local broker can be had here; the message says which step failed and why."""


def java() -> str:
    """Path of the java program: ``$JAVA_HOME/bin/java``, else the one on PATH.

    Raises
    ------
    KafkaUnavailable
        There is none.
    """
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if not found or not Path(found).exists():
        raise KafkaUnavailable(f"no java {'at ' + found if found else 'on PATH'}; Kafka {VERSION} needs Java 17 or newer")
    return found


def fetch(version: str = VERSION, *, timeout: float = 900) -> Path:
    """Return the directory of a broker's jars, filled on first use; safe when several processes start together.

    Parameters
    ----------
    version : str
        Kafka release, 4.0 or newer.
    timeout : float
        Seconds that Maven may take.

    Raises
    ------
    KafkaUnavailable
        No Maven, or it could not fetch.
    """
    cache = Path(os.environ.get("KAFKA_LOCAL_CACHE") or Path.home() / ".cache" / "kafka-local")
    libs = cache / version / "libs"
    complete = libs.parent / "complete"
    if complete.exists():
        return libs
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable(f"no mvn on PATH to fetch Kafka's jars with, and none are cached in {libs}")
    libs.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="libs-", dir=libs.parent) as scratch:
        fetched = Path(scratch) / "libs"
        _copy_dependencies(maven, version, fetched, timeout)
        if not libs.exists():  # another process may have been quicker
            fetched.rename(libs)
    complete.touch()
    return libs


def _copy_dependencies(maven: str, version: str, target: Path, timeout: float) -> None:
    command = [maven, "-B", "-q", "-U", "-f", str(FILES / "pom.xml"), f"-Dkafka.version={version}", "dependency:copy-dependencies"]
    command += [f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise KafkaUnavailable(f"mvn did not fetch the jars of Kafka {version} within {timeout:.0f} s") from None
    if done.returncode or not list(target.glob(f"kafka_2.13-{version}.jar")):
        lines = done.stdout.splitlines()
        reasons = [line for line in lines if "[ERROR]" in line][:3] or lines[-5:]
        raise KafkaUnavailable(f"mvn could not fetch the jars of Kafka {version}:\n" + "\n".join(line[:400] for line in reasons))
