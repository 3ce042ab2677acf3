"""What is wrong between a worker and the brokers is said before it starts, and its own topics are made."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from schemas.config import Config
from schemas.errors import BrokerError
from streams.live.preflight import find_problems, preflight
from tests.integration.broker import Kafka
from tests.integration.live_world import LiveWorld
from tests.integration.worker import Workers, free_port

pytestmark = pytest.mark.kafka


def config(broker: Kafka, topic: str, **more: Any) -> Config:
    application = broker.unique("preflight")
    whole = {
        "version": 1,
        "application": application,
        "kafka": {"bootstrap_servers": broker.bootstrap},
        "alerts": {"topic": f"{application}.alerts", "partitions": 2},
        "dead_letters": {"topic": f"{application}.dead"},
        "models": [{"name": "fraud", "sources": {"features": {"topic": topic, "fields": {"id": "id", "features": "x"}}}}],
    }
    return Config.model_validate(whole | more)


def own_topics(config: Config) -> set[str]:
    return {config.journal_topic, config.state_topic, config.alerts.topic, config.dead_letters.topic}


def test_our_own_topics_are_created_as_configured_and_a_second_worker_finds_nothing_to_do(kafka: Kafka) -> None:
    wanted = config(kafka, kafka.topic("features"), journal={"partitions": 3, "retention": "2h"})
    assert find_problems(wanted, create=False) == []
    assert not own_topics(wanted) & kafka.topics()  # only looked
    preflight(wanted)
    preflight(wanted)
    assert own_topics(wanted) <= kafka.topics()
    assert (len(kafka.end_offsets(wanted.journal_topic)), len(kafka.end_offsets(wanted.state_topic))) == (3, 3)
    assert len(kafka.end_offsets(wanted.alerts.topic)) == 2
    assert setting(kafka, wanted.state_topic, "cleanup.policy") == "compact"
    assert setting(kafka, wanted.journal_topic, "retention.ms") == "7200000"


def test_every_missing_source_topic_is_named_and_none_is_created(kafka: Kafka) -> None:
    missing = kafka.unique("no-such-topic")
    with pytest.raises(BrokerError, match=f"^topic {missing} does not exist$"):
        preflight(config(kafka, missing))
    assert missing not in kafka.topics()


def test_another_number_of_journal_partitions_is_refused_with_the_way_out(kafka: Kafka) -> None:
    before = config(kafka, kafka.topic("features"))
    preflight(before)
    with pytest.raises(BrokerError) as caught:
        preflight(before.model_copy(update={"journal": before.journal.model_copy(update={"partitions": 6})}))
    lines = str(caught.value).splitlines()
    assert [line.split(" has ")[0] for line in lines] == [f"topic {before.journal_topic}", f"topic {before.state_topic}"]
    assert all("set journal.partitions to 4, or give the configuration another 'application'" in line for line in lines)


@pytest.mark.parametrize(
    ("servers", "line"),
    [
        ("127.0.0.1:{port}", "nothing answers at bootstrap.servers=127.0.0.1:"),
        ("no-such-host.invalid:9092", "no such host in bootstrap.servers=no-such-host.invalid:9092"),
    ],
)
def test_a_broker_that_cannot_be_reached_is_one_line_within_ten_seconds(kafka: Kafka, servers: str, line: str) -> None:
    unreachable = config(kafka, "features", kafka={"bootstrap_servers": servers.format(port=free_port())})
    began = time.monotonic()
    [problem] = find_problems(unreachable, create=False)
    assert problem.startswith(line)
    assert time.monotonic() - began < 10


def test_tls_to_a_plaintext_port_is_told_apart_from_silence(kafka: Kafka) -> None:
    wrong = config(kafka, "features", kafka={"bootstrap_servers": kafka.bootstrap, "properties": {"security.protocol": "SSL"}})
    [problem] = find_problems(wrong, create=False)
    assert "security.protocol=SSL does not fit this port" in problem


def test_a_topic_that_was_deleted_and_made_anew_is_refused(kafka: Kafka, tmp_path: Path, workers: Workers) -> None:
    world = LiveWorld(kafka, tmp_path)
    path = world.config()
    world.publish(500, drift_at=10**9)
    worker = workers(path)
    world.wait_until_read(path, worker)
    assert worker.terminate() == 0

    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.delete_topics([world.features])[world.features].result(30)
    deadline = time.monotonic() + 30
    while world.features in kafka.topics():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    kafka.create_topics(world.features, partitions=2)

    again = workers(path, ready=False)
    assert again.wait(60) == 1
    assert "it was deleted and made anew" in again.log_tail()


def test_the_command_ends_with_5_and_a_line_for_each_cause(kafka: Kafka, tmp_path: Path, workers: Workers) -> None:
    refused = config(kafka, kafka.unique("no-such-topic"))
    path = tmp_path / "driftsonde.json"
    path.write_text(json.dumps(refused.model_dump(mode="json", exclude_defaults=True)))
    worker = workers(path, ready=False)
    assert worker.wait(30) == 5
    assert "does not exist" in worker.log_tail()
    assert "Traceback" not in worker.log_tail()


def test_workers_that_start_together_do_not_quarrel_about_who_makes_the_topics(kafka: Kafka) -> None:
    wanted = config(kafka, kafka.topic("features"))
    with ThreadPoolExecutor(6) as pool:
        assert [problem for found in pool.map(lambda _: find_problems(wanted, create=True), range(6)) for problem in found] == []


def setting(kafka: Kafka, topic: str, name: str) -> str:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    value: str = admin.describe_configs([resource])[resource].result(30)[name].value
    return value
