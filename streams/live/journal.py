"""From records to journal records: decoded, one block for each model, keyed by model so that a model's data meets in one partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from zlib import crc32

from schemas import blocks
from schemas.codec import Decoder
from schemas.config import Config
from schemas.dead_letters import DeadLetter
from schemas.events import Announcement, Message, Position, Source
from streams.live.batches import RecordBatch
from streams.live.progress import SourceProgress

__all__ = ["Journal", "JournalRecord", "Journaled", "journal_partition"]

#: A broker takes 1 MB a record unless told otherwise.
MAX_BYTES = 900_000


def journal_partition(model: str, partitions: int) -> int:
    """Return the journal partition of a model: a function of its name alone.

    Examples
    --------
    >>> journal_partition("fraud", 4)
    2
    """
    return crc32(model.encode()) % partitions


class JournalRecord(NamedTuple):
    """A message, ready to be sent."""

    partition: int
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Journaled:
    """What a batch of records has become."""

    records: list[JournalRecord]
    dead_letters: list[DeadLetter]


class Journal:
    """Turns what stage 1 has to say into journal records.

    Parameters
    ----------
    config : Config
        The configuration.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._decoders = {topic: Decoder(topic, readers) for topic, readers in config.source_topics().items()}
        #: Models that read a topic, by topic.
        self.models = {topic: list(dict.fromkeys(m.name for m, _, _ in readers)) for topic, readers in config.source_topics().items()}
        self._rows_at_once: dict[str, int] = {}

    def take(self, batch: RecordBatch, progress: SourceProgress, *, now_ms: int) -> Journaled:
        """Decode a batch; note in `progress` what the models are told by it.

        Parameters
        ----------
        batch : RecordBatch
            Records of one source, beginning where `progress` ends.
        progress : SourceProgress
            The source's; a model's block starts where the model was last told of.
        now_ms : int
            Wall clock, ms since the epoch: records stamped long after it are dead letters.
        """
        done = Journaled([], [])
        rows = self._rows_at_once.get(batch.topic, len(batch))
        for i in range(0, len(batch), rows):
            self._take(batch.records[i : i + rows], progress, now_ms, done)
        return done

    def record(self, message: Message) -> JournalRecord:
        """Encode a message."""
        partition = journal_partition(message.model, self._config.journal.partitions)
        return JournalRecord(partition, message.model.encode(), blocks.encode(message))

    def announcements(self, partitions: Mapping[str, int]) -> list[JournalRecord]:
        """Tell every model its sources.

        Parameters
        ----------
        partitions : mapping of str to int
            Number of partitions of each source topic.
        """
        announced = []
        for model in self._config.models:
            topics = sorted({source.topic for _, source in model.sources.items()})
            sources = tuple(Source(topic, p) for topic in topics for p in range(partitions[topic]))
            announced.append(self.record(Announcement(model.name, sources)))
        return announced

    def _take(self, records: Sequence[Any], progress: SourceProgress, now_ms: int, done: Journaled) -> None:
        source = progress.source
        start, end = records[0].offset, records[-1].offset + 1
        decoded = self._decoders[source.topic].decode(source.partition, records, start=start, end=end, now_ms=now_ms)
        told: dict[str, int] = {}
        made = []
        for block in decoded.blocks:  # a model's block starts where the model was last told of: what lay between was not for it
            whole = replace(block, start=told.get(block.model, progress.told(block.model)))
            told[block.model] = block.end
            made.append((block, self.record(whole)))
        if len(records) > 1 and any(len(record.value) > MAX_BYTES for _, record in made):
            half = self._rows_at_once[source.topic] = len(records) // 2  # and from now on: such rows won't get smaller
            self._take(records[:half], progress, now_ms, done)
            self._take(records[half:], progress, now_ms, done)
            return
        for block, record in made:
            if len(record.value) <= MAX_BYTES:
                progress.tell(block.model, block.end)
                done.records.append(record)
            else:
                done.dead_letters.append(_oversize(records[0], source, len(record.value), block.model))
        done.dead_letters.extend(decoded.dead_letters)


def _oversize(record: Any, source: Source, size: int, model: str) -> DeadLetter:
    detail = f"one row of model {model!r} takes {size} bytes, expected at most {MAX_BYTES}"
    return DeadLetter(Position(*source, record.offset), "oversize", detail, record.value, record.timestamp)
