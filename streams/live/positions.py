"""Where every partition of this worker is read on, and when its offset is committed.

Source partitions go on at the group's committed offset, which is only moved over what the journal holds (`streams.live.progress`).
Journal partitions go on where their checkpoint says (`streams.live.checkpoints`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from time import monotonic

from faust.types import TP

from schemas.config import Config
from schemas.errors import BrokerError
from schemas.events import Source, Tick
from streams.live.checkpoints import Checkpointer
from streams.live.health import Place
from streams.live.journal import Journal
from streams.live.log_reader import LogReader
from streams.live.outlet import Outlet
from streams.live.progress import SourceProgress
from streams.live.transport import BatchConsumer

__all__ = ["LivePositions"]

logger = logging.getLogger(__name__)


class LivePositions:
    """The `Positions` of the live worker.

    Parameters
    ----------
    config : Config
        The configuration.
    journal : Journal
        Encodes ticks and announcements.
    checkpointer : Checkpointer
        Keeps the slots of the journal partitions.
    log : LogReader
        Says where partitions begin and end.
    outlet : Outlet
        Writes to the journal.
    consumer : callable
        Returns the consumer, once there is one.
    """

    def __init__(
        self,
        config: Config,
        *,
        journal: Journal,
        checkpointer: Checkpointer,
        log: LogReader,
        outlet: Outlet,
        consumer: Callable[[], BatchConsumer],
    ) -> None:
        self._config, self._journal, self._checkpointer = config, journal, checkpointer
        self._log, self._outlet, self._consumer = log, outlet, consumer
        self.sources: dict[TP, SourceProgress] = {}
        #: Set when partitions have been assigned: the models must be told their sources.
        self.reassigned = asyncio.Event()
        self.restored = False

    async def resume(self, committed: Mapping[TP, int | None]) -> Mapping[TP, int]:
        """Return where to read on, for every assigned partition."""
        self.restored = False
        journal = {tp.partition: offset for tp, offset in committed.items() if tp.topic == self._config.journal_topic}
        sources = {tp: offset for tp, offset in committed.items() if tp.topic in self._journal.models}
        before = self.sources
        restored, self.sources = await asyncio.gather(self._checkpointer.restore(journal), self._resume_sources(sources))
        await self._check_cursors()
        await self._revoke_idleness({tp: sources[tp] for tp, progress in self.sources.items() if before.get(tp) is not progress})
        self.reassigned.set()
        self.restored = True
        positions = {TP(self._config.journal_topic, p): offset for p, offset in restored.items()}
        return positions | {tp: progress.end for tp, progress in self.sources.items()}

    async def reclaim(self) -> None:
        """Restore slots that somebody else has claimed, when the group says that they are ours after all.

        A worker that was frozen may claim partitions that it has lost, before it learns of it.
        """
        consumer = self._consumer()
        lost = [t.superseded_at for t in self._checkpointer.tenures.values() if t.superseded_at is not None]
        if lost and consumer.confirmed_since(max(lost)):
            await consumer.perform_seek()

    async def release(self) -> None:
        """Make durable what is done: checkpoints of the slots, offsets of the sources."""
        await asyncio.gather(self.save(), self.settle())

    async def save(self, partitions: list[int] | None = None) -> None:
        """Save slots (these, or all that moved), then commit their journal offsets."""
        await self._checkpointer.checkpoint(partitions)
        offsets = {
            TP(self._config.journal_topic, p): tenure.saved
            for p, tenure in self._checkpointer.tenures.items()
            if tenure.saved is not None and tenure.saved > tenure.committed and not tenure.superseded
        }
        if offsets and await self._consumer().commit_offsets(offsets):
            for tp, offset in offsets.items():
                self._checkpointer.tenures[tp.partition].committed = offset

    async def settle(self) -> int:
        """Send the ticks that are due, wait until the broker has everything sent so far, then commit; return the number of ticks."""
        sources = list(self.sources.items())
        ends = {tp: progress.end for tp, progress in sources}
        told = await asyncio.gather(*(self._settle(tp, progress) for tp, progress in sources))
        offsets = {tp: ends[tp] for tp, progress in sources if ends[tp] > progress.committed}
        if offsets and await self._consumer().commit_offsets(offsets):
            for tp, progress in sources:
                progress.committed = ends[tp]
        return sum(told)

    def standings(self) -> dict[tuple[str, int], Place]:
        """Return how far work on each partition of ours has come."""
        places: dict[tuple[str, int], Place] = {}
        for tp, progress in self.sources.items():
            places[tp] = Place(progress.end, progress.lag(self._consumer().standing(tp)))
        for partition, tenure in self._checkpointer.tenures.items():
            tp = TP(self._config.journal_topic, partition)
            standing, offset = self._consumer().standing(tp), tenure.slot.next_offset
            places[tp] = Place(offset, 0 if standing is None else max(0, standing.highwater - offset))
        return places

    async def _check_cursors(self) -> None:
        """Refuse source topics that end before what the engines have seen: all their records would count as seen before."""
        cursors: dict[TP, int] = {}
        for tenure in self._checkpointer.tenures.values():
            for source in (source for model in tenure.slot.engine.stats().models for source in model.sources):
                if source.topic in self._journal.models and source.cursor is not None:
                    tp = TP(source.topic, source.partition)
                    cursors[tp] = max(source.cursor, cursors.get(tp, 0))
        for topic in {tp.topic for tp in cursors}:
            mine = [tp for tp in cursors if tp.topic == topic]
            bounds = await self._log.bounds(topic, [tp.partition for tp in mine])
            for tp in mine:
                if cursors[tp] > bounds[tp.partition].next:
                    raise _made_anew(tp, bounds[tp.partition].next, cursors[tp])

    async def _revoke_idleness(self, taken: Mapping[TP, int | None]) -> None:
        """Tell the models, before anything is read, that nobody knows whether these sources are at their end.

        What the engine has last heard may be from before a crash: a source that was idle then would be passed by while its backlog
        waits behind that of the others. Where nothing is committed it has heard nothing.
        """
        for tp, offset in taken.items():
            for model in self._journal.models[tp.topic] if offset is not None else ():
                tick = Tick(model, Source(tp.topic, tp.partition), offset or 0, idle_ms=0)
                self.sources[tp].acknowledgements.add(await self._outlet.journal(self._journal.record(tick)))

    async def _settle(self, tp: TP, progress: SourceProgress) -> int:
        standing, now = self._consumer().standing(tp), monotonic()
        if standing is not None and progress.ends_early(standing, now=now):
            raise _made_anew(tp, standing.highwater, progress.end)
        ticks = progress.ticks(standing, now=now)
        for tick in ticks:
            progress.acknowledgements.add(await self._outlet.journal(self._journal.record(tick)))
        await progress.acknowledgements.wait()
        return len(ticks)

    async def _resume_sources(self, committed: Mapping[TP, int | None]) -> dict[TP, SourceProgress]:
        """Keep what we have of partitions that stay ours, unless another worker has gone further in the meantime."""
        resumed = {}
        for topic, models in self._journal.models.items():
            ours = {tp: offset for tp, offset in committed.items() if tp.topic == topic}
            new = {tp: offset for tp, offset in ours.items() if tp not in self.sources or self.sources[tp].end < (offset or 0)}
            bounds = await self._log.bounds(topic, [tp.partition for tp in new]) if new else {}
            for tp, offset in ours.items():
                if tp not in new:
                    resumed[tp] = self.sources[tp]
                    continue
                first, following = bounds[tp.partition]
                if offset is None:
                    offset = following if self._config.kafka.start_from == "latest" else first
                elif offset < first:
                    logger.error("%s: %d to %d were deleted before they were read; counted as a gap", tp, offset, first)
                    offset = first
                resumed[tp] = SourceProgress(Source(tp.topic, tp.partition), models, offset)
        return resumed


def _made_anew(tp: TP, end: int, read: int) -> BrokerError:
    return BrokerError(
        f"topic {tp.topic}, partition {tp.partition} ends at offset {end}, but {read} was already read: it was deleted and made anew, or"
        " lost records in an unclean election; give the configuration another 'application' to start anew as well"
    )
