"""Files in place of topics: JSON lines and CSV, plain or gzipped.

A file stands for partition 0 of its topic, and the offset of a record is its line number less one, so an alert's position reads as
usual. A file has no clock but the times in it: a row arrives when ``fields.arrived`` says, else at its mapped event time, labels by the
delay later that the user assumes. Where the mapping asks for Kafka's own time (``$timestamp``), each row must carry it in a field of that
name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from schemas.codec import Raw
from schemas.config import Config
from schemas.dead_letters import DeadLetter
from schemas.events import Block, Source
from streams.replay.arrival import Arrivals
from streams.replay.csv_rows import STAMP, RowMapping
from streams.replay.intake import Intake
from streams.replay.lines import Lines, csv_records, json_records
from streams.replay.source import Read

__all__ = ["FileSource"]

CHUNK = 5_000


class FileSource:
    """Configured topics, read from files; see `ReplaySource`.

    Parameters
    ----------
    config : Config
        The configuration.
    files : mapping of topic to Path
        ``.csv`` and ``.csv.gz`` are CSV, anything else is JSON lines. Topics without a file are left out.
    assume_delay_ms : int, optional
        See `Arrivals`.
    """

    def __init__(self, config: Config, files: Mapping[str, Path], *, assume_delay_ms: int | None = None) -> None:
        self._files = dict(sorted(files.items()))
        self._bindings = {topic: bound for topic, bound in config.source_topics().items() if topic in files}
        self.arrivals = Arrivals(self._bindings, stamped=False, assume_delay_ms=assume_delay_ms)
        self.size = sum(path.stat().st_size for path in files.values())

    def read(self) -> Iterator[Read]:
        """Yield what the files have, always from the one that is furthest behind."""
        intake = Intake(self._bindings, {Source(topic, 0): 0 for topic in self._files}, arrivals=self.arrivals, most_held=0)
        order = _Order()
        yield Read(messages=intake.announcements())
        lines = {Source(topic, 0): self._open(topic, path) for topic, path in self._files.items()}
        try:
            while (source := intake.pacer.slowest()) is not None:
                taken = lines[source].take(CHUNK)
                done = sum(opened.done for opened in lines.values())
                if not taken:
                    yield Read(intake.end(source), done=done, notes=order.remarks(source, self._files[source.topic]))
                    continue
                records = [t for t in taken if isinstance(t, Raw)]
                blocks, letters = intake.take(source, records) if records else ((), [])
                order.add(blocks)
                letters += [t for t in taken if isinstance(t, DeadLetter)]
                yield Read(blocks, tuple(letters), len(taken), done)
        finally:
            for opened in lines.values():
                opened.close()

    def place(self, letter: DeadLetter) -> str:
        """``file:line`` of a record."""
        return f"{self._files[letter.position.topic]}:{letter.position.offset + 1}"

    def _open(self, topic: str, path: Path) -> Lines:
        bound = self._bindings[topic]
        fields = [source.fields for _, _, source in bound]
        stamped = any(f.time == STAMP for f in fields)
        if path.name.removesuffix(".gz").endswith(".csv"):
            segments = [segment for model, _, _ in bound for segment in model.segments]
            mapping = partial(RowMapping, mappings=fields, segments=segments, where=f"{path}:1")
            return Lines(path, partial(csv_records, topic=topic, where=str(path), stamped=stamped, mapping=mapping))
        return Lines(path, partial(json_records, topic=topic, where=str(path), stamped=stamped))


class _Order:
    """Whether the rows of a file come in the order in which they arrived, for each model that reads it."""

    def __init__(self) -> None:
        self._latest: dict[tuple[Source, str], int] = {}
        self._older: Counter[tuple[Source, str]] = Counter()

    def add(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            key = (block.source, block.model)
            latest = np.maximum.accumulate(np.append(self._latest.get(key, block.stamps[0]), block.stamps))
            self._older[key] += int(np.count_nonzero(block.stamps < latest[:-1]))
            self._latest[key] = int(latest[-1])

    def remarks(self, source: Source, path: Path) -> tuple[str, ...]:
        return tuple(
            f"{path}: {n} rows of model {model!r} are older than a row before them; they are taken in the order of the file, "
            "as if they had arrived with that row; expected in the order of arrival"
            for (of, model), n in self._older.items()
            if of == source and n
        )
