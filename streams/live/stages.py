"""What a stage of the worker costs: recorded only when somebody asks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Stages"]


class Stages:
    """Microseconds and records by stage (decode, journal, detect, checkpoint); does nothing without a clock.

    Parameters
    ----------
    clock : callable, optional
        Seconds, such as `time.perf_counter`.

    Examples
    --------
    >>> ticks = iter([0.0, 0.25])
    >>> stages = Stages(clock=lambda: next(ticks))
    >>> with stages.timed("decode", records=1000):
    ...     pass
    >>> stages.microseconds["decode"], stages.records["decode"]
    (250000.0, 1000)
    """

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self.microseconds: dict[str, float] = {}
        self.records: Counter[str] = Counter()

    @contextmanager
    def timed(self, stage: str, *, records: int = 0) -> Iterator[None]:
        """Add the time spent inside to `stage`."""
        if self._clock is None:
            yield
            return
        start = self._clock()
        try:
            yield
        finally:
            self.microseconds[stage] = self.microseconds.get(stage, 0.0) + (self._clock() - start) * 1e6
            self.records[stage] += records
