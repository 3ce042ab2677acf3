"""How often labels are not as they should be: tiles of 1000 label rows, each judged by itself.

=====================  ===========================================================  =======
subject                share of                                                     limit
=====================  ===========================================================  =======
``label_leakage``      labels that are dated before their prediction (rule R7)       0.1 %
``label_conflicts``    predictions that contradict another of the same id (R4)       0.1 %
``label_unmatched``    labels that found no prediction (R5)                           10 %
``label_corrections``  labels that changed an outcome that was there (R8)             10 %
``label_evictions``    predictions given up before their time, for want of room      0.1 %
=====================  ===========================================================  =======

A condition is raised by a tile whose rate is above the limit beyond chance, and cleared by one that shows less than half of it. What a
tile says is said at its last row, and says again what still holds: whoever hears it knows what is new.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streams.engine.feed import Clear, Raise, feed_stream
from streams.engine.performance.intervals import wilson

__all__ = ["TILE", "Rates", "least_share"]

#: Label rows to a tile, and predictions that a verdict on predictions takes at least.
TILE = 1000
#: Standard errors that a rate must be above its limit: tiles are many, and a tile that is so by chance is one in a thousand.
_SURE = 3.0


@dataclass(frozen=True, slots=True)
class _Condition:
    subject: str
    hits: str  # counter
    of: tuple[str, ...]  # counters that add up to what it is a share of
    things: str
    limit: float
    said: str


_PREDICTIONS = ("predictions", "dup_prediction", "id_conflict")
_EVICTIONS = _Condition("label_evictions", "evicted", _PREDICTIONS, "predictions", 0.001, "given up before their labels, as too many wait")
_CONDITIONS = (
    _Condition("label_leakage", "leakage_suspect", ("labels",), "labels", 0.001, "dated before their prediction, which they can't measure"),
    _Condition("label_conflicts", "id_conflict", _PREDICTIONS, "predictions", 0.001, "unlike an earlier one of the same id, which stands"),
    _Condition("label_unmatched", "unmatched_label", ("labels",), "labels", 0.1, "for no prediction that is known: lost, or of other ids"),
    _EVICTIONS,
    _Condition("label_corrections", "correction", ("labels",), "labels", 0.1, "corrections of a label that had come before"),
)


def least_share(hits: int, n: int) -> float:
    """Lower end of Wilson's interval, three standard errors down: a share that is almost surely exceeded.

    Parameters
    ----------
    hits, n : int
        `hits` of `n`; n > 0.

    Examples
    --------
    >>> round(least_share(20, 1000), 4), least_share(0, 1000)
    (0.0104, 0.0)
    """
    return wilson(hits, n, errors=_SURE)[0]


class Rates:
    """Judges the counters of a join, tile after tile.

    Parameters
    ----------
    state : mapping, optional
        What `state` returned; to be kept as long as the counters are.

    Examples
    --------
    >>> counts = {"labels": 1000, "predictions": 900, "leakage_suspect": 7}
    >>> [told.summary for told in Rates().tile(4711, counts) if isinstance(told, Raise)]
    ["label_leakage: 0.7 % of 1000 labels are dated before their prediction, which they can't measure (limit 0.1 %)"]
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        #: (hits, of) of each condition when it was judged last
        self._judged: dict[str, tuple[int, int]] = {} if state is None else {subject: (hits, of) for subject, hits, of in state["judged"]}

    def tile(self, row: int, counts: Mapping[str, int]) -> Iterator[Raise | Clear]:
        """Say what holds at `row` of the release, the last of a tile, and what does not.

        Parameters
        ----------
        row : int
            Where it is said.
        counts : mapping of str to int
            All that was counted up to and including this row.
        """
        for condition in _CONDITIONS:
            yield from self._judge(condition, row, counts)

    def evictions(self, row: int, counts: Mapping[str, int]) -> Iterator[Raise | Clear]:
        """Say at `row` whether predictions are given up, if any has been since that was judged: without labels no tile is ever full."""
        if counts.get(_EVICTIONS.hits, 0) > self._judged.get(_EVICTIONS.subject, (0, 0))[0]:
            yield from self._judge(_EVICTIONS, row, counts)

    def _judge(self, condition: _Condition, row: int, counts: Mapping[str, int]) -> Iterator[Raise | Clear]:
        hits, of = counts.get(condition.hits, 0), sum(counts.get(name, 0) for name in condition.of)
        hits_before, of_before = self._judged.get(condition.subject, (0, 0))
        if of - of_before < TILE:
            return
        self._judged[condition.subject] = (hits, of)
        found = hits - hits_before
        n = max(of - of_before, found)  # some may have come before, and are told now
        share = f"{100 * found / n:.3g} % of {n} {condition.things}"
        said = f"{condition.subject}: {share} are {condition.said} (limit {100 * condition.limit:.3g} %)"
        stream = feed_stream(condition.subject)
        if least_share(found, n) > condition.limit:
            yield Raise(row, stream, "label_quality", "warning", said)
        elif found / n < condition.limit / 2:
            yield Clear(row, stream, said)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {"judged": [[subject, *counted] for subject, counted in self._judged.items()]}
