"""When a record of recorded history arrived: a label must not be known before the live worker would have known it (rule R17).

Kafka's timestamps say it, unless a topic was filled afterwards. `Fields.arrived` says it for records of any kind. Where neither does,
the user may say how long after their own time labels came; a backtest that would have to guess is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from schemas.config import LabelsConfig, Model, SourceConfig
from schemas.durations import duration_text
from schemas.events import Block, Role
from streams.replay.csv_rows import STAMP

__all__ = ["Arrivals", "Bindings"]

#: What to read from each topic: (model, role, mapping), as `Config.source_topics` says.
Bindings: TypeAlias = Mapping[str, Sequence[tuple[Model, Role, SourceConfig]]]


@dataclass(frozen=True, slots=True)
class _Stream:
    """One model's rows of one topic.

    Parameters
    ----------
    labels : LabelsConfig, optional
        Of the model, when it joins labels.
    mapped : bool
        The records say themselves when they arrived.
    delay_ms : int, optional
        Rows arrive this long after their own time; None when their stamps say when.
    """

    model: str
    topic: str
    roles: tuple[Role, ...]
    labels: LabelsConfig | None
    mapped: bool
    delay_ms: int | None

    @property
    def latest_ms(self) -> int | None:
        """How long after its time a row that is joined may arrive, ms; None for rows that need not be joined.

        A prediction by rule R3; a label by R6, since its time is at most the skew before its prediction's (R7).
        """
        if self.labels is None or self.roles == ("features",):
            return None
        return self.labels.open_ms + self.labels.skew if "labels" in self.roles else self.labels.lateness


class Arrivals:
    """Stamps rows with when they arrived, and tells when that can't be known.

    Parameters
    ----------
    bindings : mapping
        What is read from each topic.
    stamped : bool
        The records have timestamps of their own, Kafka's; those of files have none.
    assume_delay_ms : int, optional
        Labels arrive this long after their time, all else at its own time, unless ``fields.arrived`` says when. It holds for models
        that join labels only: for others timestamps are as good as ever.
    """

    def __init__(self, bindings: Bindings, *, stamped: bool, assume_delay_ms: int | None = None) -> None:
        self._stamped = stamped
        self._assumed_ms = assume_delay_ms
        self._streams = {(s.model, s.topic): s for s in _streams(bindings, stamped, assume_delay_ms)}
        self._rows: Counter[tuple[str, str]] = Counter()
        self._too_late: Counter[tuple[str, str]] = Counter()

    def stamp(self, block: Block) -> Block:
        """Return the block with `stamps` that say when its rows arrived."""
        key = (block.model, block.source.topic)
        stream = self._streams[key]
        if stream.delay_ms is not None:
            return replace(block, stamps=block.times + stream.delay_ms)
        if not stream.mapped and stream.latest_ms is not None:
            self._rows[key] += len(block)
            self._too_late[key] += int(np.count_nonzero(block.stamps - block.times > stream.latest_ms))
        return block

    def refusal(self) -> str | None:
        """Say why labels can't be joined with what was read, and the ways out; None when they can.

        Files are judged by the configuration alone. Topics are judged by what was read so far: one looks as if it had been filled
        afterwards when more than half of its rows came too late to be joined, of at least as many as a figure needs
        (``labels.min_rows``). That may have another reason, but figures of the few that are left would mislead all the same.
        """
        return "\n".join(why for stream in self._streams.values() for why in self._wrong_with(stream)) or None

    def assumption(self) -> str | None:
        """Say what was assumed of labels; None when nothing was."""
        if self._assumed_ms is None or not any(s.labels and "labels" in s.roles and not s.mapped for s in self._streams.values()):
            return None
        return f"labels assumed to arrive {duration_text(self._assumed_ms)} after their time"

    def _wrong_with(self, stream: _Stream) -> Iterator[str]:
        labels, of = stream.labels, f"model {stream.model!r}"
        if labels is None or stream.mapped:
            return
        if "labels" in stream.roles and self._assumed_ms and len(stream.roles) > 1:
            others = " and ".join(role for role in stream.roles if role != "labels")
            yield (
                f"{of}: labels and {others} are the same records (topic {stream.topic}), which can't arrive at two times; expected a topic "
                "of labels alone (one file may stand for both), sources.labels.fields.arrived, or --assume-delay 0s"
            )
        if "labels" in stream.roles and self._assumed_ms is None and not self._stamped and labels.fields.time != STAMP:
            yield (
                f"{of}: labels come from a file, which does not say when they arrived, and a backtest must not know them earlier; "
                f"{_ways_out('labels')}"
            )
        rows, too_late = (count[stream.model, stream.topic] for count in (self._rows, self._too_late))
        if stream.latest_ms is not None and rows >= labels.min_rows and 2 * too_late > rows:
            role: Role = "labels" if "labels" in stream.roles else "predictions"
            limit = "horizon, grace and corrections" if role == "labels" else "lateness"
            yield (
                f"{of}: {too_late} of {rows} {role} (topic {stream.topic}) have a timestamp more than {duration_text(stream.latest_ms)} "
                f"after their own time, too late to be joined (sources.labels: {limit}); the topic looks as if it had been filled "
                f"afterwards; {_ways_out(role)}"
            )


def _ways_out(role: Role) -> str:
    return (
        f"expected sources.{role}.fields.arrived (where a record says when it arrived), or --assume-delay (how long after their time "
        "labels arrived: 0s if their time is when they arrived)"
    )


def _streams(bindings: Bindings, stamped: bool, assume_delay_ms: int | None) -> Iterator[_Stream]:
    for topic, bound in bindings.items():
        for model in {model.name: model for model, _, _ in bound}.values():
            sources = {role: source for of, role, source in bound if of.name == model.name}
            roles = tuple(sources)
            labels = model.sources.labels if model.task != "none" else None
            mapped = any(source.fields.arrived is not None for source in sources.values())
            assumed = None if labels is None else assume_delay_ms
            delay_ms = None
            if not mapped and (assumed is not None or not stamped):
                delay_ms = (assumed or 0) if roles == ("labels",) else 0
            yield _Stream(model.name, topic, roles, labels, mapped, delay_ms)
