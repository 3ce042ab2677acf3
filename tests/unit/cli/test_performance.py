"""How good the models were, as a backtest tells it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from schemas.alerts import Alert, AlertData, iso
from streams.cli.performance import MOST_ROWS, performance_json, print_performance
from streams.engine.performance import Tally
from streams.engine.performance.confusion import Confusion
from streams.engine.performance.errors import Errors
from streams.engine.performance.scores import Scores
from streams.engine.stats import LabelDelays, ModelStats, PerformanceRow, WorstGroup

START, HOUR = 1_767_571_200_000, 3_600_000  # 2026-01-05T00:00:00Z


def binary(*, n: int = 300, wrong: int = 30, implicit: int = 0) -> Tally:
    """Every tenth is positive; the first `wrong` negatives are taken for positives."""
    actual = (np.arange(n) % 10 == 0).astype(float)
    predicted = actual.copy()
    predicted[np.flatnonzero(actual == 0)[:wrong]] = 1
    scores = np.where(predicted == 1, 0.9, 0.1)
    return Tally("binary", n - implicit, implicit, 90, 10, Confusion.of(actual, predicted), Scores.of(scores, actual == 1), None)


def cohort(k: int, *, series: str = "matured", version: str = "3", segment: str = "all", tally: Tally | None = None) -> PerformanceRow:
    return PerformanceRow(series, version, segment, START + k * HOUR, START + (k + 1) * HOUR, tally or binary(), 100, ("0", "1"))


def model(*rows: PerformanceRow, **given: Any) -> ModelStats:
    stats = ModelStats(
        model="fraud",
        rows={"predictions": 1200, "labels": 1000},
        duplicates=0,
        late=0,
        forced=0,
        gaps=0,
        held=0,
        last_time_ms=0,
        subjects=2,
        drifted=0,
        sources=(),
        faults={},
        unmonitored={},
        alerts={},
        suppressed={},
        active=(),
        scores={},
        references={},
        labels={"predictions": 1200, "joined": 900, "dup_label": 0, "unmatched_label": 4, "correction": 7},
        pending=300,
        orphans=2,
        label_delays=LabelDelays(),
        open_cohorts=5,
        performance=rows,
        worst={("3", "matured"): WorstGroup("country=DE", "pr_auc", 0.21), ("3", "amended"): WorstGroup("country=FR", "pr_auc", 0.2)},
    )
    return replace(stats, **given)


def concept_drift(at_ms: int, *, key: str = "k", **given: Any) -> Alert:
    data = {
        "state": "firing",
        "kind": "concept_drift",
        "severity": "warning",
        "model": "fraud",
        "model_version": "3",
        "segment": "all",
        "subject": "loss",
        "alert_key": key,
        "stream": "fraud/3/all/loss",
        "sequence": 1,
        "started_at": iso(at_ms),
        "detected_at": iso(at_ms + HOUR),
        "summary": "loss: mean 0.03 → 0.2",
        "provisional": True,
        "config": "sha256:0",
        "position": {"topic": "l", "partition": 0, "offset": 7},
    } | given
    return Alert(id="0", source="/driftsonde/d", subject="fraud/3/all/loss", time=iso(at_ms), data=AlertData.model_validate(data))


def printed(capsys: pytest.CaptureFixture[str], stats: ModelStats, *alerts: Alert) -> list[str]:
    print_performance(stats, alerts)
    return [line for line in capsys.readouterr().out.splitlines() if line]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_matured_cohorts_are_listed_with_the_metric_its_interval_and_the_constant_answer(capsys: pytest.CaptureFixture[str]) -> None:
    right = cohort(1, tally=binary(wrong=0))
    title, header, *rows = printed(capsys, model(cohort(0, series="age 1h"), cohort(0), right))
    assert title == "fraud, version 3, matured: predictions by cohort"
    assert cells(header) == ["from", "to", "n", "coverage", "pr_auc", "95 % interval", "constant", "error rate"]
    metric = cohort(0).metrics()["pr_auc"]
    interval = f"{metric.low:.3g} to {metric.high:.3g}"
    assert cells(rows[0]) == ["2026-01-05 00:00", "2026-01-05 01:00", "400", "75.0%", "0.5", interval, "0.1", "0.1"]
    assert (cells(rows[1])[4], cells(rows[1])[-1]) == ("1", "0")


def test_many_cohorts_are_taken_together_and_figures_are_those_of_all_their_predictions(capsys: pytest.CaptureFixture[str]) -> None:
    many = [cohort(k, tally=binary(wrong=k % 2 * 60)) for k in range(MOST_ROWS * 2 + 1)]
    rows = [cells(line) for line in printed(capsys, model(*many)) if line.startswith("2026-")]
    assert len(rows) == 14
    assert rows[0][:4] == ["2026-01-05 00:00", "2026-01-05 03:00", "1200", "75.0%"]
    together = many[0] + many[1] + many[2]
    assert rows[0][4] == f"{together.metrics()['pr_auc'].value:.3g}"
    assert rows[0][-1] == f"{60 / 900:.3g}"
    assert rows[-1][:3] == ["2026-01-06 15:00", "2026-01-06 17:00", "800"]


def test_each_version_has_a_table_of_all_segments_together(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, model(cohort(0), cohort(0, segment="country=DE"), cohort(1, version="4")))
    assert [line for line in lines if line.endswith("by cohort")] == [
        "fraud, version 3, matured: predictions by cohort",
        "fraud, version 4, matured: predictions by cohort",
    ]
    assert sum(line.startswith("2026-") for line in lines) == 2


def test_before_any_cohort_has_matured_the_oldest_age_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    title, *_ = printed(capsys, model(cohort(0, series="age 1h"), cohort(0, series="age 4h")))
    assert title == "fraud, version 3, age 4h: predictions by cohort"


def test_the_cohort_in_which_a_concept_drift_began_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    began, elsewhere = concept_drift(START + HOUR), concept_drift(START, key="e", segment="country=DE")
    stats = model(cohort(0), cohort(1), cohort(2))
    marks = ["concept" in line for line in printed(capsys, stats, elsewhere, began)[2:5]]
    assert marks == [False, True, False]
    assert "concept drift from here (loss, provisional)" in printed(capsys, stats, began)[3]
    confirmed = concept_drift(START + HOUR, state="updated", provisional=False, sequence=2, summary="confirmed: loss: mean 0.03 → 0.2")
    assert "concept drift from here (loss)" in printed(capsys, stats, began, confirmed)[3]
    further = concept_drift(START + 2 * HOUR, state="updated", sequence=3)
    lines = printed(capsys, stats, began, confirmed, further)
    assert "concept drift from here (loss)" in lines[3]
    assert "a further change from here (loss, provisional)" in lines[4]


def test_negatives_by_rule_have_a_column_where_there_are_any(capsys: pytest.CaptureFixture[str]) -> None:
    _, header, row, *_ = printed(capsys, model(cohort(0, tally=binary(implicit=292))))
    assert cells(header)[3:5] == ["coverage", "negative by rule"]
    assert cells(row)[3:5] == ["2.0%", "292"]


def test_a_regression_has_no_error_rate(capsys: pytest.CaptureFixture[str]) -> None:
    actual = np.arange(200, dtype=np.float64) * 1000
    tally = Tally("regression", 200, 0, 0, 0, None, None, Errors.of(actual, actual + 12_345.6))
    _, header, row, *_ = printed(capsys, model(cohort(0, tally=tally)))
    assert cells(header)[4:] == ["mae", "95 % interval", "constant"]
    assert cells(row)[4:] == ["12,346", "12,346 to 12,346", "50,000"]


def test_an_error_beyond_all_measure_is_a_number_that_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally("regression", 200, 0, 0, 0, None, None, Errors.of(np.arange(200.0), np.full(200, 1e60)))
    *_, row, _, _, _ = printed(capsys, model(cohort(0, tally=tally)))
    assert cells(row)[4] == "1e+60"


def test_a_cohort_of_too_few_outcomes_has_no_figures(capsys: pytest.CaptureFixture[str]) -> None:
    few = cohort(0, tally=binary(n=99))
    _, _, row, *_ = printed(capsys, model(few, cohort(1)))
    assert cells(row)[4:] == ["–", "–", "–", "–"]
    assert cells(printed(capsys, model(few))[1]) == ["from", "to", "n", "coverage"]


def test_counts_open_cohorts_and_the_worst_group_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, model(cohort(0)))[3:] == [
        "fraud, labels: 900 joined, 7 correction, 4 unmatched label, 1200 predictions",
        "fraud, at the end: 5 cohorts are not settled; 300 predictions wait for their label, 2 labels for their prediction",
        "fraud, version 3, matured: worst group country=DE, pr_auc 0.21",
    ]


def test_nothing_is_told_of_a_model_that_joins_no_labels(capsys: pytest.CaptureFixture[str]) -> None:
    stats = model(label_delays=None, labels={}, worst={})
    assert printed(capsys, stats) == []
    assert performance_json(stats, [], None) is None


def test_programs_get_the_same_of_all_series_and_segments() -> None:
    stats = model(cohort(0, series="age 1h"), cohort(0), cohort(0, segment="country=DE", tally=binary(n=10)))
    line = performance_json(stats, [concept_drift(START)], "labels assumed to arrive 1h after their time")
    told = orjson.loads(line or b"")
    assert told["type"] == "io.driftsonde.performance.v1"
    assert told["assumption"] == "labels assumed to arrive 1h after their time"
    assert (told["labels"]["joined"], told["pending"], told["waiting"], told["open_cohorts"]) == (900, 300, 2, 5)
    assert [c["series"] for c in told["cohorts"]] == ["age 1h", "matured", "matured"]
    first, _, of_segment = told["cohorts"]
    assert (first["from"], first["n"], first["coverage"]) == ("2026-01-05T00:00:00.000Z", 400, 0.75)
    assert first["metrics"]["error_rate"].keys() == {"value", "low", "high", "constant"}
    assert first["metrics"]["error_rate"]["value"] == 0.1
    assert (first["concept_drift"], of_segment["concept_drift"]) == (["k"], [])
    assert of_segment["metrics"] == {}
    assert told["worst"][0] == {"version": "3", "series": "matured", "segment": "country=DE", "metric": "pr_auc", "value": 0.21}
