"""Which rows can be used, and what is wrong with the others."""

from __future__ import annotations

import numpy as np

from schemas.alerts import iso
from schemas.dead_letters import Rejection
from schemas.decoding.json_records import describe
from schemas.decoding.label_fields import LabelCheck
from schemas.decoding.paths import FirstOf, JsonObject
from schemas.decoding.rows import Rows
from schemas.decoding.timestamps import EARLIEST_MS, LATEST_MS, MAX_EVENT_AHEAD_MS, MAX_RECORD_AHEAD_MS
from schemas.errors import InvariantError

__all__ = ["MAX_FEATURES", "MAX_ID", "Admission"]

#: Features a record may have.
MAX_FEATURES = 4096
#: Characters an id may have.
MAX_ID = 512


class Admission:
    """Tells rows that can be used from those that can't. Whole columns are tested; only what fails is looked at again.

    Parameters
    ----------
    id, time : FirstOf
        Where ids and times were read; no `time` for Kafka's own.
    arrived : FirstOf, optional
        Where the times of arrival were read, which are the rows' stamps; none for Kafka's own.
    features : str, optional
        Path of the features object.
    labels : LabelCheck, optional
        What a record must say; none for a topic that has more than labels.
    """

    def __init__(
        self,
        id: FirstOf,
        time: FirstOf | None,
        arrived: FirstOf | None = None,
        features: str | None = None,
        labels: LabelCheck | None = None,
    ) -> None:
        self._id = id
        self._time = time
        self._arrived = arrived
        self._stamp = "record timestamp" if arrived is None else "arrived"
        self._features = features
        self._labels = labels

    def rejected(self, rows: Rows, now_ms: int | None) -> dict[int, Rejection]:
        """Return, by row number, why a row can't be used; rows that can be used are not in it.

        Parameters
        ----------
        rows : Rows
            As they were read.
        now_ms : int or None
            The wall clock; None (a backtest) for no comparison with it.
        """
        stamps, times = rows.batch.stamps, rows.times
        odd = (stamps < EARLIEST_MS) | (stamps >= LATEST_MS) | (times < EARLIEST_MS) | (times - MAX_EVENT_AHEAD_MS > stamps)
        if now_ms is not None:
            odd |= stamps > now_ms + MAX_RECORD_AHEAD_MS
        suspects = set(np.flatnonzero(odd).tolist())
        if not all(rows.ids):
            suspects.update(i for i, name in enumerate(rows.ids) if not name)
        if set(map(type, rows.features)) != {dict} or max(map(len, rows.features)) > MAX_FEATURES:
            suspects.update(i for i, o in enumerate(rows.features) if type(o) is not dict or len(o) > MAX_FEATURES)
        if self._labels is not None:
            suspects.update(self._labels.suspects(rows.batch.records))
        return {i: self._why(rows, i, now_ms) for i in sorted(suspects)}

    def _why(self, rows: Rows, i: int, now_ms: int | None) -> Rejection:
        record, stamp, time, features = rows.batch.records[i], int(rows.batch.stamps[i]), int(rows.times[i]), rows.features[i]
        if not rows.ids[i]:
            found = describe(self._id.value(record))
            return Rejection("missing_id", f"id: found {found} at {self._id}, expected a string of 1 to {MAX_ID} characters or an integer")
        for name, path, ms in (("arrived", self._arrived, stamp), ("time", self._time, time)):
            if ms < EARLIEST_MS:
                return _no_time(name, path, record, ms)
        if stamp >= LATEST_MS:
            return Rejection("future_timestamp", f"{self._stamp}: found {stamp} ms, expected a time before {iso(LATEST_MS)}")
        if time - MAX_EVENT_AHEAD_MS > stamp:
            own = "the record's own timestamp" if self._arrived is None else "its arrival"
            return Rejection("future_timestamp", f"time: found {iso(time)}, expected at most 24 h after {own} {iso(stamp)}")
        if now_ms is not None and stamp > now_ms + MAX_RECORD_AHEAD_MS:
            return Rejection(
                "future_timestamp", f"{self._stamp}: found {iso(stamp)}, expected at most 5 min after the wall clock {iso(now_ms)}"
            )
        if type(features) is not dict:
            return Rejection("not_an_object", f"features: found {describe(features)} at {self._features!r}, expected an object")
        if len(features) > MAX_FEATURES:
            return Rejection("oversize", f"features: found {len(features)}, expected at most {MAX_FEATURES}")
        if self._labels is not None and (rejection := self._labels.why(record)) is not None:
            return rejection
        raise InvariantError(f"offset {rows.batch.offsets[i]} was suspected, but nothing is wrong with it")


def _no_time(name: str, path: FirstOf | None, record: JsonObject, ms: int) -> Rejection:
    if path is None:
        return Rejection("bad_time", f"record timestamp: found {ms} ms, expected a time after {iso(EARLIEST_MS)}")
    found = describe(path.value(record))
    return Rejection("bad_time", f"{name}: found {found} at {path}, expected ISO 8601 or a number since the epoch, 1973 or later")
