"""Finds the newest whole checkpoint of a state partition, and makes an engine of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas import snapshot
from schemas.errors import FormatError
from streams.engine.kernel import Engine
from streams.live.log_reader import LogReader, LogRecord
from streams.live.state_parts import Part, Shelf, is_part_key, parts_of, unneeded_in
from streams.live.state_topic import Manifest, greatest_token, is_slot_key, latest, manifests, snapshot_of, stale_keys

__all__ = ["MakeEngine", "Restored", "find_checkpoint"]

logger = logging.getLogger(__name__)

#: How many records of the end of a state partition to read at first; more only when they hold no whole checkpoint.
TAILS = (100, 2_000, None)

#: Makes an engine of a state, or a new one of None. Raises FormatError when the state is of another release.
MakeEngine = Callable[[Mapping[str, Any] | None], Engine]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a new owner begins with.

    Parameters
    ----------
    manifest : Manifest or None
        The checkpoint that was taken; None when there is none, and `engine` is new.
    token : int
        Of the new owner: greater than all before.
    stale : list of lists
        Keys of slots of former owners: those older than what was restored, and the rest.
    shelf : Shelf
        Parts that the checkpoint has, and those that nobody needs.
    """

    manifest: Manifest | None
    engine: Engine
    token: int
    stale: list[list[bytes]]
    shelf: Shelf


async def find_checkpoint(log: LogReader, topic: str, partition: int, *, claim: int, make: MakeEngine) -> Restored:
    """Read a state partition from its end until a whole checkpoint is found.

    Parameters
    ----------
    log : LogReader
        Where it lies.
    topic, partition : str, int
        The state partition.
    claim : int
        Offset of the new owner's claim; nothing after it is read.
    make : callable
        Makes the engine; called in another thread.
    """
    state = _State(log, topic, partition, claim, make)
    first = (await log.bounds(topic, [partition]))[partition].first
    for tail in TAILS:
        start = first if tail is None else max(first, claim - tail)
        records = await log.read(topic, partition, start, claim + 1, wanted=is_slot_key)
        found = await state.newest(records, first)
        if found is not None or start == first:
            break
    token = max(greatest_token(records), claim) + 1
    if found is None:
        leftovers = [key for key, value in latest(records).items() if value is not None and is_part_key(key)]
        return Restored(None, make(None), token, [[], stale_keys(records, below=token)], Shelf(partition, leftovers=leftovers))
    older = stale_keys(records, below=found.manifest.token)
    rest = [key for key in stale_keys(records, below=token) if key not in set(older)]
    return Restored(found.manifest, found.engine, token, [older, rest], Shelf(partition, found.parts, found.leftovers))


@dataclass(frozen=True, slots=True)
class _Found:
    manifest: Manifest
    engine: Engine
    parts: list[Part]
    leftovers: list[bytes]


class _State:
    """The state partition of a new owner."""

    def __init__(self, log: LogReader, topic: str, partition: int, claim: int, make: MakeEngine) -> None:
        self._log, self._topic, self._partition, self._end, self._make = log, topic, partition, claim + 1, make

    async def newest(self, records: list[LogRecord], first: int) -> _Found | None:
        """Return the newest whole checkpoint among these records; its parts may lie before them."""
        found, damaged = manifests(records, self._partition)
        for error in damaged:
            logger.warning("journal partition %d: passing over a checkpoint: %s", self._partition, error)
        for manifest in found:
            try:
                return await self._load(manifest, records, first)
            except FormatError as error:
                logger.warning("journal partition %d: passing over a checkpoint: %s", self._partition, error)
        return None

    async def _load(self, manifest: Manifest, records: list[LogRecord], first: int) -> _Found:
        main = snapshot_of(manifest, records)
        header = snapshot.header_of(main)
        parts = parts_of(header)
        keys = {key for part in parts for key in part.keys(self._partition)}
        lying = latest(records) | await self._read_parts(parts, keys, first)
        values = {key: value for key in keys if (value := lying.get(key))}
        seen = [key for key in lying if is_part_key(key)]
        leftovers = [key for key in dict.fromkeys([*unneeded_in(header), *seen]) if key not in keys and lying.get(key, b"") is not None]
        del lying
        by_name = {part.name: part for part in parts}

        def engine() -> Engine:
            _, tree = snapshot.unpack(main, parts=lambda name: by_name[name].take(self._partition, values))
            return self._make(tree)

        return _Found(manifest, await asyncio.to_thread(engine), parts, leftovers)

    async def _read_parts(self, parts: list[Part], keys: set[bytes], first: int) -> dict[bytes, bytes | None]:
        """Read the partition from the first of these parts on, or from its start where they lie elsewhere (a copied topic)."""
        if not parts:
            return {}
        for start in (max(first, min(part.offset for part in parts)), first):
            records = await self._log.read(self._topic, self._partition, start, self._end, wanted=keys.__contains__)
            values = latest(records)
            if start == first or all(values.get(key) for key in keys):
                break
        return values
