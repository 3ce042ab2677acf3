"""The alert topic, read as it stands or followed as it grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

from confluent_kafka import Consumer, KafkaError, TopicPartition
from pydantic import ValidationError

from schemas.alerts import Alert
from schemas.config import Config
from schemas.errors import BrokerError, DataError
from schemas.events import Source
from streams.replay.kafka_client import connect, offsets_at, partition_counts, watermarks

__all__ = ["follow_alerts", "read_alerts"]


def read_alerts(config: Config, *, since_ms: int | None = None) -> Iterator[Alert]:
    """Yield the alerts that the topic holds now, partition by partition in the order of their offsets.

    Parameters
    ----------
    since_ms : int, optional
        Only those published at this time or later.

    Raises
    ------
    BrokerError
        Nothing answers, or the topic does not exist.
    DataError
        A record of the topic is no alert.
    """
    with closing(connect(config, enable_partition_eof=True)) as consumer:
        for source, start in _starts(consumer, config, since_ms).items():
            if start < watermarks(consumer, source)[1]:
                consumer.assign([TopicPartition(*source, start)])
                yield from _alerts(consumer, None)


def follow_alerts(config: Config, *, since_ms: int | None = None, done: Callable[[], bool] = lambda: False) -> Iterator[Alert]:
    """Yield the alerts published at `since_ms` or later, and go on with those to come until `done`; errors as in `read_alerts`."""
    with closing(connect(config)) as consumer:
        consumer.assign([TopicPartition(*source, start) for source, start in _starts(consumer, config, since_ms).items()])
        yield from _alerts(consumer, done)


def _starts(consumer: Consumer, config: Config, since_ms: int | None) -> dict[Source, int]:
    topic = config.alerts.topic
    sources = [Source(topic, partition) for partition in range(partition_counts(consumer, [topic])[topic])]
    asked = {} if since_ms is None else offsets_at(consumer, sources, since_ms)
    starts = {}
    for source in sources:
        low, high = watermarks(consumer, source)
        found = asked.get(source, low)
        starts[source] = high if found is None else max(found, low)
    return starts


def _alerts(consumer: Consumer, done: Callable[[], bool] | None) -> Iterator[Alert]:
    """Yield what the assigned partitions hold: until `done`, or, without it, up to the end of the first."""
    while done is None or not done():
        message = consumer.poll(0.5)
        if message is None:
            continue
        if (error := message.error()) is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                return
            raise BrokerError(f"{message.topic()}/{message.partition()}: {error.str()}")
        try:
            yield Alert.from_json(message.value() or b"")
        except ValueError as error:  # orjson's and pydantic's errors are both
            where = f"{message.topic()}/{message.partition()}/{message.offset()}"
            said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise DataError(f"{where}: no alert of driftsonde: {said}") from None
