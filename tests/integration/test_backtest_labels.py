"""Topics that were filled afterwards: a backtest must not take Kafka's timestamps for when labels came."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest

from schemas.config import Config
from schemas.errors import DataError
from schemas.events import Block, Role
from streams.engine import Engine
from streams.replay.kafka_range import KafkaRange
from streams.replay.runner import ReplayResult, replay, unhurried
from tests.integration.broker import Kafka, Sent

pytestmark = pytest.mark.kafka

START = 1_577_836_800_000  # 2020-01-01T00:00:00Z
HOUR = 3_600_000
ROWS = 300


def produce(kafka: Kafka, *, stamped: bool) -> Config:
    """Predictions a minute apart, and their labels two hours later; with their own times for timestamps, or the time of producing."""
    topics: dict[Role, str] = {"predictions": kafka.topic("predictions", partitions=2), "labels": kafka.topic("labels", partitions=2)}
    for role, topic in topics.items():
        sent = []
        for i in range(ROWS):
            time = START + 60_000 * i + (2 * HOUR if role == "labels" else 0)
            record = {"id": i, "ts": time, "reported": time + HOUR, "y": i % 2}
            sent.append(Sent(json.dumps(record).encode(), partition=i % 2, timestamp=time if stamped else 0))
        kafka.produce(topic, sent)
    return config_of(kafka, topics)


def config_of(kafka: Kafka, topics: Mapping[Role, str], **arrived: str) -> Config:
    fields = {"id": "id", "time": "ts", **arrived}
    sources = {
        "predictions": {"topic": topics["predictions"], "fields": {**fields, "prediction": "y"}},
        "labels": {"topic": topics["labels"], "fields": {**fields, "label": "y"}, "horizon": "1d"},
    }
    model = {"name": "fraud", "task": "binary", "references": {"default": {"learn": 100}}, "sources": sources}
    return Config.model_validate({"version": 1, "kafka": {"bootstrap_servers": kafka.bootstrap}, "models": [model]})


def backtest(config: Config, *, assume_delay_ms: int | None = None) -> ReplayResult:
    return replay(Engine(unhurried(config), {}), KafkaRange(config, assume_delay_ms=assume_delay_ms))


def test_topics_that_were_filled_afterwards_are_refused(kafka: Kafka) -> None:
    config = produce(kafka, stamped=False)
    topic = {role: source.topic for role, source in config.models[0].sources.items()}
    with pytest.raises(DataError) as refused:
        backtest(config)
    predictions, labels = str(refused.value).splitlines()
    assert f"300 of 300 predictions (topic {topic['predictions']})" in predictions
    assert f"300 of 300 labels (topic {topic['labels']})" in labels


def test_with_an_assumed_delay_they_are_read_in_the_order_of_their_own_times(kafka: Kafka) -> None:
    config = produce(kafka, stamped=False)
    result = backtest(config, assume_delay_ms=HOUR)
    assert result.assumption == "labels assumed to arrive 1h after their time"
    (stats,) = result.stats.models
    assert (stats.rows, stats.late, stats.forced) == ({"predictions": ROWS, "labels": ROWS}, 0, 0)
    delays = {
        block.roles: set((block.stamps - block.times).tolist())
        for read in KafkaRange(config, assume_delay_ms=HOUR).read()
        for block in read.messages
        if isinstance(block, Block)
    }
    assert delays == {("predictions",): {0}, ("labels",): {HOUR}}


def test_a_field_that_says_when_records_arrived_needs_no_assumption(kafka: Kafka) -> None:
    config = produce(kafka, stamped=False)
    topics = {role: source.topic for role, source in config.models[0].sources.items()}
    result = backtest(config_of(kafka, topics, arrived="reported"))
    assert result.assumption is None


def test_good_timestamps_stand(kafka: Kafka) -> None:
    config = produce(kafka, stamped=True)
    assert backtest(config).assumption is None
    blocks = [m for read in KafkaRange(config).read() for m in read.messages if isinstance(m, Block)]
    assert all(np.array_equal(block.stamps, block.times) for block in blocks)
