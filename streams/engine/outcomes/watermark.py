"""Up to when all labels are in (rule R9).

Time that passes proves nothing about labels: if their topic is silent, nobody knows whether there are none or whether they can't
get through. So the clock of labels, λ, is that of the newest label row, whatever other rows come; and while a partition
of the label topic is silent (it had rows, and has had none for long), λ stands at its last one. ``on_silence: advance`` gives this up:
λ is then the clock of all rows.

When the silent partition is heard again, λ leaps over the time in between, and cohorts close whose labels could not come by their
deadline. Their figures stand as they are, but nothing is concluded from them (`Watermark.missed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from schemas.events import Int64Array, Source
from streams.engine.release import Release
from streams.engine.silence import SilenceChange

__all__ = ["Watermark"]

_NEVER = -(2**62)
_FOREVER = 2**62


class Watermark:
    """The clock of labels of one model, row by row.

    Parameters
    ----------
    hold : bool
        Whether it waits for a silent source.
    catch_up_ms : int
        How long after a silence labels that were held up may still come.
    state : mapping, optional
        What `state` returned.
    """

    def __init__(self, *, hold: bool, catch_up_ms: int = 0, state: Mapping[str, Any] | None = None) -> None:
        self._hold, self._catch_up = hold, catch_up_ms
        self._newest = _NEVER if state is None else int(state["newest"])
        self._reached = _NEVER if state is None else int(state["reached"])
        self._sources: set[Source] = set() if state is None else {Source(*s) for s in state["sources"]}
        self._silent: dict[Source, int] = {} if state is None else {Source(*s): since for s, since in state["silent"]}
        self._gaps: list[tuple[int, int]] = [] if state is None else [(since, until) for since, until in state["gaps"]]

    @property
    def reached(self) -> int:
        """Where it stands after the last row."""
        return self._reached

    def released(self, release: Release, clocks: Int64Array, silences: Iterable[SilenceChange]) -> Int64Array:
        """Return λ at each row of a release, ms; it never decreases.

        Parameters
        ----------
        release : Release
            The rows.
        clocks : int64 (n,)
            Clock of each, never decreasing.
        silences : iterable of SilenceChange
            Which sources went silent or were heard again at which of these rows.
        """
        if not self._hold:
            passed = np.maximum(clocks, self._reached)
            self._reached = int(passed[-1])
            return passed
        is_label = np.repeat([("labels" in p.block.roles) for p in release.pieces], [len(p) for p in release.pieces])
        if release.order is not None:
            is_label = is_label[release.order]
        self._sources.update(p.block.source for p in release.pieces if "labels" in p.block.roles)
        newest = np.maximum(np.maximum.accumulate(np.where(is_label, release.clocks, _NEVER)), self._newest)
        cap = np.full(release.n, _FOREVER)
        done = 0
        for change in sorted(silences):
            cap[done : change.row] = self._cap()
            done = change.row
            if change.silent:
                self._silent[change.source] = change.since_ms
            elif (since := self._silent.pop(change.source, None)) is not None and change.source in self._sources:
                self._gaps.append((since, int(clocks[change.row]) + self._catch_up))
        cap[done:] = self._cap()
        reached = np.maximum(np.maximum.accumulate(np.minimum(newest, cap)), self._reached)
        self._newest, self._reached = int(newest[-1]), int(reached[-1])
        return reached

    def missed(self, deadline: int) -> bool:
        """Whether labels could not come by a deadline (a clock, ms), as a source of them was silent then."""
        return any(since < deadline <= until for since, until in self._gaps)

    def forget(self, deadline: int) -> None:
        """Drop what is known of silences that were over by then: later deadlines only will be asked for."""
        self._gaps = [gap for gap in self._gaps if gap[1] >= deadline]

    def _cap(self) -> int:
        return min((since for source, since in self._silent.items() if source in self._sources), default=_FOREVER)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; JSON values only."""
        return {
            "newest": self._newest,
            "reached": self._reached,
            "sources": [list(s) for s in sorted(self._sources)],
            "silent": [[list(s), since] for s, since in sorted(self._silent.items())],
            "gaps": [list(gap) for gap in self._gaps],
        }
