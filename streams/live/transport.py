"""Faust's aiokafka transport, mended: batches, our own positions, a lease, and a watchdog.

Membership, rebalancing, agents, the producer and the worker stay Faust's. Every topic is ``acks=False``: an exception in an agent acks
the event, so Faust's own offsets would lose the batch. Where to read on is decided by `Positions`.

Private names that we touch, guarded by tests/contract/test_faust_names.py:

* faust ``Consumer``: ``_to_message`` (what it reads of a record), ``_read_offset``, ``_thread``, ``_new_consumer_thread``
* faust ``AIOKafkaConsumerThread``: ``_consumer``, ``_thread``, ``_create_worker_consumer``, ``_ensure_consumer``, ``_fetch_records``,
  ``_seek_wait``
* faust ``Producer._settings_extra``
* aiokafka ``AIOKafkaConsumer``: ``_coordinator``, ``_fetcher``, ``_fetch_max_wait_ms``, ``_isolation_level``
* aiokafka ``GroupCoordinator``: ``check_errors``, ``_coordination_task``, ``_do_heartbeat``
* aiokafka ``Fetcher._subscriptions.subscription.assignment.state_value`` (position, highwater, timestamp)
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from aiokafka.errors import ConsumerStoppedError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service

from streams.live.batches import Run
from streams.live.progress import Standing

__all__ = ["BatchConsumer", "Positions", "Transport"]

logger = logging.getLogger(__name__)
_faust_logger = logging.getLogger("faust.consumer")  # its services would else log under the name of this module

#: Faust hard-codes 1500 ms. A partition whose records were just taken waits for the running fetch to end: the latency of a quiet topic.
FETCH_WAIT_MS = 200
#: Seconds before the same place is sought again.
SEEK_PATIENCE = 2.0


class Positions(Protocol):
    """What decides where partitions are read on, and saves what must be saved before they go."""

    async def release(self) -> None:
        """Partitions are about to go: make durable what is done."""
        ...

    async def resume(self, committed: Mapping[TP, int | None]) -> Mapping[TP, int]:
        """Return where to read on, for every assigned partition; `committed` are the group's offsets."""
        ...


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    logger = _faust_logger
    #: Until when (monotonic) the group can't have given our partitions away: a confirmed heartbeat was sent less than a session ago.
    lease = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.fetched: dict[TP, int] = {}

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._isolation_level = "read_committed"  # as a backtest reads: an aborted record has never been there
        return consumer

    async def on_start(self) -> None:
        await super().on_start()
        coordinator = self._ensure_consumer()._coordinator
        beat: Callable[[], Any] = coordinator._do_heartbeat

        async def confirmed_heartbeat() -> bool:
            sent = time.monotonic()
            confirmed: bool = await beat()
            if confirmed:
                self.lease = sent + self.app.conf.broker_session_timeout
            return confirmed

        coordinator._do_heartbeat = confirmed_heartbeat

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self.lease = time.monotonic() + self.app.conf.broker_session_timeout
        await super().on_partitions_assigned(assigned, generation_id)

    async def stop(self) -> None:
        try:
            await super().stop()
        except RuntimeError:
            if not self.thread_loop.is_closed():  # closed: after a crash the thread ends first, and there is nothing left to stop
                raise

    async def call_thread(self, fun: Any, *args: Any, **kwargs: Any) -> Any:
        # Faust waits for ever for the answer of a thread that has ended: after a crash the last commit never returned, and the worker
        # stayed alive, did nothing and ignored SIGTERM.
        call = asyncio.ensure_future(super().call_thread(fun, *args, **kwargs))
        try:
            while not call.done():
                await asyncio.wait([call], timeout=1.0)
                if not call.done() and self._thread is not None and not self._thread.is_alive():
                    raise ConsumerStoppedError()
            return call.result()
        finally:
            call.cancel()

    # The offsets a partition was read to are chained here, in the thread that moves the position: a hole that the log itself has is told
    # from records that got lost between this thread and the agent (Faust clears queues in a rebalance, faust-streaming #596).

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        try:
            records = await super()._fetch_records(*args, **kwargs)
        except BaseException:
            self.fetched.clear()  # some of it may have been taken out of the buffers and lost
            raise
        runs = {}
        for tp, fetched in records.items():
            run = runs[tp] = Run(fetched)
            run.after = self.fetched.get(tp, run[0].offset)
            self.fetched[tp] = run[-1].offset + 1
        return runs

    async def seek_to_committed(self) -> Mapping[TP, int]:
        self.fetched.clear()
        return await super().seek_to_committed()

    async def _seek_wait(self, consumer: Any, partitions: Mapping[TP, int]) -> None:
        self.fetched.update(partitions)
        await super()._seek_wait(consumer, partitions)


class BatchConsumer(driver.Consumer):
    """Faust's consumer, asking `Positions` where to read, with a lease and a watchdog."""

    #: Coordinator errors in a row before the worker crashes (and is restarted by its supervisor).
    max_coordinator_errors = 20
    logger = _faust_logger
    _thread: _ConsumerThread

    def __init__(self, transport: Transport, *args: Any, **kwargs: Any) -> None:
        super().__init__(transport, *args, **kwargs)
        self._positions = transport.positions
        self._seeking = asyncio.Lock()
        self._sought: dict[TP, tuple[int, float]] = {}
        self._assigned = False

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def hold_lease(self) -> None:
        """Wait until the group has confirmed us lately.

        A worker that was frozen (SIGSTOP, a paused VM) and wakes up would otherwise work through its buffers as a second owner.
        """
        while time.monotonic() > self._thread.lease and not self.should_stop:
            await self.sleep(0.05)

    def confirmed_since(self, moment: float) -> bool:
        """Whether the group has confirmed a heartbeat that was sent after `moment` (monotonic seconds)."""
        return self._thread.lease - self.app.conf.broker_session_timeout > moment and not self.app.rebalancing

    def standing(self, tp: TP) -> Standing | None:
        """Return how an assigned partition stands, or None before its first fetch."""
        consumer = self._thread._consumer
        subscription = consumer._fetcher._subscriptions.subscription if consumer is not None else None
        if subscription is None or subscription.assignment is None or tp not in subscription.assignment.tps:
            return None
        state = subscription.assignment.state_value(tp)
        if state.highwater is None or state.timestamp is None or not state.has_valid_position:
            return None
        fetched = self._thread.fetched.get(tp, state.position)
        return Standing(state.position, fetched, state.highwater, max(0.0, time.time() - state.timestamp / 1000))

    async def seek_back(self, tp: TP, offset: int) -> bool:
        """Read again from `offset`, unless that was asked for a moment ago: batches read before are still on their way."""
        now = time.monotonic()
        last_offset, at = self._sought.get(tp, (-1, 0.0))
        if last_offset == offset and now - at < SEEK_PATIENCE:
            return False
        self._sought[tp] = (offset, now)
        logger.warning("%s: records from offset %d on were lost inside the worker, reading them again", tp, offset)
        await self._thread.seek_wait({tp: offset})
        return True

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit offsets of partitions that are still ours; not in a rebalance, as a refused commit would start another."""
        if self.app.rebalancing:
            return False
        assigned = self.assignment()
        ours = {tp: offset for tp, offset in offsets.items() if tp in assigned}
        return bool(ours) and await self._thread.commit(ours)

    @Service.task
    async def _coordinator_watchdog(self) -> None:
        """Un-park aiokafka's group coordinator.

        aiokafka parks its coordination task on every unexpected group error until ``getmany()`` asks for errors. Faust never calls
        ``getmany``, so one such error leaves a worker in the group, alive, and silent for ever.
        """
        errors = 0
        while not self.should_stop:
            await self.sleep(random.uniform(0.3, 2.5))  # jitter: members shall not rejoin in lock-step
            consumer = self._thread._consumer
            if consumer is None:
                continue
            try:
                await self._thread.call_thread(_check_coordinator, consumer)
                errors = 0
            except KafkaError as error:
                errors += 1
                logger.error("group coordinator, error %d of %d in a row: %r", errors, self.max_coordinator_errors, error)
                if errors >= self.max_coordinator_errors or consumer._coordinator._coordination_task.done():
                    await self.crash(error)
                    return

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Save before partitions go; what can't be saved in time is read again by the next owner."""
        self._assigned = False
        if not self.app.should_stop:
            self.stop_flow()
            await self._release(self.app.conf.broker_rebalance_timeout * 0.4)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Let Faust go on; it ends with `perform_seek`."""
        self._assigned = True
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Seek every partition to where `Positions` says.

        Called by Faust's recovery before the flow resumes, and by its fetch loop when it wakes up in a rebalance. One at a time; and not
        between two assignments, as then it would claim partitions that others already have.
        """
        async with self._seeking:
            if not self._assigned:
                return
            await super().perform_seek()
            positions = await self._positions.resume({tp: self._read_offset.get(tp) for tp in self.assignment()})
            if positions:
                await self._thread.seek_wait(positions)

    async def on_stop(self) -> None:
        """Save a last time, but not after a crash: then the work since the last checkpoint is done again."""
        if not self.app.crashed:
            await self._release(10.0)
        try:
            await super().on_stop()
        except ConsumerStoppedError:
            logger.warning("the consumer had already ended; nothing more to commit")

    async def _release(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._positions.release(), seconds)
        except Exception as error:  # whatever it is, the stop or the rebalance must go on: unsaved work is done again
            logger.warning("could not save everything in %.0f s, the rest will be read again: %r", seconds, error)


async def _check_coordinator(consumer: Any) -> None:
    consumer._coordinator.check_errors()


class _IdempotentProducer(driver.Producer):
    logger = _faust_logger

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}  # a retried send must not write an alert twice


class Transport(driver.Transport):
    """Faust's aiokafka transport with our consumer and producer."""

    Consumer = BatchConsumer
    Producer = _IdempotentProducer

    def __init__(self, *args: Any, positions: Positions, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.positions = positions
