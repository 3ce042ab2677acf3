"""A history covers the whole run in bounded memory, and goes on where it was left."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import add

import numpy as np
import pytest

from schemas.snapshot import pack, unpack
from streams.engine.performance import ALL, CohortRecord, PerformanceHistory, Tally, history
from tests.unit.engine.performance.cohorts import HOUR, closed, fraud, image


def record(cohort: int, tally: Tally, segment: str = ALL) -> CohortRecord:
    return CohortRecord("matured", "1", segment, cohort * HOUR, (cohort + 1) * HOUR, tally)


def tallies(n: int) -> list[Tally]:
    rng = np.random.default_rng(7)
    return [Tally.of("binary", closed(*fraud(rng, 40, share=0.3))) for _ in range(n)]


def test_the_whole_run_stays_covered_and_its_last_cohorts_stay_apart() -> None:
    run = tallies(500)
    kept = PerformanceHistory()
    for cohort, tally in enumerate(run):
        kept.add(record(cohort, tally))
        assert len(kept.records()) <= history.MOST_RECORDS
    records = kept.records()
    assert [records[0].start_ms, *(r.end_ms for r in records)] == [*(r.start_ms for r in records), 500 * HOUR]
    spans = [(r.end_ms - r.start_ms) // HOUR for r in records]
    assert spans[-16:] == [1] * 16
    assert max(spans) == 16  # not more than twice what even stretches would take
    assert image(reduce(add, (r.tally for r in records))) == image(reduce(add, run))


def test_a_restored_history_goes_on_as_if_it_had_not_stopped() -> None:
    run = tallies(150)
    whole, stopped = PerformanceHistory(), PerformanceHistory()
    for cohort, tally in enumerate(run):
        for kept in (whole, stopped):
            kept.add(record(cohort, tally))
            kept.add(record(cohort, tally, segment="country=DE"))
        if cohort in (3, 100):
            stopped = PerformanceHistory(unpack(pack(stopped.state(), header={}))[1])
    assert pack(stopped.state(), header={}) == pack(whole.state(), header={})


def test_a_cohort_out_of_order_is_refused() -> None:
    kept, (tally,) = PerformanceHistory(), tallies(1)
    kept.add(record(5, tally))
    with pytest.raises(ValueError, match="matured: found a cohort that starts at 18000000, expected 21600000 or later"):
        kept.add(record(5, tally))


def test_beyond_the_room_the_segment_that_ended_first_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_GROUPS", 3)
    kept, (tally,) = PerformanceHistory(), tallies(1)
    for cohort, segment in enumerate(["a", "b", "c"]):
        kept.add(record(cohort, tally, segment=segment))
    kept.add(record(9, tally, segment="a"))
    kept.add(record(10, tally, segment="d"))
    assert [r.segment for r in kept.records()] == ["a", "a", "c", "d"]


def test_an_old_version_is_forgotten_before_a_new_one_and_its_segments_before_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_GROUPS", 4)
    kept, (tally,) = PerformanceHistory(), tallies(1)
    kept.add(replace(record(1, tally), version="0"))
    for cohort, segment in ((2, "x"), (2, ALL), (3, "x"), (3, ALL)):
        kept.add(record(cohort, tally, segment))
        kept.add(replace(record(cohort, tally, segment), series="amended"))
    kept.add(record(3, tally, "y"))
    groups = {(r.series, r.version, r.segment) for r in kept.records()}
    assert groups == {("matured", "1", ALL), ("amended", "1", ALL), ("matured", "1", "x"), ("matured", "1", "y")}


def test_a_segment_has_fewer_records_and_covers_the_run_too() -> None:
    kept = PerformanceHistory()
    for cohort, tally in enumerate(tallies(50)):
        kept.add(record(cohort, tally, "country=DE"))
    spans = [((r.end_ms - r.start_ms) // HOUR) for r in kept.records()]
    assert len(spans) == history.MOST_OF_SEGMENT
    assert sum(spans) == 50
    assert spans[-2:] == [1, 1]
