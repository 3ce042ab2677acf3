"""Checkpoints: kill the worker anywhere, and the alert topic ends as an uninterrupted run would have left it.

Restoring a journal partition:

1. write a claim to the state topic, so that the owner before us stops writing;
2. take the newest whole checkpoint (`streams.live.restoring`); read the journal on where it says, never at the group's committed
   offset: a checkpoint and its journal offset fit each other whoever wrote them;
3. read what the alert topic has got since that checkpoint; those alerts will come again and are not sent twice.

Saving it: has somebody else claimed the partition? → send the outbox, wait for every acknowledgement → write the parts that no checkpoint
has written yet (`streams.live.state_parts`), wait → write the chunks, then the manifest, wait → delete parts that nobody needs any more →
commit the journal offset, which is only a fallback and shows the lag.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any

import orjson

from schemas import snapshot
from schemas.config import Config
from schemas.errors import BrokerError
from streams.engine.kernel import Engine
from streams.engine.monitors import References
from streams.live.log_reader import Bounds, LogReader
from streams.live.outlet import Outlet
from streams.live.restoring import find_checkpoint
from streams.live.slots import Slot
from streams.live.state_parts import Part, Shelf, records_of_part
from streams.live.state_topic import claim_key, records_of
from streams.pending_files import pending_files

__all__ = ["Checkpointer", "Tenure"]

logger = logging.getLogger(__name__)

#: Bytes from which a sealed leaf becomes a part; records of its own, and their deletion, don't pay for fewer.
PART_FROM = 16_384
#: Rows after which a checkpoint is due before its time: they are what a restart has to do again.
ROWS_AT_MOST = 50_000


@dataclass(slots=True)
class Tenure:
    """A slot while it is ours, and what is known of its checkpoints.

    Parameters
    ----------
    token : int
        Greater than those of all former owners.
    state_end : int
        Up to where the state partition is known; what others write after it concerns us.
    epoch : int
        Number of checkpoints written under this token.
    saved : int or None
        Journal offset of the newest checkpoint.
    saved_at : float
        When it was made, seconds since the epoch.
    committed : int
        Offset known to be committed.
    snapshot_bytes, seconds : int, float
        Its size before compression, with all its parts, and how long it took.
    stale : list of lists
        Keys of former owners, deleted after the first checkpoint (those older than what was restored) and the second (the rest: by then
        both of our slots are whole).
    shelf : Shelf
        Parts on the state topic.
    superseded_at : float or None
        When (monotonic) it was found that somebody else has claimed the partition: from then nothing of this slot may leave the worker.
    """

    partition: int
    slot: Slot
    token: int
    state_end: int
    stale: list[list[bytes]]
    shelf: Shelf
    epoch: int = 0
    saved: int | None = None
    saved_at: float = field(default_factory=time)
    committed: int = -1
    superseded_at: float | None = None
    snapshot_bytes: int = 0
    seconds: float = 0.0

    @property
    def superseded(self) -> bool:
        """Whether somebody else has claimed the partition."""
        return self.superseded_at is not None

    def saved_until(self, now: float) -> float:
        """Return when the slot was last as its checkpoint has it: now, if nothing has come since."""
        return now if self.slot.next_offset == self.saved else self.saved_at

    def due(self, every_ms: int, *, now: float) -> bool:
        """Whether it is time for a checkpoint; `now` in seconds since the epoch."""
        moved = self.slot.next_offset != self.saved
        return moved and not self.superseded and (self.slot.rows >= ROWS_AT_MOST or now - self.saved_at >= every_ms / 1000)


class Checkpointer:
    """Restores and saves the slots of this worker.

    Parameters
    ----------
    config : Config
        The configuration.
    references : mapping
        References loaded from files, by (model, version).
    log : LogReader
        Reads the state, journal and alert topics.
    outlet : Outlet
        Writes to the state, alert and dead-letter topics.
    worker : str
        Name of this worker, for the claims.
    """

    def __init__(self, config: Config, references: References, *, log: LogReader, outlet: Outlet, worker: str) -> None:
        self._config, self._references, self._log, self._outlet, self._worker = config, references, log, outlet, worker
        self.tenures: dict[int, Tenure] = {}
        self._saving = asyncio.Lock()

    def tenure(self, partition: int) -> Tenure | None:
        """Return a partition of ours that may be worked on."""
        tenure = self.tenures.get(partition)
        return None if tenure is None or tenure.superseded else tenure

    # ---- restoring

    async def restore(self, committed: Mapping[int, int | None]) -> dict[int, int]:
        """Have a slot for exactly these journal partitions; return where to read each on.

        A slot that stays ours is kept as it is, unless somebody else has claimed its partition in the meantime.
        """
        for partition in [p for p in self.tenures if p not in committed]:
            del self.tenures[partition]
        for tenure in self.tenures.values():
            await self._look_for_claims(tenure)
        missing = [p for p in committed if self.tenure(p) is None]
        restored = await asyncio.gather(*(self._restore(p, committed[p]) for p in missing))
        self.tenures.update({tenure.partition: tenure for tenure in restored})
        return {p: self.tenures[p].slot.next_offset for p in committed}

    async def _restore(self, partition: int, committed: int | None) -> Tenure:
        claim = orjson.dumps({"worker": self._worker, "at_ms": int(time() * 1000)})
        sent = await self._outlet.record(self._config.state_topic, key=claim_key(partition), value=claim, partition=partition)
        claim_offset = (await sent).offset
        journal = (await self._log.bounds(self._config.journal_topic, [partition]))[partition]
        restored = await find_checkpoint(self._log, self._config.state_topic, partition, claim=claim_offset, make=self._engine)
        manifest = restored.manifest
        if manifest is None:
            position = journal.first if committed is None else committed
            logger.info("journal partition %d: no checkpoint, starting with an empty state at offset %d", partition, position)
        else:
            position = manifest.journal
            logger.info("journal partition %d: restored checkpoint %s, reading on at offset %d", partition, manifest.prefix, position)
        sent_since = await self._alerts_since({} if manifest is None else manifest.alerts)
        slot = Slot(restored.engine, _within(journal, position, partition), alerts_sent=sent_since)
        return Tenure(partition, slot, restored.token, claim_offset + 1, restored.stale, restored.shelf)

    def _engine(self, state: Mapping[str, Any] | None) -> Engine:
        return Engine(self._config, self._references, state=state, arrays=pending_files(self._config))

    async def _alerts_since(self, ends: Mapping[int, int]) -> set[str]:
        topic = self._config.alerts.topic
        bounds = await self._log.bounds(topic, await self._log.partitions(topic))
        read = (self._log.read(topic, p, max(b.first, ends.get(p, b.first)), b.next) for p, b in bounds.items())
        return {identity for records in await asyncio.gather(*read) for record in records if (identity := _alert_id(record.value))}

    # ---- saving

    async def checkpoint(self, partitions: Iterable[int] | None = None) -> None:
        """Save the slots that moved (of these partitions, or of all).

        Side by side: a state partition without a leader must not keep the others from being saved.
        """
        async with self._saving:
            wanted = self.tenures if partitions is None else partitions
            due = [t for p in wanted if (t := self.tenure(p)) is not None and t.slot.next_offset != t.saved and not t.slot.broken]
            if not due:
                return
            try:
                # Asked before the cut: whatever the slots send after it lies behind these ends.
                topic = self._config.alerts.topic
                ends = {p: b.next for p, b in (await self._log.bounds(topic, await self._log.partitions(topic))).items()}
            except BrokerError as error:
                logger.warning("no checkpoint now: %s", error)
                return
            results = await asyncio.gather(*(self._save(tenure, ends) for tenure in due), return_exceptions=True)
            for result in results:
                if isinstance(result, BrokerError):  # nothing was lost: what isn't saved is read again
                    logger.warning("no checkpoint now: %s", result)
                elif isinstance(result, BaseException):  # a send has failed for good
                    raise result

    async def _save(self, tenure: Tenure, alert_ends: Mapping[int, int]) -> None:
        await self._look_for_claims(tenure)
        if tenure.superseded:
            return
        start = monotonic()
        slot, position, tree, rows = tenure.slot, tenure.slot.next_offset, tenure.slot.engine.snapshot(), tenure.slot.rows
        await slot.flush(self._outlet.send)
        await slot.acknowledgements.wait()
        parts = await self._save_parts(tenure, tree)
        header = {"application": self._config.application, "partition": tenure.partition, **tenure.shelf.header(parts.values())}
        packed = await asyncio.to_thread(snapshot.pack, tree, header=header, without=parts)
        records = await asyncio.to_thread(
            records_of,
            packed,
            partition=tenure.partition,
            token=tenure.token,
            epoch=tenure.epoch + 1,
            journal=position,
            alerts=alert_ends,
        )
        await self._write(tenure, records[:-1])
        await self._write(tenure, records[-1:])
        tenure.epoch += 1
        tenure.saved, tenure.saved_at = position, time()
        tenure.snapshot_bytes = len(packed) + sum(part.length for part in parts.values())
        tenure.seconds = monotonic() - start
        tenure.shelf.checkpointed(parts.values())
        slot.rows -= rows
        if tenure.stale:
            await self._write(tenure, [(key, None) for key in tenure.stale[0]])
            tenure.stale.pop(0)
        await self._write(tenure, [(key, None) for key in tenure.shelf.unneeded()])
        tenure.shelf.deleted()

    async def _save_parts(self, tenure: Tenure, tree: snapshot.Tree) -> dict[str, Part]:
        """Write what is sealed and not on the topic yet, one after the other: a large state is not packed in memory as a whole.

        Returns the parts of this checkpoint by name.
        """
        shelf = tenure.shelf
        apart = [leaf for leaf in snapshot.sealed_in(tree).values() if sum(column.nbytes for column in leaf.values()) >= PART_FROM]
        for leaf in apart:
            if shelf.holds(leaf.name):
                continue
            packed = await asyncio.to_thread(snapshot.pack_part, leaf)
            if shelf.recognises(leaf.name, packed):
                continue
            records = await asyncio.to_thread(records_of_part, leaf.name, packed, partition=tenure.partition, token=tenure.token)
            offset = await self._write(tenure, records)
            stored = sum(len(value or b"") for _, value in records)
            shelf.add(Part(leaf.name, tenure.token, offset, len(packed), zlib.crc32(packed), stored))
        return shelf.named(leaf.name for leaf in apart)

    async def _write(self, tenure: Tenure, records: Iterable[tuple[bytes, bytes | None]]) -> int:
        """Write records and wait for them; return the lowest offset."""
        state = self._config.state_topic
        sent = [await self._outlet.record(state, key=key, value=value, partition=tenure.partition) for key, value in records]
        offsets = [written.offset for written in await asyncio.gather(*sent)]
        for offset in offsets:
            if offset == tenure.state_end:  # else somebody has written before us: the next look must see what
                tenure.state_end += 1
        return min(offsets, default=tenure.state_end)

    async def _look_for_claims(self, tenure: Tenure) -> None:
        """Has another worker claimed the partition since we looked last?"""
        state = self._config.state_topic
        end = (await self._log.bounds(state, [tenure.partition]))[tenure.partition].next
        if end > tenure.state_end:
            newer = await self._log.read(state, tenure.partition, tenure.state_end, end, wanted=lambda _: False)
            tenure.state_end = end
            tenure.shelf.lost({record.key for record in newer if record.key is not None and record.value is None})
            if any(record.key == claim_key(tenure.partition) for record in newer):
                tenure.superseded_at = monotonic()
                logger.warning("journal partition %d: another worker has claimed it, nothing more is sent from here", tenure.partition)

    async def flush(self, tenure: Tenure) -> None:
        """Send what a slot has in its outbox."""
        if not tenure.superseded:
            await tenure.slot.flush(self._outlet.send)


def _alert_id(value: bytes | None) -> str | None:
    """Id of an alert, None when the record is nothing of ours."""
    try:
        event = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    identity = event.get("id") if isinstance(event, dict) else None
    return identity if isinstance(identity, str) else None


def _within(journal: Bounds, position: int, partition: int) -> int:
    """Return `position`, or the nearest offset that the journal has; the engine counts what is missing as a gap of its sources."""
    if journal.first <= position <= journal.next:
        return position
    nearest = journal.first
    logger.error(
        "journal partition %d: offset %d is not there (it holds %d to %d: retention is shorter than the outage, or the topic was made"
        " anew), reading on at %d; what is missing is counted as gaps",
        partition,
        position,
        journal.first,
        journal.next,
        nearest,
    )
    return nearest
