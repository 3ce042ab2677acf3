"""Small invented worlds for engine tests: logs of several sources, and ways to cut, mix, repeat and interrupt them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from schemas.alerts import Alert
from schemas.config import Config
from schemas.events import Announcement, Block, Codes, End, Faults, Message, Role, Source
from streams.engine import Engine, References

START = 1_767_600_000_000


def no_faults() -> Faults:
    return Faults((), np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.uint8))


def block_of(
    source: Source,
    numbers: dict[str, np.ndarray],
    *,
    stamps: np.ndarray,
    role: Role = "features",
    categories: Mapping[str, Sequence[str | None]] | None = None,
    version: str | Sequence[str] = "1",
    segments: Sequence[Sequence[str | None]] = (),
    first_offset: int = 0,
    model: str = "fraud",
) -> Block:
    """A block of rows with consecutive offsets from columns written as plain lists."""
    n = len(stamps)
    names = tuple(numbers)
    return Block(
        model=model,
        source=source,
        roles=(role,),
        start=first_offset,
        end=first_offset + n,
        offsets=np.arange(first_offset, first_offset + n),
        stamps=np.asarray(stamps, np.int64),
        times=np.asarray(stamps, np.int64),
        ids=tuple(f"{source.topic}-{source.partition}-{first_offset + i}" for i in range(n)),
        versions=coded([version] * n if isinstance(version, str) else version),
        number_names=names,
        numbers=np.array([numbers[k] for k in names], float).reshape(len(names), n),
        category_names=tuple(categories or ()),
        categories=tuple(coded(column) for column in (categories or {}).values()),
        segments=tuple(coded(column) for column in segments),
        faults=no_faults(),
    )


def coded(values: Sequence[str | None]) -> Codes:
    index: dict[str, int] = {}
    codes = [-1 if v is None else index.setdefault(v, len(index)) for v in values]
    return Codes(tuple(index), np.array(codes, np.int32))


def cut(block: Block, lo: int, hi: int) -> Block:
    """Rows [lo, hi) of a block, as a block of its own that covers just their offsets."""
    rows = slice(lo, hi)

    def part(c: Codes) -> Codes:
        return Codes(c.values, c.codes[rows])

    keep = (block.faults.row >= lo) & (block.faults.row < hi)
    return replace(
        block,
        start=block.start if lo == 0 else int(block.offsets[lo]),
        end=block.end if hi == len(block) else int(block.offsets[hi]),
        offsets=block.offsets[rows],
        stamps=block.stamps[rows],
        times=block.times[rows],
        ids=block.ids[rows],
        versions=part(block.versions),
        numbers=block.numbers[:, rows],
        categories=tuple(map(part, block.categories)),
        segments=tuple(map(part, block.segments)),
        faults=Faults(block.faults.subjects, block.faults.column[keep], block.faults.row[keep] - lo, block.faults.reason[keep]),
    )


@dataclass(frozen=True)
class World:
    """Configuration, references and the log of each source as one block."""

    config: Config
    references: References
    logs: tuple[Block, ...]

    def announcement(self) -> Announcement:
        return Announcement(self.logs[0].model, tuple(log.source for log in self.logs))

    def whole(self) -> list[Message]:
        """Everything at once, source by source: the plainest way to tell it."""
        return [self.announcement(), *self.logs, *(End(log.model, log.source) for log in self.logs)]

    def mixed(self, cuts: Sequence[Sequence[int]], picks: Iterable[int], *, repeat: Sequence[int] = ()) -> list[Message]:
        """The logs cut at `cuts` (row numbers, by source) and interleaved by `picks`; blocks whose number is in `repeat` come twice."""
        queues = []
        for log, at in zip(self.logs, cuts, strict=True):
            edges = sorted({0, len(log), *(c % (len(log) + 1) for c in at)})
            queues.append([cut(log, a, b) for a, b in pairwise(edges)])
        out: list[Message] = [self.announcement()]
        for pick in picks:
            if alive := [q for q in queues if q]:
                out.append(alive[pick % len(alive)].pop(0))
        for queue in queues:
            out += queue
        for i in sorted((r % len(out) for r in repeat), reverse=True):
            out.insert(i + 1 + (i * 7) % (len(out) - i), out[i])
        return [*out, *(End(log.model, log.source) for log in self.logs)]


def run(world: World, messages: Sequence[Message], *, batches: Sequence[int] = (), restore_at: Sequence[int] = ()) -> list[Alert]:
    """Feed messages to an engine in batches that end at `batches`, restoring it from its snapshot at `restore_at`."""
    from schemas.snapshot import pack, unpack

    engine = Engine(world.config, world.references)
    n = len(messages)
    edges = sorted({0, n, *(b % (n + 1) for b in batches), *(r % (n + 1) for r in restore_at)})
    stops = {r % (n + 1) for r in restore_at}
    alerts: list[Alert] = []
    for a, b in pairwise(edges):
        if a in stops:
            _, state = unpack(pack(engine.snapshot(), header={}))
            engine = Engine(world.config, world.references, state=state)
        alerts += engine.process(messages[a:b])
    return alerts


def told(alerts: Iterable[Alert]) -> list[str]:
    """Alerts as one line each, for comparison by eye."""
    return [f"{a.data.state} {a.data.kind} {a.data.severity} {a.data.stream} #{a.data.sequence} @{a.data.position.offset}" for a in alerts]


def by_stream(alerts: Iterable[Alert]) -> dict[str, list[bytes]]:
    """Alerts as bytes, by stream: what must be equal (streams are independent of one another)."""
    streams: dict[str, list[bytes]] = {}
    for alert in alerts:
        streams.setdefault(alert.data.stream, []).append(alert.to_json())
    return streams
