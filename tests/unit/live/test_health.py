from __future__ import annotations

from streams.live.health import Health, Place

P = ("features", 0)


def health() -> Health:
    return Health(stalled_after=60, unowned_after=90, silent_after=30)


def test_a_worker_that_has_observed_nothing_yet_is_well() -> None:
    assert health().problems(now=1000.0) == []


def test_no_progress_is_a_fault_only_while_records_wait() -> None:
    judge = health()
    for now in range(0, 300, 10):
        judge.observe({P: Place(5, 0)}, now=float(now))
    assert judge.problems(now=290.0) == []
    for now in range(300, 370, 10):
        judge.observe({P: Place(5, 7)}, now=float(now))
    assert judge.problems(now=360.0) == ["features/0: no progress for 70 s at offset 5, 7 records waiting"]
    judge.observe({P: Place(6, 7)}, now=370.0)
    assert judge.problems(now=370.0) == []


def test_a_partition_that_was_given_away_is_forgotten() -> None:
    judge = health()
    judge.observe({P: Place(5, 7)}, now=0.0)
    judge.observe({}, now=10.0)
    judge.observe({P: Place(5, 7)}, now=65.0)
    assert judge.problems(now=66.0) == []


def test_a_topic_that_nobody_reads_is_a_fault_once_it_is_no_rebalance_any_more() -> None:
    judge = health()
    judge.observe_unowned({("labels", 1), ("labels", 0)}, now=0.0)
    assert judge.problems(now=80.0) == []
    judge.observe_unowned({("labels", 1)}, now=80.0)
    assert judge.problems(now=95.0) == ["no worker of the group reads labels/1"]
    judge.observe_unowned((), now=96.0)
    assert judge.problems(now=200.0) == []


def test_an_event_loop_that_stands_still_is_a_fault() -> None:
    judge = health()
    judge.observe({}, now=0.0)
    assert judge.problems(now=31.0) == ["the event loop has been busy or stopped for 31 s"]
