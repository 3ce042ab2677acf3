"""A consumer that reads where it is told to: no group to join, nothing committed, nothing written."""

from __future__ import annotations

import logging
import time
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.config import Config
from schemas.errors import BrokerError
from schemas.events import Source

__all__ = ["connect", "offsets_at", "partition_counts", "watermarks"]

#: Seconds that a broker may take to answer a question.
TIMEOUT = 15.0
_FINAL = (KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._RESOLVE)


def connect(config: Config, **more: Any) -> Consumer:
    """Return a consumer that has spoken to a broker.

    Parameters
    ----------
    config : Config
        Brokers and client properties; the group's name is that of the application (for its permissions), but no group is joined.
    **more
        Further librdkafka properties, with underscores for dots.

    Raises
    ------
    BrokerError
        Nothing answers, or it refuses us.
    """
    reported: list[KafkaError] = []
    quiet = logging.Logger("driftsonde.kafka", logging.CRITICAL)  # what librdkafka logs comes back as errors, which we tell
    properties = {
        "bootstrap.servers": config.kafka.bootstrap_servers,
        **config.kafka.properties,
        "group.id": config.application,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
        "auto.offset.reset": "error",
        "error_cb": reported.append,
        **{name.replace("_", "."): value for name, value in more.items()},
    }
    try:
        consumer = Consumer(properties, logger=quiet)
    except KafkaException as error:
        raise BrokerError(f"kafka.properties can't be used: {_text(error)}") from None
    deadline = time.monotonic() + TIMEOUT
    while True:  # in short turns, to leave as soon as it is known that nobody will answer
        try:
            consumer.list_topics(timeout=1.0)
            return consumer
        except KafkaException as error:
            consumer.poll(0)  # error_cb is served here
            if time.monotonic() > deadline or any(e.code() in _FINAL for e in reported):
                consumer.close()
                why = reported[0].str() if reported else _text(error)
                raise BrokerError(f"no broker answers at kafka.bootstrap_servers = {config.kafka.bootstrap_servers!r}: {why}") from None


def partition_counts(consumer: Consumer, topics: list[str]) -> dict[str, int]:
    """How many partitions each topic has.

    Raises
    ------
    BrokerError
        A topic does not exist, or may not be seen.
    """
    known = consumer.list_topics(timeout=TIMEOUT).topics
    problems = []
    for topic in topics:
        if topic not in known:
            problems.append(f"topic {topic!r} does not exist (or may not be described)")
        elif known[topic].error is not None:
            problems.append(f"topic {topic!r}: {known[topic].error.str()}")
    if problems:
        raise BrokerError("\n".join(problems))
    return {topic: len(known[topic].partitions) for topic in topics}


def watermarks(consumer: Consumer, source: Source) -> tuple[int, int]:
    """Offset of the first record that is still there, and of the next one to be written."""
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(*source), timeout=TIMEOUT)
    except KafkaException as error:
        raise BrokerError(f"{source.topic}/{source.partition}: its range of offsets can't be read: {_text(error)}") from None
    return int(low), int(high)


def offsets_at(consumer: Consumer, sources: list[Source], time_ms: int) -> dict[Source, int | None]:
    """Offset of the first record of each source stamped at `time_ms` or later; None when there is none."""
    asked = [TopicPartition(*source, time_ms) for source in sources]
    try:
        answers = consumer.offsets_for_times(asked, timeout=TIMEOUT)
    except KafkaException as error:
        raise BrokerError(f"offsets by time can't be read: {_text(error)}") from None
    for answer in answers:
        if answer.error is not None:
            raise BrokerError(f"{answer.topic}/{answer.partition}: offsets by time can't be read: {answer.error.str()}")
    return {Source(a.topic, a.partition): a.offset if a.offset >= 0 else None for a in answers}


def _text(error: KafkaException) -> str:
    cause = error.args[0]
    return cause.str() if isinstance(cause, KafkaError) else str(cause)
