"""From records to messages for the engine, the same way for files and for Kafka."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from schemas.codec import Decoder, Raw
from schemas.dead_letters import DeadLetter
from schemas.events import Announcement, Block, End, Source
from streams.replay.arrival import Arrivals, Bindings
from streams.replay.pacing import Pacer

__all__ = ["Intake"]


class Intake:
    """Decodes what was read and keeps the books: which models read a source, how far each has come.

    Parameters
    ----------
    bindings : mapping
        What to read from each topic.
    starts : mapping of Source to int
        All sources, with the first offset that is read of each.
    arrivals : Arrivals
        When records count as having arrived.
    most_held : int
        See `Pacer`.
    """

    def __init__(self, bindings: Bindings, starts: Mapping[Source, int], *, arrivals: Arrivals, most_held: int) -> None:
        self._arrivals = arrivals
        self._decoders = {topic: Decoder(topic, list(bound)) for topic, bound in bindings.items()}
        self._models: dict[Source, list[str]] = {}
        for source in sorted(starts):
            self._models[source] = list(dict.fromkeys(model.name for model, _, _ in bindings[source.topic]))
        self._next = {(model, source): starts[source] for source, models in self._models.items() for model in models}
        self.pacer = Pacer(self._sources_by_model(), most_held=most_held)

    def announcements(self) -> tuple[Announcement, ...]:
        """Return the complete set of each model's sources."""
        return tuple(Announcement(model, tuple(sources)) for model, sources in sorted(self._sources_by_model().items()))

    def take(self, source: Source, records: Sequence[Raw]) -> tuple[tuple[Block, ...], list[DeadLetter]]:
        """Decode consecutive records of one source, at least one.

        Returns
        -------
        blocks : tuple of Block
            For each model that has rows. They cover all offsets since the model's last, so offsets that the log has no
            record for (compacted, or a transaction's marker) are no gap.
        dead_letters : list of DeadLetter
            Records that can't be used.
        """
        decoded = self._decoders[source.topic].decode(
            source.partition, records, start=records[0].offset, end=records[-1].offset + 1, now_ms=None
        )
        blocks = tuple(self._joined(block) for block in decoded.blocks)
        self.pacer.took(blocks)
        return blocks, decoded.dead_letters

    def lost(self, source: Source, first: int) -> None:
        """Note that no offset below `first` can be read any more: what lies before it is a gap."""
        for model in self._models[source]:
            self._next[model, source] = first

    def end(self, source: Source) -> tuple[End, ...]:
        """Note that a source is at its end; return what says so to each model."""
        self.pacer.ended(source)
        return tuple(End(model, source) for model in self._models[source])

    def _joined(self, block: Block) -> Block:
        key = (block.model, block.source)
        start, self._next[key] = self._next[key], block.end
        return replace(self._arrivals.stamp(block), start=start)

    def _sources_by_model(self) -> dict[str, list[Source]]:
        found: dict[str, list[Source]] = {}
        for source, models in self._models.items():
            for model in models:
                found.setdefault(model, []).append(source)
        return found
