"""Who of the consumer group reads what, and how many partitions there are: the only way to see that nobody reads a topic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from schemas.config import Config
from schemas.errors import BrokerError
from streams.live.credentials import faust_credentials

__all__ = ["GroupView", "look_at_group"]


@dataclass(frozen=True, slots=True)
class GroupView:
    """What was seen of the group.

    Parameters
    ----------
    partitions : mapping of str to int
        Number of partitions of each source topic and the journal.
    owned : set of (str, int)
        Partitions that a member of the group has.
    """

    partitions: Mapping[str, int]
    owned: frozenset[tuple[str, int]]

    @property
    def unowned(self) -> set[tuple[str, int]]:
        """Partitions that nobody reads."""
        return {(topic, p) for topic, count in self.partitions.items() for p in range(count)} - self.owned


async def look_at_group(config: Config, *, seconds: float = 10.0) -> GroupView:
    """Ask the brokers for the topics and the members of the group.

    Not by librdkafka: a broker that goes away while its admin client waits can end the process by an assertion (seen with 2.16).

    Raises
    ------
    BrokerError
        No answer.
    """
    topics = [*config.source_topics(), config.journal_topic]
    admin = AIOKafkaAdminClient(
        bootstrap_servers=config.kafka.bootstrap_servers,
        request_timeout_ms=int(seconds * 1000),
        **credentials_to_aiokafka_auth(faust_credentials(config.kafka)),
    )
    try:
        await admin.start()
        described = await admin.describe_topics(topics)
        groups = await admin.describe_consumer_groups([config.application])
    except KafkaError as error:
        raise BrokerError(f"the group can't be looked at now: {error}") from error
    finally:
        await admin.close()
    members = [member for answer in groups for group in answer.to_object()["groups"] for member in group["members"]]
    return GroupView(
        {topic["topic"]: len(topic["partitions"]) for topic in described},
        frozenset((owned.topic, owned.partition) for member in members for owned in _assigned(member)),
    )


def _assigned(member: Mapping[str, Any]) -> list[Any]:
    assignment = member["member_assignment"]
    partitions: list[Any] = ConsumerProtocolMemberAssignment.decode(assignment).partitions() if assignment else []
    return partitions
