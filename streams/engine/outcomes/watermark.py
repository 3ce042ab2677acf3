"""Up to when all labels are in (rule R9).

Time that passes proves nothing about labels: if their topic is silent, nobody knows whether there are none or whether they can't
get through. So the clock of labels, λ, is that of the newest label row, whatever other rows come; and while a partition
of the label topic is silent (it had rows, and has had none for long), λ stands at its last one. ``on_silence: advance`` gives this up:
λ is then the clock of all rows.
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
    state : mapping, optional
        What `state` returned.
    """

    def __init__(self, *, hold: bool, state: Mapping[str, Any] | None = None) -> None:
        self._hold = hold
        self._newest = _NEVER if state is None else int(state["newest"])
        self._reached = _NEVER if state is None else int(state["reached"])
        self._sources: set[Source] = set() if state is None else {Source(*s) for s in state["sources"]}
        self._silent: dict[Source, int] = {} if state is None else {Source(*s): since for s, since in state["silent"]}

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
            else:
                self._silent.pop(change.source, None)
        cap[done:] = self._cap()
        reached = np.maximum(np.maximum.accumulate(np.minimum(newest, cap)), self._reached)
        self._newest, self._reached = int(newest[-1]), int(reached[-1])
        return reached

    def _cap(self) -> int:
        return min((since for source, since in self._silent.items() if source in self._sources), default=_FOREVER)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; JSON values only."""
        return {
            "newest": self._newest,
            "reached": self._reached,
            "sources": [list(s) for s in sorted(self._sources)],
            "silent": [[list(s), since] for s, since in sorted(self._silent.items())],
        }
