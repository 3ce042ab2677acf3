"""The acceptance table: a prediction (t = 1000, arrived 1010, says 1) and its labels; D = t + H + G = 11 500, C = 2000, S = 50, O = 300."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from streams.engine.join.batches import EXCLUDED, IMPLICIT, LABELLED, UNLABELLED, Closed
from streams.engine.join.joiner import Joiner
from streams.engine.join.rules import JoinRules
from tests.unit.engine.join.oracle import LabelRow, PredictionRow
from tests.unit.engine.join.worlds import END, labels_of, predictions_of

RULES = JoinRules(
    "binary",
    (10_000,),
    grace=500,
    corrections=2_000,
    skew=50,
    wait=300,
    lateness=1_000,
    future=1_000,
    cohort=1_000,
    missing_negative=True,
    retraction_negative=True,
)
EVENT = replace(RULES, time_to_event=True)
P = PredictionRow(1, 1_000, 1_010)
TP, FP = (1, LABELLED), (0, LABELLED)  # the prediction says 1
IMPLICIT_FP = (0, IMPLICIT)
NOT_KNOWN = (None, UNLABELLED)
LEAKED = (None, EXCLUDED)


def says(time: int, value: int | None, arrived: int, revision: int = -1, *, id: int = 1) -> LabelRow:
    return LabelRow(id, time, arrived, value, revision)


@dataclass
class Row:
    """A row of the table: what comes, what is read when the cohort matures, what when it is amended, and what is counted."""

    name: str
    labels: list[LabelRow]
    matured: tuple[int | None, int] | None
    amended: tuple[int | None, int] | None
    counts: dict[str, int]
    predictions: list[PredictionRow] = field(default_factory=lambda: [P])
    rules: JoinRules = RULES


TABLE = [
    Row("1 a label in time", [says(3_000, 1, 3_010)], TP, TP, {"joined": 1}),
    Row("2 no label", [], IMPLICIT_FP, IMPLICIT_FP, {}),
    Row("2b no label, and none means nothing", [], NOT_KNOWN, NOT_KNOWN, {}, rules=replace(RULES, missing_negative=False)),
    # Row 3 is row 1 with the log of labels read first: every row is read in both orders.
    Row("3 a label that is read before its prediction", [says(3_000, 1, 3_010)], TP, TP, {"joined": 1}),
    Row("4 a label that arrives 200 before its prediction", [says(1_000, 1, 810)], TP, TP, {"joined": 1}),
    Row("5 a label that arrives 400 before, more than O", [says(1_000, 1, 610)], IMPLICIT_FP, IMPLICIT_FP, {"unmatched_label": 1}),
    Row("6 an outcome 40 before the prediction, within S", [says(960, 1, 1_100)], TP, TP, {"joined": 1, "clock_skew": 1}),
    Row("7 an outcome 60 before the prediction, a leak", [says(940, 1, 1_100)], LEAKED, LEAKED, {"leakage_suspect": 1}),
    Row("8 the same label twice", [says(3_000, 1, 3_010), says(3_000, 1, 3_500)], TP, TP, {"joined": 1, "dup_label": 1}),
    Row("9 1, then 0, both in time", [says(3_000, 1, 3_010), says(3_000, 0, 5_000)], FP, FP, {"joined": 1, "correction": 1}),
    Row(
        "10 revision 2, then revision 1",
        [says(3_000, 0, 3_010, 2), says(3_000, 1, 5_000, 1)],
        FP,
        FP,
        {"joined": 1, "stale_revision": 1},
    ),
    Row(
        "11 taken back, which means negative",
        [says(3_000, 1, 3_010), says(3_000, None, 5_000)],
        IMPLICIT_FP,
        IMPLICIT_FP,
        {"joined": 1, "retraction": 1},
    ),
    Row(
        "11b taken back, which means unlabelled",
        [says(3_000, 1, 3_010), says(3_000, None, 5_000)],
        NOT_KNOWN,
        NOT_KNOWN,
        {"joined": 1, "retraction": 1},
        rules=replace(RULES, retraction_negative=False),
    ),
    Row("12 a label at D", [says(10_900, 1, 11_500)], TP, TP, {"joined": 1}),
    Row("13 a label at D + 1", [says(10_900, 1, 11_501)], IMPLICIT_FP, TP, {"correction": 1}),
    Row("14 1, then 0 after D", [says(3_000, 1, 3_010), says(3_000, 0, 13_000)], TP, FP, {"joined": 1, "correction": 1}),
    Row("15 a label at D + C + 1", [says(10_900, 1, 13_501)], IMPLICIT_FP, IMPLICIT_FP, {"unmatched_label": 1}),
    Row("16 a label without a prediction", [says(1_000, 1, 1_000, id=7)], None, None, {"unmatched_label": 1}, predictions=[]),
    Row("17 the prediction twice", [says(3_000, 1, 3_010)], TP, TP, {"dup_prediction": 1, "joined": 1}, predictions=[P, P]),
    Row(
        "18 its id again, with another prediction",
        [says(3_000, 1, 3_010)],
        TP,
        TP,
        {"id_conflict": 1, "joined": 1},
        predictions=[P, P._replace(predicted=0)],
    ),
    Row(
        "19 a prediction that arrives 1001 late",
        [says(3_000, 1, 3_010)],
        None,
        None,
        {"stale_prediction": 1, "unmatched_label": 1},
        predictions=[P._replace(clock=2_001)],
    ),
    Row("20 a prediction 1001 ahead", [], None, None, {"future_prediction": 1}, predictions=[P._replace(time=2_012, clock=1_011)]),
    Row("21 an event at t + H", [says(11_000, 1, 11_010)], TP, TP, {"joined": 1}, rules=EVENT),
    Row("22 an event at t + H + 1", [says(11_001, 1, 11_010)], IMPLICIT_FP, IMPLICIT_FP, {"after_horizon": 1}, rules=EVENT),
]


@pytest.mark.parametrize("first", ["predictions", "labels"])
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_row(row: Row, first: str) -> None:
    joiner = Joiner(row.rules, segments=1)
    if first == "labels":
        joiner.labels(labels_of(row.labels))
    joiner.predictions(predictions_of(row.predictions))
    if first == "predictions":
        joiner.labels(labels_of(row.labels))
    closed = {view.view.name: view for view in joiner.advance(END, END)}

    assert outcome(closed.get("matured")) == row.matured
    assert outcome(closed.get("amended")) == row.amended
    accepted = {"predictions": 1} if row.matured else {}
    labels = {"labels": len(row.labels)} if row.labels else {}
    assert +joiner.counts == row.counts | accepted | labels


def outcome(closed: Closed | None) -> tuple[int | None, int] | None:
    if closed is None:
        return None
    assert closed.predicted.tolist() == [1]
    (actual,), (status,) = closed.actual.tolist(), closed.status.tolist()
    return (None if actual != actual else actual, status)
