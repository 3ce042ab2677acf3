"""What the group is seen to read: all of it while a worker runs, nothing of it after."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from schemas.config import Config
from schemas.errors import BrokerError
from streams.live.group import look_at_group
from tests.integration.broker import Kafka
from tests.integration.live_world import PARTITIONS, LiveWorld
from tests.integration.worker import Workers, free_port

pytestmark = pytest.mark.kafka


def test_a_worker_alone_owns_every_partition_and_leaves_none_behind(kafka: Kafka, tmp_path: Path, workers: Workers) -> None:
    world = LiveWorld(kafka, tmp_path)
    path = world.config()
    config = Config.model_validate(json.loads(path.read_text()))
    worker = workers(path)
    view = asyncio.run(look_at_group(config))
    assert view.partitions == {world.features: PARTITIONS, config.journal_topic: config.journal.partitions}
    assert view.unowned == set()
    assert worker.terminate() == 0
    view = asyncio.run(look_at_group(config))
    assert len(view.unowned) == PARTITIONS + config.journal.partitions


def test_no_broker_is_an_error_that_may_pass(kafka: Kafka) -> None:
    config = Config.model_validate(
        {
            "version": 1,
            "kafka": {"bootstrap_servers": f"127.0.0.1:{free_port()}"},
            "models": [{"name": "fraud", "sources": {"features": {"topic": "f", "fields": {"id": "id", "features": "x"}}}}],
        }
    )
    with pytest.raises(BrokerError, match="the group can't be looked at now"):
        asyncio.run(look_at_group(config, seconds=2))
