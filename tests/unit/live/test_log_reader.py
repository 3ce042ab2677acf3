from __future__ import annotations

import asyncio
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from schemas.config import Config
from schemas.errors import BrokerError
from streams.live import log_reader
from streams.live.log_reader import Bounds, KafkaLog

CONFIG = Config.model_validate(
    {"version": 1, "models": [{"name": "m", "sources": {"features": {"topic": "f", "fields": {"id": "id", "features": "x"}}}}]}
)


class Broker:
    """Stands for librdkafka's consumer: refuses the first questions with these errors, then answers."""

    def __init__(self, *errors: int) -> None:
        self.errors = list(errors)

    def get_watermark_offsets(self, _: TopicPartition, timeout: float) -> tuple[int, int]:
        if self.errors:
            raise KafkaException(KafkaError(self.errors.pop(0)))
        return 3, 9

    def close(self) -> None:
        """Nothing is open."""


def bounds(broker: Broker, monkeypatch: pytest.MonkeyPatch, *, patience: float = 20.0) -> Any:
    monkeypatch.setattr(log_reader, "AGAIN_AFTER", 0.0)
    monkeypatch.setattr(KafkaLog, "_consumer", lambda _: broker)
    return asyncio.run(KafkaLog(CONFIG, patience=patience).bounds("state", [0]))


def test_while_a_leader_is_elected_the_question_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(KafkaError._DESTROY_BROKER, KafkaError.LEADER_NOT_AVAILABLE, KafkaError._TRANSPORT)
    assert bounds(broker, monkeypatch) == {0: Bounds(3, 9)}
    assert broker.errors == []


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokerError, match="topic state can't be read now"):
        bounds(Broker(KafkaError.LEADER_NOT_AVAILABLE), monkeypatch, patience=0.0)


def test_a_right_that_is_missing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.LEADER_NOT_AVAILABLE)
    with pytest.raises(KafkaException):
        bounds(broker, monkeypatch)
    assert broker.errors == [KafkaError.LEADER_NOT_AVAILABLE]
