"""Everything that can be wrong between us and the brokers, as readable lines, within ten seconds; run at every start.

It has to be: Faust silently drops a source topic that it may not read and runs on, healthy and blind; a right taken away crashes a
worker, and its restart comes up blind. Rights are asked for (KIP-430), not tried out: nothing is written.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its __init__ re-exports them without saying so
    AclOperation,
    AdminClient,
    NewTopic,
)

from schemas.config import Config
from schemas.errors import BrokerError
from streams.live.broker_hints import explain, is_final
from streams.live.credentials import librdkafka

__all__ = ["Need", "find_problems", "needs_of", "preflight"]

_FORBIDDEN = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)


@dataclass(frozen=True, slots=True)
class Need:
    """A topic and what we do with it.

    Parameters
    ----------
    operations : tuple of str
        ``READ``, ``WRITE``.
    partitions : int or None
        How many it must have, or (when it is ours and missing) gets; None for the user's topics.
    fixed : bool
        Whether another number of partitions is an error.
    settings : dict
        Topic settings when we create it.
    """

    topic: str
    operations: tuple[str, ...]
    partitions: int | None = None
    fixed: bool = False
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether we may create it."""
        return self.partitions is not None


def needs_of(config: Config) -> list[Need]:
    """Return what a worker needs of each topic of a configuration."""
    journal = {"cleanup.policy": "delete", "retention.ms": str(config.journal.retention)}
    # A small, often cleaned tail: it is what a restore reads.
    state = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1", "segment.ms": "600000"}
    delete = {"cleanup.policy": "delete"}
    count = config.journal.partitions
    return [
        *(Need(topic, ("READ",)) for topic in config.source_topics()),
        Need(config.journal_topic, ("READ", "WRITE"), count, fixed=True, settings=journal),
        Need(config.state_topic, ("READ", "WRITE"), count, fixed=True, settings=state),
        Need(config.alerts.topic, ("READ", "WRITE"), config.alerts.partitions, settings=delete),
        Need(config.dead_letters.topic, ("WRITE",), 1, settings=delete),
    ]


def preflight(config: Config) -> None:
    """Check brokers, login, topics, rights and partition counts; create what is ours and missing.

    Raises
    ------
    BrokerError
        Something is wrong: one line for each cause.
    """
    if problems := find_problems(config, create=True):
        raise BrokerError("\n".join(problems))


def find_problems(config: Config, *, create: bool, seconds: float = 8.0) -> list[str]:
    """Return what is wrong, one line for each cause; create our own missing topics only when asked to."""
    check = _Check(config, time.monotonic() + seconds)
    try:
        if (unreachable := check.connect()) is not None:
            return [unreachable]
        missing = check.topics(needs_of(config))
        check.creatable(missing)
        check.group()
        if not check.problems and create:
            check.create(missing)
            check.wait_for(missing)
    except KafkaException as error:
        check.problems.append(explain([*check.said, error.args[0].str()], check.properties))
    return check.problems


class _Check:
    def __init__(self, config: Config, deadline: float) -> None:
        self.config, self.deadline = config, deadline
        self.properties: dict[str, Any] = librdkafka(config.kafka)
        self.user = self.properties.get("sasl.username") or "this client"
        self.problems: list[str] = []
        self.said: list[str] = []
        self._hidden: set[str] = set()
        self.admin: Any = None

    def left(self) -> float:
        return max(0.5, self.deadline - time.monotonic())

    def connect(self) -> str | None:
        """Reach a broker; return why not."""
        log = logging.Logger("preflight")  # some reasons, such as plain text to a TLS port, only reach librdkafka's log
        log.addHandler(_Listener(self.said))
        self.properties |= {"socket.connection.setup.timeout.ms": 4000, "reconnect.backoff.max.ms": 1000}
        try:
            properties: dict[str, Any] = {**self.properties, "error_cb": lambda error: self.said.append(error.str())}
            self.admin = AdminClient(properties, logger=log)
        except KafkaException as error:  # an unreadable PEM file, an unknown property
            return f"kafka.properties refused: {error.args[0].str()}"
        while True:  # in short turns, to leave as soon as a final reason is known
            try:
                self.admin.list_topics(timeout=min(1.0, self.left()))
                return None
            except KafkaException as error:
                self.admin.poll(0.05)  # error_cb is only served here
                final = [said for said in self.said if is_final(said)]
                if final or time.monotonic() >= self.deadline - 4:
                    return explain(final or self.said or [error.args[0].str()], self.properties)

    def topics(self, needs: Sequence[Need]) -> list[Need]:
        """Check rights and partition counts; return our own topics that are missing or hidden from us."""
        missing = []
        described = self.admin.describe_topics(
            TopicCollection([need.topic for need in needs]), include_authorized_operations=True, request_timeout=self.left()
        )
        for need in needs:
            allowed = " and ".join(need.operations)
            try:
                found = described[need.topic].result()
            except KafkaException as error:
                code = error.args[0].code()
                if need.ours and code in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED):
                    missing.append(need)
                    if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:  # without DESCRIBE nobody can tell whether it is there
                        self._hidden.add(need.topic)
                elif code == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    self.problems.append(f"topic {need.topic} does not exist")
                elif code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    self.problems.append(
                        f"topic {need.topic}: {self.user} may not {allowed} it, or it does not exist"
                        f" (add ACL {allowed} on topic {need.topic})"
                    )
                else:
                    self.problems.append(f"topic {need.topic}: {error.args[0].str()}")
                continue
            granted = {operation.name for operation in found.authorized_operations or ()}
            if lacking := [operation for operation in need.operations if operation not in granted]:
                self.problems.append(
                    f"topic {need.topic}: {self.user} may not {' or '.join(lacking)} it"
                    f" (add ACL {', '.join(lacking)} on topic {need.topic})"
                )
            if need.fixed and len(found.partitions) != need.partitions:
                self.problems.append(
                    f"topic {need.topic} has {len(found.partitions)} partitions, expected journal.partitions = {need.partitions}; a model's"
                    f" place in the journal depends on it: set journal.partitions to {len(found.partitions)}, or give the configuration"
                    " another 'application' (it then starts anew, with topics of its own)"
                )
        return missing

    def creatable(self, missing: Sequence[Need]) -> None:
        """Check that our own missing topics could be created."""
        for need in missing:
            try:
                self._create(need, validate_only=True)
            except KafkaException as error:
                code, allowed = error.args[0].code(), ", ".join(need.operations)
                if code == KafkaError.TOPIC_ALREADY_EXISTS and need.topic not in self._hidden:
                    continue  # another worker has just made it
                if code == KafkaError.TOPIC_ALREADY_EXISTS:
                    self.problems.append(
                        f"topic {need.topic} exists, but {self.user} may not see it (add ACL {allowed} on topic {need.topic})"
                    )
                elif code in _FORBIDDEN:
                    self.problems.append(
                        f"topic {need.topic} is missing or hidden from {self.user}, and {self.user} may not create it"
                        f" (make it beforehand, partitions: {need.partitions}, or add ACL CREATE and DESCRIBE on topic {need.topic})"
                    )
                else:
                    self.problems.append(f"topic {need.topic} can't be created: {error.args[0].str()}")

    def create(self, missing: Sequence[Need]) -> None:
        """Create our own missing topics; another worker may be doing the same."""
        for need in missing:
            try:
                self._create(need, validate_only=False)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    self.problems.append(f"topic {need.topic} can't be created: {error.args[0].str()}")

    def wait_for(self, created: Sequence[Need]) -> None:
        """Check our rights to topics just created, once the broker shows them: to create one is not to be allowed to write to it."""
        while created and not self.problems:
            created = self.topics(created)
            if created and time.monotonic() >= self.deadline:
                self.problems += [f"topic {need.topic} was created, but the broker does not show it" for need in created]
            elif created:
                time.sleep(0.1)

    def _create(self, need: Need, *, validate_only: bool) -> None:
        topic = NewTopic(need.topic, need.partitions or 1, config=need.settings)  # replication: the broker's default
        self.admin.create_topics([topic], validate_only=validate_only, request_timeout=self.left())[need.topic].result()

    def group(self) -> None:
        """Check the right to use the consumer group."""
        group = self.config.application
        line = f"group {group}: {self.user} may not use it (add ACL READ on group {group})"
        while True:
            try:
                described = self.admin.describe_consumer_groups(
                    [group], include_authorized_operations=True, request_timeout=min(2.0, self.left())
                )[group].result()
                if AclOperation.READ not in (described.authorized_operations or ()):
                    self.problems.append(line)
                return
            except KafkaException as error:
                if error.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                    self.problems.append(line)
                    return
                if time.monotonic() >= self.deadline:
                    self.problems.append(f"group {group}: {error.args[0].str()}")
                    return
                time.sleep(0.2)  # a young or moving coordinator says this for some seconds


class _Listener(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(re.sub(r"^.*?\]: ", "", record.getMessage()))
