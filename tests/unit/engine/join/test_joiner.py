from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streams.engine.join.batches import EXCLUDED, IMPLICIT, LABELLED, UNLABELLED, Closed
from streams.engine.join.joiner import Joiner
from streams.engine.join.rules import JoinRules
from tests.unit.engine.join.oracle import LabelRow, PredictionRow
from tests.unit.engine.join.worlds import END, labels_of, predictions_of

RULES = JoinRules("multiclass", (10_000,), grace=500, corrections=2_000, skew=50, wait=300, lateness=1_000, future=1_000, cohort=1_000)


def joiner(rules: JoinRules = RULES, *, predictions: list[PredictionRow] | None = None, labels: list[LabelRow] | None = None) -> Joiner:
    made = Joiner(rules, segments=1)
    made.predictions(predictions_of(predictions or []))
    made.labels(labels_of(labels or []))
    return made


def predicted(id_: int, time: int, **other: object) -> PredictionRow:
    return PredictionRow(id_, time, time)._replace(**other)


def label(id_: int, clock: int, value: float | None = 1, **other: object) -> LabelRow:
    return LabelRow(id_, clock, clock, value)._replace(**other)


def views(joiner: Joiner, pi: int = END, lam: int = END) -> dict[str, list[Closed]]:
    found: dict[str, list[Closed]] = {}
    for closed in joiner.advance(pi, lam):
        found.setdefault(closed.view.name, []).append(closed)
    return found


def actual(closed: Closed) -> list[float | None]:
    return [None if value != value else value for value in closed.actual.tolist()]


# The cohort ends at 2000: predictions of it arrive by 3000, and meet labels that waited by 3300.
@pytest.mark.parametrize(
    ("name", "pi", "lam"),
    [("age 400ms", 3_001, 2_401), ("matured", 3_001, 12_501), ("amended", 3_301, 14_501)],
    ids=str,
)
def test_a_view_closes_at_the_first_moment_when_no_row_can_change_it(name: str, pi: int, lam: int) -> None:
    def closes(pi: int, lam: int) -> bool:
        return name in views(joiner(replace(RULES, ages=(400,)), predictions=[predicted(1, 1_000)]), pi, lam)

    assert closes(pi, lam)
    assert not closes(pi - 1, END)
    assert not closes(END, lam - 1)


def test_a_cohort_is_forgotten_with_its_last_view() -> None:
    j = joiner(predictions=[predicted(1, 1_000), predicted(2, 2_000)])
    views(j, END, 14_500)
    assert j.pending == 2
    views(j, END, 14_501)
    assert j.pending == 1


def test_a_clock_never_goes_back() -> None:
    j = joiner(predictions=[predicted(1, 1_000)])
    assert list(views(j, END, 12_501)) == ["matured"]
    assert views(j, 0, 0) == {}
    assert list(views(j, 0, END)) == ["amended"]


def test_rows_are_in_order_of_time_then_of_arrival() -> None:
    rows = [
        PredictionRow(1, 1_500, 1_600, 2, 0.1, 7, (3,)),
        PredictionRow(2, 1_200, 1_700, None, 0.2, 8, (4,)),
        PredictionRow(3, 1_500, 1_800, 4, None, 9, (5,)),
    ]
    (closed,) = views(joiner(predictions=rows))["matured"]
    assert (closed.cohort, closed.start_ms, closed.end_ms) == (1, 1_000, 2_000)
    assert closed.times.tolist() == [1_200, 1_500, 1_500]
    assert closed.versions.tolist() == [8, 7, 9]
    assert closed.segments.tolist() == [[4, 3, 5]]
    assert str(closed.predicted.tolist()) == "[nan, 2.0, 4.0]"
    assert str(closed.scores.tolist()) == "[0.2, 0.1, nan]"


def test_each_view_reads_the_labels_of_its_deadline_however_late_it_closes() -> None:
    rules = replace(RULES, ages=(100, 5_000))
    labels = [label(1, 1_300, 2), label(1, 7_000, 3), label(1, 12_000, 4)]
    found = views(joiner(rules, predictions=[predicted(1, 1_000)], labels=labels))
    assert {name: (*actual(c), *c.delays.tolist()) for name, (c,) in found.items()} == {
        "age 100ms": (None, -1),
        "age 5s": (2, 300),
        "matured": (3, 300),
        "amended": (4, 300),
    }


def test_a_delay_is_none_less_than_zero() -> None:
    (closed,) = views(joiner(predictions=[predicted(1, 1_000)], labels=[label(1, 980)]))["matured"]
    assert closed.delays.tolist() == [0]


def test_a_leak_excludes_from_the_view_in_which_it_is_known() -> None:
    rules = replace(RULES, ages=(100,))
    labels = [label(1, 1_050, 2), label(1, 1_200, 3, time=900)]
    found = views(joiner(rules, predictions=[predicted(1, 1_000)], labels=labels))
    assert {name: c.status.tolist() for name, (c,) in found.items()} == {
        "age 100ms": [LABELLED],
        "matured": [EXCLUDED],
        "amended": [EXCLUDED],
    }


def test_numbers_are_joined_as_they_are_and_taken_back() -> None:
    rules = replace(RULES, task="regression")
    rows = [predicted(i, 1_000 + i, predicted=-0.125) for i in range(4)]
    labels = [label(0, 2_000, -1.5), label(1, 2_000, 0.0), label(2, 2_000, 7.25), label(2, 2_001, None)]
    (closed,) = views(joiner(rules, predictions=rows, labels=labels))["matured"]
    assert closed.predicted.tolist() == [-0.125] * 4
    assert actual(closed) == [-1.5, 0.0, None, None]
    assert closed.status.tolist() == [LABELLED, LABELLED, UNLABELLED, UNLABELLED]


def test_what_is_taken_back_may_mean_something_else_than_no_label() -> None:
    rules = replace(RULES, task="binary", missing_negative=True, retraction_negative=False)
    labels = [label(1, 2_000), label(1, 2_001, None), label(2, 2_000, None)]
    (closed,) = views(joiner(rules, predictions=[predicted(1, 1_000), predicted(2, 1_001)], labels=labels))["matured"]
    # Of the second nothing was taken back: there was no label.
    assert closed.status.tolist() == [UNLABELLED, IMPLICIT]


def test_one_event_says_something_else_for_each_horizon() -> None:
    rules = replace(RULES, task="binary", horizons=(1_000, 10_000), time_to_event=True, missing_negative=True)
    found = views(joiner(rules, predictions=[predicted(1, 1_000)], labels=[label(1, 2_500, 1, time=2_001)]))
    assert {name: (*actual(c), *c.status.tolist()) for name, (c,) in found.items()} == {
        "matured": (0, IMPLICIT),
        "amended": (0, IMPLICIT),
        "matured 10s": (1, LABELLED),
        "amended 10s": (1, LABELLED),
    }


def test_a_label_that_is_late_for_a_horizon_is_taken_for_a_longer_one() -> None:
    rules = replace(RULES, horizons=(1_000, 10_000))
    j = joiner(rules, predictions=[predicted(1, 1_000)], labels=[label(1, 4_501, 3)])
    found = views(j)
    assert [actual(c) for name in ("amended", "matured 10s") for c in found[name]] == [[None], [3]]
    assert (j.counts["late_label"], j.counts["joined"]) == (1, 1)


def test_a_label_behind_the_clock_changes_no_closed_view_but_the_next() -> None:
    j = joiner(predictions=[predicted(1, 1_000)])
    assert [actual(c) for c in views(j, END, 12_501)["matured"]] == [[None]]
    j.labels(labels_of([label(1, 3_000, 2)]))
    found = views(j)
    assert list(found) == ["amended"]
    assert actual(found["amended"][0]) == [2]


def test_a_prediction_for_a_closed_cohort_is_late() -> None:
    j = joiner(predictions=[predicted(1, 1_000)])
    views(j, 3_001, 12_501)
    j.predictions(predictions_of([predicted(2, 1_999), predicted(1, 1_000), predicted(3, 2_000)]))
    assert {name: j.counts[name] for name in ("late_prediction", "dup_prediction", "predictions")} == {
        "late_prediction": 1,
        "dup_prediction": 1,
        "predictions": 2,
    }


def test_what_is_exactly_at_a_limit_is_within_it() -> None:
    rows = [predicted(1, 1_000, clock=0), predicted(2, 1_000, clock=2_000), predicted(3, 1_000, clock=2_000)]
    labels = [label(3, 1_700, 2, time=950)]  # S before its prediction's time, O before its arrival
    j = joiner(predictions=rows, labels=labels)
    assert +j.counts == {"predictions": 3, "labels": 1, "joined": 1, "clock_skew": 1}


def test_a_label_waits_for_its_prediction_as_long_as_it_may_meet_it() -> None:
    j = joiner(labels=[label(1, 2_000)])
    views(j, 2_300, 0)
    j.predictions(predictions_of([predicted(1, 1_500, clock=2_300)]))
    assert j.counts["joined"] == 1
    j.labels(labels_of([label(2, 2_000)]))
    views(j, 2_301, 0)
    assert (j.orphans, j.counts["unmatched_label"]) == (0, 1)


def test_late_and_repeated_rows_of_one_id_in_one_batch_are_as_one_by_one() -> None:
    rows = [predicted(9, 500), predicted(9, 2_500), predicted(9, 500), predicted(9, 2_500), predicted(8, 600), predicted(8, 600)]
    together, apart = joiner(predictions=[predicted(1, 100)]), joiner(predictions=[predicted(1, 100)])
    for j in (together, apart):
        views(j, 2_001, 11_501)
    together.predictions(predictions_of(rows))
    for row in rows:
        apart.predictions(predictions_of([row]))
    assert +together.counts == +apart.counts
    assert together.counts["late_prediction"] == 3
    assert together.counts["id_conflict"] == together.counts["dup_prediction"] == 1


def test_an_id_that_comes_again_after_its_cohort_was_dropped_is_another_prediction() -> None:
    j = joiner(predictions=[predicted(1, 1_000)])
    views(j, 14_502, 14_502)
    j.predictions(predictions_of([predicted(1, 20_000, predicted=5)]))
    j.labels(labels_of([label(1, 20_001, 5)]))
    (closed,) = views(j)["matured"]
    assert (closed.cohort, actual(closed)) == (20, [5])


def test_years_without_predictions_cost_nothing() -> None:
    century = 100 * 365 * 86_400_000
    j = joiner(predictions=[predicted(1, 1_000), predicted(2, 1_000 + century)])
    assert [c.cohort for c in views(j, 2 * century, 2 * century)["matured"]] == [1, 1 + century // 1_000]


def test_a_flood_of_labels_for_one_prediction_is_counted_and_not_kept() -> None:
    labels = [label(1, 2_000, 2)] * 99 + [label(1, 2_000, 3)] + [label(1, 2_000, 4)] * 1_000
    whole = joiner(predictions=[predicted(1, 1_000)], labels=labels)
    cut = joiner(predictions=[predicted(1, 1_000)])
    for begin in range(0, len(labels), 64):
        cut.labels(labels_of(labels[begin : begin + 64]))
    first = joiner(labels=labels)
    assert first.orphans == 100
    first.predictions(predictions_of([predicted(1, 1_000, clock=2_000)]))
    for j in (whole, cut, first):
        assert j.counts["excess_label"] == 1_000
        assert actual(views(j)["matured"][0]) == [3]


def test_labels_of_nobody_wait_in_bounded_number_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.engine.join.orphans.MAX_WAITING", 50)
    j = joiner(labels=[label(i, 2_000, i % 9) for i in range(80)])
    j.labels(labels_of([label(i, 2_000, i % 9) for i in range(80, 100)]))
    assert (j.orphans, j.counts["orphans_dropped"]) == (50, 50)
    j.predictions(predictions_of([predicted(49, 2_000), predicted(50, 2_000), predicted(99, 2_000)]))
    assert actual(views(j)["matured"][0]) == [None, 50 % 9, 99 % 9]
    assert j.counts["unmatched_label"] == 48


def test_too_many_pending_predictions_cost_the_oldest_cohort_wherever_batches_are_cut() -> None:
    rules = replace(RULES, max_pending=10)
    rows = [predicted(i, 500 * i + 400 * (i % 3)) for i in range(40)]
    whole = joiner(rules, predictions=rows)
    apart = joiner(rules)
    for row in rows:
        apart.predictions(predictions_of([row]))
    assert whole.pending == apart.pending <= 10
    assert +whole.counts == +apart.counts
    assert whole.counts["evicted"] == 40 - whole.pending
    kept, also_kept = views(whole)["matured"], views(apart)["matured"]
    assert [c.times.tolist() for c in kept] == [c.times.tolist() for c in also_kept]
    assert kept[-1].times.tolist()[-1] == max(row.time for row in rows)


def test_a_prediction_for_a_cohort_that_was_given_up_is_late() -> None:
    j = joiner(replace(RULES, max_pending=2), predictions=[predicted(1, 100), predicted(2, 1_100), predicted(3, 1_200), predicted(4, 900)])
    assert (j.counts["evicted"], j.counts["late_prediction"], j.pending) == (1, 1, 2)


def test_another_source_changes_no_view_and_is_compared() -> None:
    labels = [
        label(1, 2_000, 3, source=1),
        label(1, 2_100, 2),  # they differ
        label(1, 2_200, 2, source=1),  # it comes round
        label(1, 2_300, 5),  # they differ again
        label(2, 2_000, 3, source=2, time=10),  # a leak, if it counted
    ]
    j = joiner(predictions=[predicted(1, 1_000), predicted(2, 1_001)], labels=labels)
    (closed,) = views(j)["matured"]
    assert actual(closed) == [5, None]
    assert closed.status.tolist() == [LABELLED, UNLABELLED]
    assert closed.delays.tolist() == [1_100, -1]
    assert j.counts["source_conflict"] == 2
    assert j.counts["leakage_suspect"] == 0
    assert +j.by_source == {(0, "joined"): 1, (0, "flips"): 1, (1, "joined"): 1, (1, "flips"): 1, (2, "joined"): 1}


def test_nothing_is_kept_for_revisions_and_sources_that_no_label_has() -> None:
    def bytes_of(rules: JoinRules) -> int:
        (chunk,) = joiner(rules, predictions=[predicted(1, 1_000)]).state()["pending"]["chunks"]
        return sum(column.itemsize for part in ("rows", "written") for column in chunk[part].values())

    assert bytes_of(RULES) - bytes_of(replace(RULES, revisions=False)) == 8
    assert bytes_of(RULES) - bytes_of(replace(RULES, sources=False)) == 4
    assert bytes_of(replace(RULES, revisions=False, sources=False, ages=(1, 2))) <= 64


def test_long_spans_are_exact() -> None:
    year = 365 * 86_400_000
    rules = replace(RULES, horizons=(2 * year,), corrections=year, cohort=86_400_000)
    labels = [label(1, 1_000 + 2 * year + 500, 2), label(1, 1_000 + 2 * year + 501, 3)]
    found = views(joiner(rules, predictions=[predicted(1, 1_000)], labels=labels))
    assert [(actual(c), c.delays.tolist()) for name in ("matured", "amended") for c in found[name]] == [
        ([2], [2 * year + 500]),
        ([3], [2 * year + 500]),
    ]


def test_no_rows_are_no_rows() -> None:
    j = joiner()
    assert views(j) == {}
    assert +j.counts == {}


@pytest.mark.parametrize(
    "wrong",
    [{"horizons": ()}, {"horizons": (0,)}, {"cohort": 0}, {"max_pending": 0}, {"ages": (12_501,)}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_rules_that_close_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        replace(RULES, **wrong)


def test_a_column_of_the_state_is_not_written_to_later() -> None:
    j = joiner(predictions=[predicted(1, 1_000)], labels=[label(5, 1_100, 3)])
    state = j.state()
    j.labels(labels_of([label(1, 1_200, 2)]))
    j.predictions(predictions_of([predicted(5, 1_150)]))
    again = Joiner(RULES, segments=1, state=state)
    assert (again.pending, again.orphans) == (1, 1)
    assert actual(views(again)["matured"][0]) == [None]
    assert np.array_equal(state["orphans"]["values"], [3])
