"""The private names of Faust and aiokafka that streams.live.transport touches are there, and mean what they meant.

When one of these fails after an upgrade, read the file of that name upstream before you change anything here.
"""

from __future__ import annotations

import inspect

import aiokafka
import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import TopicPartitionState
from faust.transport.consumer import Consumer
from faust.transport.drivers import aiokafka as driver
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from streams.live.batches import BatchScheduler, Run
from streams.live.transport import BatchConsumer


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (driver.Consumer._to_message, ["self", "tp", "record"]),
        (driver.Consumer._new_consumer_thread, ["self"]),
        (driver.AIOKafkaConsumerThread._create_worker_consumer, ["self", "transport"]),
        (driver.AIOKafkaConsumerThread._ensure_consumer, ["self"]),
        (driver.AIOKafkaConsumerThread._fetch_records, ["self", "consumer", "active_partitions", "timeout", "max_records"]),
        (driver.AIOKafkaConsumerThread._seek_wait, ["self", "consumer", "partitions"]),
        (driver.AIOKafkaConsumerThread.seek_to_committed, ["self"]),
        (driver.AIOKafkaConsumerThread.call_thread, ["self", "fun", "args", "kwargs"]),
        (driver.AIOKafkaConsumerThread.commit, ["self", "offsets"]),
        (driver.AIOKafkaConsumerThread.on_partitions_assigned, ["self", "assigned", "generation_id"]),
        (driver.AIOKafkaConsumerThread.__post_init__, ["self"]),
        (driver.Producer._settings_extra, ["self"]),
        (Consumer.perform_seek, ["self"]),
        (Consumer.on_partitions_revoked, ["self", "revoked"]),
        (Consumer.stop_flow, ["self"]),
        (DefaultSchedulingStrategy.iterate, ["self", "records"]),
        (GroupCoordinator._do_heartbeat, ["self"]),
        (GroupCoordinator.check_errors, ["self"]),
    ],
    ids=lambda x: getattr(x, "__qualname__", ""),
)
def test_a_method_we_override_or_call_has_its_signature(function: object, expected: list[str]) -> None:
    assert parameters(function) == expected


@pytest.mark.parametrize(
    ("owner", "needed"),
    [
        (aiokafka.AIOKafkaConsumer, ("_fetch_max_wait_ms", "_isolation_level", "_coordinator", "_fetcher")),
        (GroupCoordinator, ("_coordination_task",)),
        (Fetcher, ("_subscriptions",)),
        (TopicPartitionState, ("highwater", "timestamp", "_position")),
    ],
    ids=lambda x: getattr(x, "__qualname__", ""),
)
def test_an_attribute_we_read_is_still_set(owner: object, needed: tuple[str, ...]) -> None:
    source = inspect.getsource(inspect.getmodule(owner))
    for name in needed:
        assert f"self.{name} = " in source, f"{owner} no longer sets {name}"


def test_faust_reads_of_a_record_only_what_a_batch_has() -> None:
    class Record:
        offset, timestamp, timestamp_type, key, value, headers = 7, 1000, 0, None, b"", ()

    [(tp, message)] = BatchScheduler().iterate({TP("topic", 3): [Record()]})
    source = inspect.getsource(driver.Consumer._to_message)
    read = {word.split("record.")[1].split(",")[0].split("\n")[0].strip() for word in source.split() if "record." in word}
    assert tp == TP("topic", 3)
    assert read, "Consumer._to_message no longer names what it reads as record.…"
    assert all(hasattr(message, name) for name in read)


def test_fetched_records_are_taken_out_and_returned_without_a_pause() -> None:
    # The chain of offsets in our consumer thread relies on it: between the last await and the return nothing else runs.
    source = inspect.getsource(Fetcher.fetched_records)
    draining = source.split("drained = {}")[1].split("if drained or not timeout")[0]
    assert "await" not in draining


def test_faust_still_hands_the_fetched_mapping_to_the_scheduler_as_it_is() -> None:
    assert "records_it = self.scheduler.iterate(records)" in inspect.getsource(Consumer.getmany)
    assert issubclass(Run, list)
    assert issubclass(BatchConsumer, driver.Consumer)


def test_faust_still_does_nothing_with_acks_of_topics_that_have_none() -> None:
    assert "if self.app.topics.acks_enabled_for(message.topic)" in inspect.getsource(Consumer.ack)


def test_a_failed_heartbeat_is_told_by_its_result() -> None:
    source = inspect.getsource(GroupCoordinator._do_heartbeat)
    assert "return True" in source
    assert "return False" in source
