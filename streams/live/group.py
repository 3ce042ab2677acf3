"""Who of the consumer group reads what: the only way to see that nobody reads a topic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.config import Config
from schemas.errors import BrokerError
from streams.live.credentials import librdkafka

__all__ = ["GroupWatch"]


class GroupWatch:
    """Asks the brokers for the members of the group.

    Parameters
    ----------
    config : Config
        Brokers, group and topics.
    seconds : float
        How long an answer may take.
    """

    def __init__(self, config: Config, *, seconds: float = 10.0) -> None:
        self._config, self._seconds = config, seconds
        self._admin = AdminClient(librdkafka(config.kafka))

    def unowned(self) -> set[tuple[str, int]]:
        """Return the partitions of source and journal topics that no member has. Blocks; call it in a thread.

        Raises
        ------
        BrokerError
            No answer.
        """
        group = self._config.application
        try:
            described = self._admin.describe_consumer_groups([group], request_timeout=self._seconds)[group].result()
            wanted = set(self._partitions([*self._config.source_topics(), self._config.journal_topic]))
        except KafkaException as error:
            raise BrokerError(f"group {group} can't be described now: {error.args[0].str()}") from error
        return wanted - {(owned.topic, owned.partition) for member in described.members for owned in _assigned(member)}

    def _partitions(self, topics: Iterable[str]) -> Iterable[tuple[str, int]]:
        for topic in topics:
            for partition in self._admin.list_topics(topic, timeout=self._seconds).topics[topic].partitions:
                yield topic, partition


def _assigned(member: Any) -> Iterable[Any]:
    return () if member.assignment is None else member.assignment.topic_partitions
