"""Records in micro-batches: Faust delivers one event per partition and fetch instead of one per record (20 times the speed).

::

    records {partition: [record…]}       Consumer.getmany            Faust's
      └─ BatchScheduler.iterate          cuts them into batches      ours, by the setting ConsumerScheduler
          └─ Consumer._to_message        one message per batch       Faust's; its offset is that of the last record
              └─ BatchSchema             Event.value is the batch    ours, by app.topic(schema=…)
                  └─ async for batch in stream: …

A batch of one record costs what an event of Faust costs (about 90 µs), one of a thousand 2.4 µs a record: it speeds up exactly when
there is a lag.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import faust
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

__all__ = ["BatchScheduler", "BatchSchema", "RecordBatch", "Run"]


class RecordBatch:
    """Consecutive records of one partition, in log order.

    Parameters
    ----------
    records : sequence
        aiokafka's records: ``offset``, ``timestamp``, ``key``, ``value``, ``headers``.
    after : int
        Everything from here to the first record's offset is known not to exist (compacted away, or transaction markers).
    """

    __slots__ = ("after", "first_offset", "next_offset", "partition", "records", "topic")

    def __init__(self, topic: str, partition: int, records: Sequence[Any], after: int) -> None:
        self.topic, self.partition, self.records, self.after = topic, partition, records, after
        self.first_offset: int = records[0].offset
        self.next_offset: int = records[-1].offset + 1

    def __len__(self) -> int:
        return len(self.records)

    def from_offset(self, offset: int) -> RecordBatch | None:
        """Return the batch without the records below `offset`, or None when nothing is left."""
        if offset <= self.first_offset:
            return self
        rest = [r for r in self.records if r.offset >= offset]
        return RecordBatch(self.topic, self.partition, rest, offset) if rest else None


class Run(list[Any]):
    """Records of one fetch and partition, with the offset at which the fetch before ended."""

    __slots__ = ("after",)
    after: int


class _BatchRecord:
    """Looks like an aiokafka record to Faust's ``Consumer._to_message``."""

    __slots__ = ("offset", "partition", "serialized_value_size", "timestamp", "timestamp_type", "topic", "value")
    headers = ()
    key = checksum = None
    serialized_key_size = 0

    def __init__(self, batch: RecordBatch) -> None:
        last = batch.records[-1]
        self.topic, self.partition, self.value = batch.topic, batch.partition, batch
        self.offset, self.timestamp, self.timestamp_type = last.offset, last.timestamp, last.timestamp_type
        self.serialized_value_size = 0


class BatchSchema(faust.Schema[Any, Any]):
    """Schema of a topic whose events are batches: hands them on undecoded."""

    def compile(self, app: Any, **_options: Any) -> Any:
        """Return Faust's decoder of a message."""
        create_event = app.create_event

        async def decode(message: Any, **_options: Any) -> Any:
            return create_event(None, message.value, None, message)

        return decode


class BatchScheduler(DefaultSchedulingStrategy):
    """Cuts what was fetched into batches, taking turns between partitions. Limits bound how long one batch keeps the event loop."""

    max_records = 4_000
    max_bytes = 1_000_000

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Any]]:
        """Yield (partition, batch) until all records are handed out."""
        waiting = [(tp, self._batches(tp, run)) for tp, run in records.items() if run]
        while waiting:
            still = []
            for tp, batches in waiting:
                if (batch := next(batches, None)) is not None:
                    yield tp, _BatchRecord(batch)
                    still.append((tp, batches))
            waiting = still

    def _batches(self, tp: TP, run: list[Any]) -> Iterator[RecordBatch]:
        after = run.after if isinstance(run, Run) else run[0].offset
        start = size = 0
        for i, record in enumerate(run):
            weight = len(record.value or b"")
            if i > start and (i - start >= self.max_records or size + weight > self.max_bytes):
                yield (batch := RecordBatch(tp.topic, tp.partition, run[start:i], after))
                after, start, size = batch.next_offset, i, 0
            size += weight
        yield RecordBatch(tp.topic, tp.partition, run[start:], after)
