"""The fixture `kafka`: a real Apache Kafka for the whole session, and never a silent skip.

A broker named by KAFKA_BOOTSTRAP_SERVERS is taken if there is one (and must answer); else one is started from jars. Where neither is to
be had, the tests are skipped with the reason, but under CI=true the run ends: a green run there has talked to Kafka.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException

from streams.demo.kafka_local import KafkaCluster, KafkaUnavailable
from tests.integration.broker import Kafka
from tests.integration.worker import Workers

_required = os.environ.get("CI") == "true"
_ran: set[str] = set()


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        broker = Kafka(given)
        try:
            broker.topics()
        except KafkaException as error:
            pytest.exit(f"KAFKA_BOOTSTRAP_SERVERS={given} does not answer: {error}", returncode=3)
        yield broker
        return
    try:
        cluster = KafkaCluster().start()
    except KafkaUnavailable as error:
        if _required:
            pytest.exit(f"CI=true requires a real Kafka: {error}", returncode=3)
        pytest.skip(f"no Kafka: {error}")
    try:
        yield Kafka(cluster.bootstrap)
    finally:
        cluster.close()


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    """Start `driftsonde run` as processes; those that still live at the end of the test are killed."""
    started = Workers(tmp_path)
    yield started
    started.kill_all()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and not report.skipped and "kafka" in report.keywords:
        _ran.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    selected = [item for item in session.items if item.get_closest_marker("kafka")]
    if _required and selected and not _ran and session.exitstatus == pytest.ExitCode.OK and not session.config.option.collectonly:
        print(f"\nCI=true: {len(selected)} tests that need Kafka were selected and none ran")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
