"""Home or away: how a detector that announces an instant and forgets can decide about an episode.

ADWIN and Page-Hinkley raise an alarm when the mean has changed and start again from nothing; where the mean is now they don't ask.
Here is asked, row by row:

**At an alarm.** A row is *home* until its first alarm, which is a ``change``. When it is away, an alarm is ``back`` if the mean of the
values since the estimated onset lies within ``max(.1, 3 / sqrt(n))`` of the reference's, and a further ``change`` otherwise. That is
generous for few values; that the row has just left a level that was away speaks for home.

**At a milestone.** A false alarm, a change that ended before its detection or fades away slowly, one whose end a one-sided test cannot
see: none is followed by a second alarm. And a row that leaps across home, from one side to the other, may be taken for home by the few
values of the alarm. So 1024, 2048, 4096, … values after an alarm the mean of those since the last of these milestones is looked at.
A row that is away is ``back`` when it lies within .1 of the reference's mean. A row that an alarm took for home is so for good
then, and it has made a ``change`` when it lies farther than .25 away. The stretches grow so that a small shift is not taken for home by
trying often.

Each alarm is exactly one finding, with the statistic and threshold of the alarm. A finding at a milestone has the distance of the means
and the .1 or .25 that it was compared with. Values are counted from the alarm, so nothing depends on where a batch ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from detectors.base import BankState, Finding, FloatArray
from schemas.events import Int64Array

__all__ = ["Alarm", "Episodes", "Milestone", "milestones"]

_NEAR = 0.1
_STANDARD_ERRORS = 3.0
_FAR = 0.25
_FIRST_MILESTONE = 1024


@dataclass(frozen=True, slots=True)
class Alarm:
    """A detector's alarm: where it is, and what the values since the onset look like.

    Parameters
    ----------
    row : int
        Row of the bank.
    index, onset : int
        Absolute indices of the deciding value and of the first one of the new law.
    statistic, threshold : float
        What was compared, statistic > threshold.
    level : float
        Mean of the values from `onset` to `index`.
    n : int
        How many values that is; >= 1.
    up : bool
        Whether the mean went up.
    """

    row: int
    index: int
    onset: int
    statistic: float
    threshold: float
    level: float
    n: int
    up: bool


@dataclass(frozen=True, slots=True)
class Milestone:
    """What a row has come to at a milestone.

    Parameters
    ----------
    row : int
        Row of the bank.
    index : int
        Absolute index of the value that reached it.
    count : int
        Values since the last alarm, one of `milestones`.
    total : float
        Their sum, each less `shift`.
    shift : float
        The same for all milestones since an alarm.
    """

    row: int
    index: int
    count: int
    total: float
    shift: float


def milestones(before: int, upto: int) -> Iterator[int]:
    """Counts of values since an alarm, in (before, upto], at which a row is looked at: the powers of two from 1024 on.

    Examples
    --------
    >>> list(milestones(1000, 5000)), list(milestones(1024, 2047))
    ([1024, 2048, 4096], [])
    """
    count = max(_FIRST_MILESTONE, 1 << before.bit_length())
    while count <= upto:
        yield count
        count *= 2


class _Place(IntEnum):
    HOME = 0
    AWAY = 1
    #: An alarm took it for home; the next milestone tells.
    ARRIVING = 2


class Episodes:
    """Where each row of a bank is, and what its alarms mean.

    Parameters
    ----------
    levels : array (rows,)
        Mean of each row's values under the reference: what *home* means.
    state : mapping, optional
        What `state` returned.

    Examples
    --------
    >>> episodes = Episodes(np.zeros(1))
    >>> def alarm(index: int, level: float, n: int) -> str:
    ...     return episodes.alarm(Alarm(0, index, index - n + 1, 5.0, 4.0, level, n, up=level > 0.5)).change
    >>> alarm(500, 1.1, 40), alarm(900, 2.0, 30), alarm(1300, 0.2, 50)
    ('change', 'change', 'back')
    """

    def __init__(self, levels: FloatArray, state: BankState | None = None) -> None:
        rows = len(levels)
        self._levels = levels
        self._place = np.zeros(rows, dtype=np.int8)
        self._alarm: Int64Array = np.full(rows, -1)  # index of the last one
        self._mark: Int64Array = np.full(rows, -1)  # index, count and total at the last milestone, or at the alarm
        self._mark_count: Int64Array = np.zeros(rows, dtype=np.int64)
        self._mark_total = np.zeros(rows)
        if state is not None:
            for name, array in self._arrays().items():
                array[:] = state[name]

    def watched(self, rows: Int64Array) -> Int64Array:
        """Positions in `rows` whose milestones are wanted."""
        return np.flatnonzero(self._place[rows] != _Place.HOME)

    def alarm(self, alarm: Alarm) -> Finding:
        """Say what an alarm means; the row is away or arriving after it."""
        row = alarm.row
        near = abs(alarm.level - self._levels[row]) < max(_NEAR, _STANDARD_ERRORS / math.sqrt(alarm.n))
        back = bool(near) and self._place[row] == _Place.AWAY
        self._place[row] = _Place.ARRIVING if back else _Place.AWAY
        self._alarm[row] = self._mark[row] = alarm.index
        self._mark_count[row] = self._mark_total[row] = 0
        cause = "mean up" if alarm.up else "mean down"
        return Finding(alarm.index, row, "back" if back else "change", alarm.statistic, alarm.threshold, alarm.onset, cause)

    def milestone(self, at: Milestone) -> Finding | None:
        """Look at a watched row at its milestone."""
        row, since = at.row, int(self._mark[at.row]) + 1
        level = at.shift + (at.total - self._mark_total[row]) / (at.count - self._mark_count[row])
        self._mark[row], self._mark_count[row], self._mark_total[row] = at.index, at.count, at.total
        away = float(level - self._levels[row])
        arriving = self._place[row] == _Place.ARRIVING
        if abs(away) < _NEAR:
            self._place[row] = _Place.HOME
            return None if arriving else Finding(at.index, row, "back", abs(away), _NEAR, since, "mean settled")
        if arriving and abs(away) > _FAR:
            self._place[row] = _Place.AWAY
            return Finding(at.index, row, "change", abs(away), _FAR, int(self._alarm[row]) + 1, "mean up" if away > 0 else "mean down")
        return None

    def reset(self, rows: Int64Array | Sequence[int]) -> None:
        """These rows are home and have had no alarm."""
        self._place[rows] = _Place.HOME

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return everything needed to go on; arrays are copies."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {
            "place": self._place,
            "alarm": self._alarm,
            "mark": self._mark,
            "mark_count": self._mark_count,
            "mark_total": self._mark_total,
        }
