"""Synthetic traffic into topics of its own."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # re-exported without saying so

from schemas.errors import BrokerError
from streams.demo.synthetic import Record

__all__ = ["create_topics", "publish", "unused_application"]

PARTITIONS = 4
TIMEOUT = 5.0
_PACED = 100


def unused_application(bootstrap: str, name: str) -> str:
    """Return `name`, or with a number behind it, so that no topic of that application exists yet.

    Raises
    ------
    BrokerError
        Nothing answers.
    """
    try:
        topics = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=TIMEOUT).topics
    except KafkaException as error:
        raise BrokerError(f"no broker answers at {bootstrap}: {error.args[0].str()}") from None
    taken = {topic.partition(".")[0] for topic in topics}
    number = 1
    while (application := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return application


def create_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Create topics that keep everything: the invented clock stands in the past, which a retention time would delete."""
    topics = [NewTopic(name, num_partitions=PARTITIONS, config={"retention.ms": "-1"}) for name in names]
    admin = AdminClient({"bootstrap.servers": bootstrap})  # has to live until the topics are there
    for topic, created in admin.create_topics(topics).items():
        try:
            created.result(TIMEOUT)
        except KafkaException as error:
            raise BrokerError(f"topic {topic} can't be created: {error.args[0].str()}") from None


def publish(bootstrap: str, topics: Mapping[str, str], records: Iterable[Record], *, rate: float) -> None:
    """Send records in their order, at most `rate` a second, and wait until all are acknowledged.

    Parameters
    ----------
    topics : mapping
        Topic to send to, by the record's own.
    """
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5})
    failed: list[str] = []
    began = time.monotonic()
    for number, record in enumerate(records):
        producer.produce(
            topics[record.topic],
            record.value,
            record.key,
            timestamp=record.stamp,
            on_delivery=lambda error, _: failed.append(error.str()) if error else None,
        )
        if number % _PACED == 0:
            while (early := number / rate - (time.monotonic() - began)) > 0:
                producer.poll(early)
            producer.poll(0)
    if unsent := producer.flush(60):
        failed.append(f"{unsent} records were not acknowledged")
    if failed:
        raise BrokerError(f"{bootstrap}: the traffic could not be published: {failed[0]}")
