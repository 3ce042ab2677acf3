"""The performance of a model over its whole run in bounded memory: the last cohorts one by one, those before in longer stretches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from streams.engine.episode import ALL
from streams.engine.performance.tally import Tally

__all__ = ["MOST_GROUPS", "MOST_OF_SEGMENT", "MOST_RECORDS", "CohortRecord", "PerformanceHistory"]

#: Records of a series and version, and of each segment; for one more, two neighbours are merged.
MOST_RECORDS, MOST_OF_SEGMENT = 64, 8
#: Series, versions and segments together; of more, something of the version that has had no cohort for longest is forgotten.
MOST_GROUPS = 400

_Key: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True, eq=False)
class CohortRecord:
    """What became of the predictions of some time, read at some deadline.

    Parameters
    ----------
    series : str
        Name of the view: ``age 1h``, ``matured``, ``amended``.
    version, segment : str
        Whose predictions; segment `ALL` or ``field=value``.
    start_ms, end_ms : int
        Event times of the predictions, [start, end).
    tally : Tally
        Their outcomes.
    """

    series: str
    version: str
    segment: str
    start_ms: int
    end_ms: int
    tally: Tally

    def __add__(self, later: CohortRecord) -> CohortRecord:
        return replace(self, end_ms=later.end_ms, tally=self.tally + later.tally)


class PerformanceHistory:
    """Cohort records by series, version and segment: at most 64 each, 8 of a segment; up to 17 kB a record.

    When there is no room, two neighbours are merged, so the whole run stays covered: by its last 16 cohorts (2 of a segment), and
    before them by stretches that grow with the run and of which none is much longer than another. Because tallies add up to the
    bit, a stretch has the metrics of all its predictions.

    Parameters
    ----------
    state : mapping, optional
        What `state` returned; without it the history is empty.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self._records: dict[_Key, list[CohortRecord]] = {}
        for entry in () if state is None else state["series"]:
            series, version, segment = entry["key"]
            self._records[series, version, segment] = [
                CohortRecord(series, version, segment, start, end, Tally.from_state(tally)) for start, end, tally in entry["records"]
            ]

    def add(self, record: CohortRecord) -> None:
        """Take the record that follows, in time, the others of its series, version and segment.

        Raises
        ------
        ValueError
            It starts before the last of them ends.
        """
        key = record.series, record.version, record.segment
        kept = self._records.get(key, [])
        if kept and record.start_ms < kept[-1].end_ms:
            raise ValueError(f"{record.series}: found a cohort that starts at {record.start_ms}, expected {kept[-1].end_ms} or later")
        if len(kept) == (MOST_RECORDS if record.segment == ALL else MOST_OF_SEGMENT):
            kept = _with_room(kept)
        self._records[key] = [*kept, record]
        if len(self._records) > MOST_GROUPS:
            del self._records[self._least_wanted()]

    def _least_wanted(self) -> _Key:
        """Of the version that was heard of longest ago: segments before the whole, and what ended first."""
        ends = {key: records[-1].end_ms for key, records in self._records.items()}
        of_version: dict[str, int] = {}
        for (_, version, _), end in ends.items():
            of_version[version] = max(end, of_version.get(version, end))
        return min(ends, key=lambda key: (of_version[key[1]], key[2] == ALL, ends[key], key))

    def records(self) -> list[CohortRecord]:
        """Return all records: series, versions and segments in the order in which they were first heard of, of each in order of time."""
        return [record for records in self._records.values() for record in records]

    def state(self) -> dict[str, Any]:
        """Everything needed to go on, for `schemas.snapshot`."""
        return {
            "series": [
                {"key": list(key), "records": [[record.start_ms, record.end_ms, record.tally.state()] for record in records]}
                for key, records in self._records.items()
            ]
        }


def _with_room(records: list[CohortRecord]) -> list[CohortRecord]:
    """Merge the two neighbours of which the longer is shortest, the last quarter left alone; of equals the oldest."""
    spans = [record.end_ms - record.start_ms for record in records[: -len(records) // 4]]
    at = min(range(len(spans) - 1), key=lambda i: max(spans[i], spans[i + 1]))
    return [*records[:at], records[at] + records[at + 1], *records[at + 2 :]]
