import socket

import pytest

from streams.demo.kafka_local import KafkaCluster, KafkaUnavailable
from tests.integration.broker import Kafka, Sent

pytestmark = pytest.mark.kafka


def test_what_is_produced_is_read_back_by_partition_and_offset(kafka: Kafka) -> None:
    topic = kafka.topic(partitions=2)
    kafka.produce(
        topic,
        [
            Sent(b"b", partition=1, timestamp=1_700_000_000_000, key=b"k", headers={"reason": b"why"}),
            Sent(b"a", partition=0),
            Sent(None, partition=1),
        ],
    )
    records = kafka.read_all(topic)
    assert [(r.partition, r.offset, r.value) for r in records] == [(0, 0, b"a"), (1, 0, b"b"), (1, 1, None)]
    assert (records[1].timestamp, records[1].key, records[1].headers) == (1_700_000_000_000, b"k", {"reason": b"why"})


@pytest.mark.usefixtures("kafka")  # what can't be started where there is no Kafka is skipped there
def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(KafkaUnavailable, match=f"port {port} is taken"):
            KafkaCluster(port=port).start()


def test_an_empty_topic_reads_as_nothing(kafka: Kafka) -> None:
    assert kafka.read_all(kafka.topic()) == []


def test_waiting_ends_when_enough_is_there(kafka: Kafka) -> None:
    topic = kafka.topic()
    kafka.produce(topic, [b"%d" % i for i in range(100)])
    assert kafka.wait_for(topic, lambda records: len(records) >= 100)[99].value == b"99"


def test_waiting_for_what_does_not_come_fails_and_says_what_was_there(kafka: Kafka) -> None:
    topic = kafka.topic()
    kafka.produce(topic, [b"one"])
    with pytest.raises(AssertionError, match=r"not there within 0.5 s; 1 records: .*one"):
        kafka.wait_for(topic, lambda records: len(records) > 1, timeout=0.5)
