"""Puts the live worker together: `build_app` is a factory, nothing is made at import time."""

from __future__ import annotations

import logging
import socket
import tempfile
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

import faust
from mode import CrashingSupervisor

from schemas.config import Config
from streams.engine.monitors import References
from streams.live.agents import Live, install_agents
from streams.live.batches import BatchScheduler
from streams.live.checkpoints import Checkpointer
from streams.live.credentials import faust_credentials
from streams.live.health import Health
from streams.live.journal import Journal
from streams.live.log_reader import KafkaLog
from streams.live.outlet import Outlet
from streams.live.positions import LivePositions
from streams.live.stages import Stages
from streams.live.transport import BatchConsumer, Transport

__all__ = ["LiveApp", "build_app"]


class LiveApp(faust.App):
    """The Faust app of a live worker, with its parts."""

    live: Live
    logger = logging.getLogger("faust.app")  # else the log of Faust's app would be named after our module


def build_app(
    config: Config, references: References, *, instance_id: str | None = None, datadir: Path | None = None, stages: Stages | None = None
) -> LiveApp:
    """Return the app of a live worker; it connects when it is started.

    Parameters
    ----------
    config : Config
        The configuration.
    references : mapping
        References loaded from files, by (model, version).
    instance_id : str, optional
        Name of this worker, unique in its group; the host's name when not given. With `kafka.static_membership` the group keeps this
        worker's partitions through a restart; two live workers of one name would take them from each other.
    datadir : path, optional
        Where Faust makes its directories, which stay empty.
    stages : Stages, optional
        Records what the stages cost.
    """
    name = instance_id or socket.gethostname()
    static = config.kafka.static_membership
    credentials = faust_credentials(config.kafka)
    app = LiveApp(
        config.application,
        broker=[f"kafka://{server.strip()}" for server in config.kafka.bootstrap_servers.split(",")],
        broker_credentials=credentials,
        broker_client_id=f"{config.application}-{name}",
        # A long session without static membership is the worst choice: a restarted worker joins, and the whole group waits for the
        # dead member to expire.
        consumer_group_instance_id=f"{config.application}-{name}" if static else None,
        # Partitions of a dead worker must find another before the engines think their sources stalled, which is after 30 s.
        broker_session_timeout=20.0 if static else 10.0,
        broker_heartbeat_interval=3.0 if static else 2.5,
        broker_rebalance_timeout=20.0,
        broker_request_timeout=40.0,
        broker_max_poll_records=None,
        broker_check_crcs=True,
        consumer_auto_offset_reset="earliest",  # only for offsets that have been deleted; where to start is decided by LivePositions
        consumer_max_fetch_size=4 * 1024 * 1024,
        consumer_metadata_max_age_ms=30_000,  # new partitions of a source are seen within half a minute
        producer_linger=0.005,
        producer_compression_type=None,  # lz4 took a fifth of the CPU, and random floats hardly shrink
        producer_max_request_size=1_000_000,
        processing_guarantee="at_least_once",  # exactly_once leaves the alerts outside its transaction
        agent_supervisor=CrashingSupervisor,
        stream_wait_empty=False,
        table_standby_replicas=1,  # 0 switches to another assignor, which does not keep partition numbers together
        topic_allow_declare=False,
        topic_disable_leader=True,
        ConsumerScheduler=BatchScheduler,
        store="memory://",
        datadir=datadir or Path(tempfile.gettempdir()) / f"{config.application}-faust",
        web_enabled=False,  # Faust's; ours is streams.live.web
        web_tables_enabled=False,
        web_router_enabled=False,
        worker_redirect_stdouts=False,
    )

    async def produce(
        topic: str, *, key: bytes, value: bytes | None, partition: int | None, headers: Sequence[tuple[str, bytes]]
    ) -> Awaitable[Any]:
        return await app.producer.send(topic, key, value, partition, None, list(headers))

    def consumer() -> BatchConsumer:
        made = app.consumer
        assert isinstance(made, BatchConsumer)
        return made

    journal, log, outlet = Journal(config), KafkaLog(config), Outlet(config, produce)
    checkpointer = Checkpointer(config, references, log=log, outlet=outlet, worker=name)
    positions = LivePositions(config, journal=journal, checkpointer=checkpointer, log=log, outlet=outlet, consumer=consumer)
    app.transport = Transport(app.conf.broker_consumer, app, positions=positions)
    app.producer_transport = Transport(app.conf.broker_producer, app, positions=positions)
    app.live = Live(
        config=config,
        consumer=consumer,
        journal=journal,
        outlet=outlet,
        checkpointer=checkpointer,
        positions=positions,
        health=Health(),
        stages=stages or Stages(),
    )
    install_agents(app, app.live)
    return app
