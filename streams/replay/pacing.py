"""Which sources to read next, so that little has to be held back while the slowest catches up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from schemas.events import Block, Source

__all__ = ["Pacer"]

#: Clock of a source that has sent no row yet: before all times.
NEVER = -(2**63)


class _Model:
    """Clocks of one model's sources, and how many rows are ahead of the slowest."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self.clocks: dict[Source, int] = dict.fromkeys(sources, NEVER)
        self.held = 0
        self._ahead: dict[Source, deque[tuple[int, int]]] = {source: deque() for source in self.clocks}

    def took(self, source: Source, clock: int, rows: int) -> None:
        self.clocks[source] = max(self.clocks[source], clock)
        self._ahead[source].append((self.clocks[source], rows))
        self.held += rows
        self._let_go()

    def ended(self, source: Source) -> None:
        self.clocks.pop(source, None)
        self._let_go()

    def slowest(self) -> Source | None:
        return min(self.clocks, key=lambda s: (self.clocks[s], s), default=None)

    def _let_go(self) -> None:
        slowest = self.slowest()
        for rows in self._ahead.values():
            while rows and (slowest is None or rows[0][0] <= self.clocks[slowest]):
                self.held -= rows.popleft()[1]


class Pacer:
    """Follows how far each source has come, for every model that reads it.

    Parameters
    ----------
    sources : mapping of model name to sources
        What is read.
    most_held : int
        Above this many rows that wait for slower sources, only the slowest are read, until half of them are gone.

    Examples
    --------
    >>> a, b = Source("a", 0), Source("b", 0)
    >>> pacer = Pacer({"fraud": [a, b]}, most_held=100)
    >>> pacer.slowest()
    Source(topic='a', partition=0)
    """

    def __init__(self, sources: Mapping[str, Iterable[Source]], *, most_held: int) -> None:
        self._models = {name: _Model(mine) for name, mine in sources.items()}
        self._most_held = most_held
        self._catching_up = False

    def took(self, blocks: Iterable[Block]) -> None:
        """Note what was read."""
        for block in blocks:
            if len(block):
                self._models[block.model].took(block.source, int(block.stamps.max()), len(block))

    def ended(self, source: Source) -> None:
        """Note that nothing more comes from `source`."""
        for model in self._models.values():
            model.ended(source)

    @property
    def held(self) -> int:
        """Rows that wait for slower sources."""
        return sum(model.held for model in self._models.values())

    def slowest(self) -> Source | None:
        """Return the source to read next when one is read at a time; None when all have ended."""
        waiting = [(m.clocks[s], s) for m in self._models.values() if (s := m.slowest()) is not None]
        return min(waiting)[1] if waiting else None

    def wanted(self) -> frozenset[Source]:
        """Return the sources to read from now: all that have not ended, or the slowest while too much is held."""
        self._catching_up = self.held > (self._most_held // 2 if self._catching_up else self._most_held)
        if self._catching_up:
            return frozenset(s for m in self._models.values() if m.held and (s := m.slowest()) is not None)
        return frozenset(s for m in self._models.values() for s in m.clocks)
