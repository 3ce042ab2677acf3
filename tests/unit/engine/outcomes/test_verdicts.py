"""What closed cohorts lead to: verdicts where there is enough to judge by, and what is said instead where there is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from schemas.config import Model
from streams.engine.feed import Clear, Raise
from streams.engine.join.batches import EXCLUDED, LABELLED, UNLABELLED, Closed
from streams.engine.join.rules import JoinRules, View
from streams.engine.outcomes.verdicts import Judged, Settled, Verdict, Verdicts

MINUTE = 60_000
START = 1_767_600_000_000
ROWS = 60  # of a cohort


def model(**labels: Any) -> Model:
    source = {"topic": "l", "fields": {"id": "id", "label": "y"}, "horizon": "1h", "ages": ["10m"], "cohort": "1m", "learn": 1000, **labels}
    predictions = {"topic": "p", "fields": {"id": "id", "prediction": "y"}}
    return Model.model_validate(
        {
            "name": "m",
            "task": "binary",
            "false_alarms_per_week": 50,
            "segments": ["region"],
            "sources": {"predictions": predictions, "labels": source},
        }
    )


class Cohorts:
    """Closed cohorts of one view, one after the other, each of 60 rows."""

    def __init__(self, of: Model, kind: str = "matured", seed: int = 3) -> None:
        self.view: View = next(v for v in JoinRules.of(of).views if v.kind == kind)
        self.rng = np.random.default_rng(seed)
        self.k = 0

    def next(
        self, n: int, *, error: float = 0.1, coverage: float = 1.0, delay_ms: float = 2 * MINUTE, south: float | None = None
    ) -> Iterator[Closed]:
        for _ in range(n):
            yield self._one(error, coverage, delay_ms, south)

    def _one(self, error: float, coverage: float, delay_ms: float, south: float | None) -> Closed:
        rng, start = self.rng, START + self.k * MINUTE
        self.k += 1
        region = (rng.random(ROWS) < 0.3).astype(np.int32)
        actual = (rng.random(ROWS) < 0.4).astype(float)
        wrong = rng.random(ROWS) < np.where(region == 1, error if south is None else south, error)
        labelled = rng.random(ROWS) < coverage
        return Closed(
            cohort=self.k,
            start_ms=start,
            end_ms=start + MINUTE,
            view=self.view,
            pi=0,
            lam=0,
            times=start + 1000 * np.arange(ROWS),
            versions=np.zeros(ROWS, np.int32),
            segments=region[None, :],
            predicted=np.where(wrong, 1 - actual, actual),
            scores=np.full(ROWS, np.nan),
            actual=np.where(labelled, actual, np.nan),
            status=np.where(labelled, LABELLED, UNLABELLED).astype(np.int8),
            delays=np.where(labelled, (delay_ms * rng.lognormal(0, 0.5, ROWS)).astype(np.int64), -1),
        )


SEGMENTS = {(0, 0): "region=north", (0, 1): "region=south"}


def show(verdicts: Verdicts, cohorts: Iterator[Closed], first_row: int = 0) -> list[Verdict]:
    return [v for row, closed in enumerate(cohorts, first_row) for v in verdicts.take(closed, row, ["1"], SEGMENTS)]


def found(said: list[Verdict]) -> list[tuple[str, str, str, bool | None]]:
    """(segment, subject, change, provisional) of what detectors that decide have found."""
    return [
        (v.stream.segment, v.stream.subject, v.observation.finding.change, v.observation.story.provisional)
        for v in said
        if isinstance(v, Judged) and v.observation.decides
    ]


def test_a_worse_model_is_found_in_the_matured_losses() -> None:
    of = model()
    verdicts, cohorts = Verdicts(of), Cohorts(of)
    assert found(show(verdicts, cohorts.next(60))) == []
    said = found(show(verdicts, cohorts.next(20, error=0.5)))
    assert ("all", "loss", "change", False) in said
    assert {segment for segment, *_ in said} >= {"all", "region=north"}
    assert {subject for _, subject, *_ in said} <= {"loss", "missed_positives"}


def test_the_same_by_age_is_provisional() -> None:
    of = model()
    verdicts, cohorts = Verdicts(of), Cohorts(of, "age")
    show(verdicts, cohorts.next(60))
    said = found(show(verdicts, cohorts.next(20, error=0.5)))
    assert ("all", "loss", "change", True) in said
    assert {segment for segment, *_ in said} == {"all"}, "segments are watched when they are mature"


def test_young_losses_are_not_believed_while_labels_take_longer() -> None:
    of = model()
    verdicts, cohorts = Verdicts(of), Cohorts(of, "age")
    show(verdicts, cohorts.next(60))
    said = show(verdicts, cohorts.next(5, delay_ms=5 * MINUTE))
    assert [(subject, change) for _, subject, change, _ in found(said)] == [("label_delay", "change")]
    assert found(show(verdicts, cohorts.next(20, error=0.5, delay_ms=5 * MINUTE))) == []
    assert verdicts.suppressed["label_delay"] > 0


def test_one_group_that_gets_worse_is_found_where_all_together_look_well() -> None:
    of = model()
    verdicts, cohorts = Verdicts(of), Cohorts(of)
    show(verdicts, cohorts.next(100, error=0.1))
    said = found(show(verdicts, cohorts.next(40, error=0.02, south=0.29)))
    assert ("region=south", "loss", "change", False) in said
    assert not any(segment == "all" and change == "change" for segment, _, change, _ in said)


def test_without_enough_labels_there_is_no_verdict_but_a_word_about_it() -> None:
    of = model(min_coverage=0.5)
    verdicts, cohorts = Verdicts(of), Cohorts(of)
    show(verdicts, cohorts.next(60))
    said = show(verdicts, cohorts.next(20, error=0.6, coverage=0.3))
    assert "loss" not in {subject for _, subject, *_ in found(said)}
    low = [v for v in said if isinstance(v, Raise)]
    assert low
    assert "labels, and a verdict needs 50%" in low[0].summary
    assert verdicts.suppressed["coverage"] > 0
    again = show(verdicts, cohorts.next(4))
    assert any(isinstance(v, Clear) and v.stream.subject == "coverage_low" for v in again)


def test_small_cohorts_are_judged_together() -> None:
    of = model(min_rows=150)
    verdicts, cohorts = Verdicts(of), Cohorts(of)
    said = [show(verdicts, cohorts.next(1)) for _ in range(6)]
    assert [any(isinstance(v, Clear) for v in one) for one in said] == [False, False, True, False, False, True]


def test_predictions_with_a_leaked_label_are_in_no_series() -> None:
    of = model()
    verdicts, cohorts = Verdicts(of), Cohorts(of)
    show(verdicts, cohorts.next(40))
    for closed in cohorts.next(20, error=1.0):
        closed.status[:] = EXCLUDED
        closed.actual[:] = np.nan
        closed.delays[:] = -1
        assert found(list(verdicts.take(closed, 0, ["1"], SEGMENTS))) == []


def test_what_was_provisional_is_settled_once_matured_losses_are_watched() -> None:
    of = model()
    verdicts, cohorts = Verdicts(of), Cohorts(of)
    assert not any(isinstance(v, Settled) for v in show(verdicts, cohorts.next(10)))
    settled = [v for v in show(verdicts, cohorts.next(40)) if isinstance(v, Settled) and v.stream.subject == "loss"]
    assert settled[-1].until_ms == START + 48 * MINUTE + 59_000, "one cohort less than was watched"


def test_a_version_that_is_gone_is_forgotten() -> None:
    of = model()
    verdicts, cohorts = Verdicts(of), Cohorts(of)
    show(verdicts, cohorts.next(40))
    assert verdicts.scores()
    verdicts.forget("1")
    assert not verdicts.scores()


def test_it_goes_on_from_what_was_saved() -> None:
    of = model(min_rows=100)
    first, cohorts = Verdicts(of), Cohorts(of)
    show(first, cohorts.next(41))
    again = Verdicts(of, (), first.state())
    rest = list(cohorts.next(21, error=0.5))
    assert show(again, iter(rest)) == show(first, iter(rest))
    assert again.suppressed == first.suppressed


def test_that_more_labels_come_or_sooner_is_not_told() -> None:
    of = model(min_coverage=0.1)
    verdicts, cohorts = Verdicts(of), Cohorts(of)
    show(verdicts, cohorts.next(60, coverage=0.6))
    assert found(show(verdicts, cohorts.next(20, coverage=0.9, delay_ms=MINUTE))) == []
    assert verdicts.suppressed["more_labels"] > 0
    assert verdicts.suppressed["faster_labels"] > 0
    fewer = found(show(verdicts, cohorts.next(20, coverage=0.2, delay_ms=5 * MINUTE)))
    assert {subject for _, subject, _, _ in fewer} == {"label_coverage", "label_delay"}
