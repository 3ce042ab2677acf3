"""A watch learns from the first outcomes and then watches: the same whatever the batches, and wherever it was restored."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.config import Model
from streams.engine.outcomes.watch import LEAST_LEARNT, Watch

START = 1_767_608_500_000
SOURCES = {"predictions": {"topic": "p", "fields": {"id": "id", "prediction": "y"}}}


def model(task: str = "binary", **more) -> Model:
    return Model.model_validate({"name": "fraud", "task": task, "sources": SOURCES, **more})


def watch(subject: str = "loss", *, of: Model | None = None, learn: int = 1000, series: str = "matured", state=None) -> Watch:
    return Watch(of or model(), subject, learn=learn, share=1.0, series=series, state=state)


def losses(*stages: tuple[int, float], seed: int = 1):
    values = np.concatenate([np.random.default_rng(seed).random(n) < share for n, share in stages]).astype(float)
    return values, START + 1000 * np.arange(len(values))


def told(watch: Watch, values, times, size: int, *, restored: bool = False, **more):
    seen = []
    for first in range(0, len(values), size):
        part = slice(first, first + size)
        for found in watch.take(values[part], times[part]):
            seen.append((first + found.column, found.detector, found.finding.change, found.story, found.agreeing))
        if restored:
            watch = Watch(model(), "loss", learn=1000, share=1.0, series="matured", state=watch.state())
    return seen


@pytest.mark.parametrize("restored", [False, True])
@pytest.mark.parametrize("size", [7, 333, 1000])
def test_what_it_says_depends_on_the_values_alone(size, restored):
    values, times = losses((3000, 0.05), (1000, 0.5), (1500, 0.05))
    whole = told(watch(), values, times, len(values))
    assert [(detector, change) for _, detector, change, *_ in whole if detector == "esr"] == [("esr", "change"), ("esr", "back")]
    assert told(watch(), values, times, size, restored=restored) == whole


def test_a_change_is_placed_in_prediction_time_and_said_in_the_user_s_words():
    values, times = losses((3000, 0.061), (1000, 0.94))
    found = next(seen for seen in watch().take(values, times) if seen.decides)
    assert (found.story.kind, found.story.provisional, found.detector) == ("concept_drift", False, "esr")
    assert times[2980] <= found.story.onset == found.story.started_ms <= times[3010]
    assert found.story.index == times[found.column]
    assert found.story.effect is not None
    assert (found.story.effect.measure, found.story.effect.in_reference_sd) == ("error rate", None)
    assert found.story.summary.startswith("loss: error rate ")
    assert " % since about 2026-01-05 11:11 (by prediction time); esr " in found.story.summary
    assert {e.series for e in found.story.evidence} == {"matured"}


def test_a_young_series_is_provisional_and_its_detectors_have_names_of_their_own():
    values, times = losses((3000, 0.06), (1000, 0.9))
    young = watch(series="age 1h")
    found = next(seen for seen in young.take(values, times) if seen.decides)
    assert (found.story.provisional, found.detector, found.agreeing) == (True, "esr (age 1h)", ())
    assert "(by prediction time; provisional, age 1h)" in found.story.summary
    assert {detector for detector, *_ in young.scores()} == {"esr (age 1h)", "adwin (age 1h)", "page_hinkley (age 1h)"}


def test_fewer_errors_are_no_change_of_the_concept():
    values, times = losses((3000, 0.5), (5000, 0.2))
    assert [seen for seen in watch().take(values, times) if seen.decides] == []


@pytest.mark.parametrize(
    ("subject", "task", "before", "after", "said"),
    [
        ("loss", "regression", (3.0, 1.0), (5.0, 1.0), "loss: mean loss 3"),
        ("label_delay", "binary", (7200.0, 600.0), (18_000.0, 600.0), "label_delay: median delay 2"),
        ("label_coverage", "binary", None, None, "label_coverage: share labelled 89.2 %"),
        ("label", "binary", None, None, "label: share of positives 89.2 %"),
        ("missed_positives", "binary", None, None, None),  # upward only
    ],
)
def test_each_stream_is_told_in_its_own_measure(subject, task, before, after, said):
    rng = np.random.default_rng(3)
    if before is None:
        values, times = losses((2000, 0.9), (1000, 0.4))
    else:
        values = np.concatenate([rng.normal(*before, 2000), rng.normal(*after, 1000)])
        times = START + 1000 * np.arange(3000)
    found = [seen for seen in watch(subject, of=model(task)).take(values, times) if seen.decides]
    if said is None:
        assert found == []
    else:
        assert found[0].story.summary.startswith(said)
        assert found[0].story.kind == ("concept_drift" if subject == "loss" else "label_quality")
        assert found[0].story.provisional is (False if subject == "loss" else None)


def test_of_many_classes_the_one_is_named_whose_share_has_moved():
    rng = np.random.default_rng(8)
    before, after = rng.choice(4, 2000, p=(0.4, 0.3, 0.2, 0.1)), rng.choice(5, 1000, p=(0.4, 0.1, 0.1, 0.3, 0.1))
    values, times = np.concatenate([before, after]).astype(float), START + 1000 * np.arange(3000)
    values[7] = np.nan
    classes = ["cat", "dog", "cow", "hen"]

    def make(state=None) -> Watch:
        return Watch(model("multiclass"), "label", learn=1500, share=1.0, series="matured", classes=classes, state=state)

    first = make()
    assert first.take(values[:1800], times[:1800]) == []
    restored = make(first.state())
    [found, *_] = first.take(values[1800:], times[1800:])
    assert found.story.summary.startswith("label: share of 'hen' 0.0")
    assert found.story.kind == "label_quality"
    assert restored.take(values[1800:], times[1800:])[0] == found
    assert first.reference is not None
    assert first.reference.profiles["label"].missing == 1


def test_a_rare_subject_begins_when_the_series_has_come_far_enough():
    misses = watch("missed_positives", learn=1000)
    for cohort in range(1, 21):
        misses.take(np.zeros(25), START + 1000 * np.arange(25), rows=500)
        assert misses.watching == (25 * cohort >= LEAST_LEARNT)
    assert misses.reference is not None
    assert misses.reference.rows == LEAST_LEARNT


def test_rows_without_a_value_count_too():
    misses = watch("missed_positives", learn=1000)
    misses.take(np.zeros(250), START + 1000 * np.arange(250), rows=400)
    misses.take(np.zeros(0), np.zeros(0, np.int64), rows=600)
    assert misses.watching


def test_suspicion_rises_with_the_evidence_and_stays_while_the_stream_is_away():
    values, times = losses((1500, 0.05), (40, 1.0), (500, 1.0), (3000, 0.05))
    seen = watch()
    readings = []
    for first, last in ((0, 999), (999, 1500), (1500, 1510), (1510, 1540), (1540, 2040), (2040, 5040)):
        seen.take(values[first:last], times[first:last])
        readings.append(seen.suspicion())
    learning, calm, rising, fired, away, again = readings
    assert learning == 0
    assert calm < 0.5 < rising
    assert fired == away == 1.0
    assert again < 0.8


@pytest.mark.parametrize(
    ("monitors", "watched"),
    [
        ([{"subjects": ["*"]}], ["adwin", "esr", "page_hinkley"]),
        ([{"subjects": ["*"]}, {"subjects": ["loss"], "detectors": ["adwin"]}], ["adwin", "page_hinkley"]),
        ([{"subjects": ["*"]}, {"subjects": ["loss"], "detectors": []}], []),
        ([{"subjects": ["amount"]}], []),
    ],
)
def test_the_user_s_monitors_say_what_watches(monitors, watched):
    seen = watch(of=model(monitors=monitors))
    seen.take(*losses((1500, 0.05)))
    assert sorted(detector for detector, *_ in seen.scores()) == watched


def test_a_star_without_detectors_leaves_losses_watched_upward_only():
    losses_only_up = [{"kind": "esr", "direction": "up"}]
    assert model(monitors=[{"subjects": ["*"], "evidence": []}]).plan("loss") == (losses_only_up, [])
    assert model(monitors=[{"subjects": ["*"], "detectors": ["esr"]}]).plan("loss")[0] == ["esr"]
    assert model().plan("label_delay") == (["esr"], [])


def weekly(wanted: float) -> float:
    """False alarms per week that let a row a second have so many rows between false alarms."""
    return 7 * 24 * 3600 / wanted


@pytest.mark.parametrize("arl0", [1e6, 1e7])
def test_a_concept_that_turns_over_is_seen_at_every_turn(arl0):
    values, times = losses((15_000, 0.06), (10_000, 0.94), (10_000, 0.22), (10_000, 0.77), seed=2)
    seen = watch(of=model(false_alarms_per_week=weekly(arl0)), learn=5000).take(values, times)
    changes = [(s.story.onset - START) // 1000 for s in seen if s.decides and s.finding.change == "change"]
    assert len(changes) == 3
    assert all(abs(onset - turn) <= 50 for onset, turn in zip(changes, (15_000, 25_000, 35_000), strict=True))
    delays = [s.column - turn for s, turn in zip((s for s in seen if s.decides), (15_000, 25_000, 35_000), strict=True)]
    assert max(delays) < 250


def test_a_rare_error_that_becomes_half_as_frequent_again_is_seen_by_a_reference_of_5000():
    delays = []
    for seed in range(9):
        values, times = losses((6000, 0.035), (20_000, 0.058), seed=100 + seed)
        seen = watch(of=model(false_alarms_per_week=weekly(1e6)), learn=5000).take(values, times)
        delays.append(next((s.column for s in seen if s.decides), 10**6) - 6000)
    assert min(delays) > 0
    assert np.median(delays) < 4000


def test_nothing_happens_as_long_as_nothing_does():
    values, times = losses((400_000, 0.035), seed=4)
    seen = watch(of=model(false_alarms_per_week=weekly(1e7)), learn=5000).take(values, times)
    assert [s for s in seen if s.decides] == []


def test_a_great_many_classes_that_are_as_ever_are_no_change():
    names = [f"class {k}" for k in range(80)]
    before, after = np.random.default_rng(1).integers(0, 80, 20_000), np.random.default_rng(2).integers(0, 40, 1000)
    many = Watch(model("multiclass"), "label", learn=5000, share=1.0, series="matured", classes=names)
    assert told(many, before.astype(float), START + 1000 * np.arange(20_000), 5000) == []
    (found, *_) = told(many, after.astype(float), START + 1000 * np.arange(20_000, 21_000), 1000)
    assert found[3].summary.startswith("label: share of '(other values)' 0.8")
