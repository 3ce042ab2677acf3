"""How far one source partition has got into the journal, and what must be told about it.

Two rules:

* **ticks**, once a second: a source that is at its end tells every model of its topic, with how long that model has had no rows;
  one that moved tells the models that got no rows from it. One that neither moves nor is at its end (a broker away, an open
  transaction) says nothing: after 30 s of silence the engine goes on without it. Time in which the broker said nothing is not
  time at the end: what producers could not send meanwhile is on its way.
* **commits**: offset X may be committed when the journal holds everything below X *and* every model has been told of X. Otherwise a
  model without rows would, after a restart at X, take the step from where it was last told to X for a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from schemas.events import Source, Tick
from streams.live.acknowledgements import Acknowledgements

__all__ = ["SourceProgress", "Standing"]

#: Older answers of the broker (in seconds) don't prove that a source is at its end.
FRESH = 5.0
#: Seconds for which a log must have ended too early before that is believed.
PATIENCE = 30.0


class Standing(NamedTuple):
    """How a partition stands at the last fetch.

    Parameters
    ----------
    position : int
        Next offset to fetch.
    fetched : int
        One more than the offset of the last record fetched: lower than `position` where transaction markers follow it.
    highwater : int
        End of the log.
    age : float
        Seconds since the broker said so.
    """

    position: int
    fetched: int
    highwater: int
    age: float


class SourceProgress:
    """One source partition that this worker journals.

    Parameters
    ----------
    source : Source
        Topic and partition.
    models : sequence of str
        Models that read the topic.
    start : int
        Offset of the first record to journal.

    Examples
    --------
    >>> progress = SourceProgress(Source("features", 0), ["fraud"], start=10)
    >>> progress.ticks(Standing(position=10, fetched=10, highwater=10, age=0.1), now=5.0)
    [Tick(model='fraud', source=Source(topic='features', partition=0), end=10, idle_ms=0)]
    >>> progress.ticks(Standing(position=10, fetched=10, highwater=10, age=0.1), now=6.0)
    [Tick(model='fraud', source=Source(topic='features', partition=0), end=10, idle_ms=1000)]
    """

    def __init__(self, source: Source, models: Sequence[str], start: int) -> None:
        self.source = source
        #: All records below have been handed to the producer, as blocks or dead letters.
        self.end = start
        #: Offset known to be committed.
        self.committed = -1
        self._told = dict.fromkeys(models, start)
        #: By model: when its source was first seen at its end since it last had rows of that model.
        self._idle_since: dict[str, float] = {}
        #: When the broker last told how the log stands.
        self._confirmed = float("-inf")
        self._early_since: float | None = None
        #: Sends that must be there before `end`, as it is now, may be committed.
        self.acknowledgements = Acknowledgements()

    def told(self, model: str) -> int:
        """Return up to where the model knows this source: where its next block starts."""
        return self._told[model]

    def tell(self, model: str, end: int) -> None:
        """Note that the model has been sent rows, and everything below `end`."""
        self._told[model] = max(self._told[model], end)
        self._idle_since.pop(model, None)

    def advance(self, end: int) -> None:
        """Note that everything below `end` has been handed to the producer."""
        self.end = end

    def skip_to(self, offset: int) -> None:
        """Give up on records that the log no longer has; the next block starts at `offset`, so that the engine counts the gap."""
        self._told = {model: max(told, offset) for model, told in self._told.items()}

    def lag(self, standing: Standing | None) -> int:
        """Return the number of offsets not yet journaled; 0 before the first fetch."""
        return 0 if standing is None or self._caught_up(standing) else max(0, standing.highwater - self.end)

    def ends_early(self, standing: Standing, *, now: float) -> bool:
        """Whether the log has for a while ended before what was already read; a new leader may say so for a moment."""
        if standing.highwater >= self.end or standing.age > FRESH:
            self._early_since = None
        elif self._early_since is None:
            self._early_since = now
        return self._early_since is not None and now - self._early_since >= PATIENCE

    def ticks(self, standing: Standing | None, *, now: float) -> list[Tick]:
        """Return what to tell now, and note it as told.

        Parameters
        ----------
        standing : Standing or None
            How the partition stood at the last fetch.
        now : float
            Monotonic seconds.
        """
        at_end = standing is not None and standing.age < FRESH and self._caught_up(standing)
        if standing is not None:
            confirmed = now - standing.age
            if confirmed - self._confirmed > FRESH:
                self._idle_since.clear()
            self._confirmed = confirmed
        due = [model for model, told in self._told.items() if at_end or told < self.end]
        self._told.update(dict.fromkeys(due, self.end))
        return [Tick(model, self.source, self.end, self._idle_ms(model) if at_end else 0) for model in due]

    def _idle_ms(self, model: str) -> int:
        """How long nothing has come for this model: in a topic that models share, others' rows don't end its idleness."""
        return round((self._confirmed - self._idle_since.setdefault(model, self._confirmed)) * 1000)

    def _caught_up(self, standing: Standing) -> bool:
        # The position passes transaction markers, which are no records: `end` alone would never reach the high-water mark.
        return standing.position >= standing.highwater and standing.fetched <= self.end
