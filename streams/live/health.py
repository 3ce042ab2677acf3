"""Is the worker alive, and is the group blind to anything? Faust alone says "healthy" while it reads nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

__all__ = ["Health", "Place"]

#: A partition: topic and number.
Partition = tuple[str, int]


class Place(NamedTuple):
    """Where work on a partition stands: next offset, and how many are waiting."""

    offset: int
    lag: int


class Health:
    """Judges liveness from what is observed; knows no clock.

    Parameters
    ----------
    stalled_after : float
        Seconds without progress, while records are waiting, after which a partition is stalled.
    unowned_after : float
        Seconds after which a partition that no member of the group has is a fault, and not a rebalance.
    silent_after : float
        Seconds without any observation after which the event loop is taken for dead.

    Examples
    --------
    >>> health = Health(stalled_after=60)
    >>> health.observe({("features", 0): Place(offset=5, lag=9)}, now=0.0)
    >>> health.observe({("features", 0): Place(offset=5, lag=12)}, now=61.0)
    >>> health.problems(now=61.0)
    ['features/0: no progress for 61 s at offset 5, 12 records waiting']
    """

    def __init__(self, *, stalled_after: float = 120.0, unowned_after: float = 90.0, silent_after: float = 60.0) -> None:
        self._stalled_after, self._unowned_after, self._silent_after = stalled_after, unowned_after, silent_after
        self._observed: float | None = None
        self._places: Mapping[Partition, Place] = {}
        self._moved: dict[Partition, float] = {}
        self._unowned: dict[Partition, float] = {}

    @property
    def places(self) -> Mapping[Partition, Place]:
        """What was observed last."""
        return self._places

    def observe(self, places: Mapping[Partition, Place], *, now: float) -> None:
        """Take note of where each of our partitions stands; `now` in monotonic seconds."""
        before, self._places, self._observed = self._places, dict(places), now
        still = {p for p, place in places.items() if p in before and place.offset == before[p].offset and place.lag > 0}
        self._moved = {p: self._moved.get(p, now) if p in still else now for p in places}

    def observe_unowned(self, partitions: Collection[Partition], *, now: float) -> None:
        """Take note of source and journal partitions that no member of the group has."""
        self._unowned = {p: self._unowned.get(p, now) for p in partitions}

    def problems(self, *, now: float) -> list[str]:
        """Return why the worker should be restarted; empty when it is well."""
        found = []
        if self._observed is not None and now - self._observed > self._silent_after:
            found.append(f"the event loop has been busy or stopped for {now - self._observed:.0f} s")
        for (topic, partition), since in sorted(self._moved.items()):
            if (place := self._places[topic, partition]).lag > 0 and now - since >= self._stalled_after:
                waits = f"no progress for {now - since:.0f} s at offset {place.offset}, {place.lag} records waiting"
                found.append(f"{topic}/{partition}: {waits}")
        unowned = [p for p, since in sorted(self._unowned.items()) if now - since >= self._unowned_after]
        if unowned:
            names = ", ".join(f"{topic}/{partition}" for topic, partition in unowned[:5])
            found.append(f"no worker of the group reads {names}" + (f" and {len(unowned) - 5} more" if len(unowned) > 5 else ""))
        return found
