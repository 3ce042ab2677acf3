from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from streams.engine.stats import ActiveAlert, EngineStats, ModelStats, SourceStats
from streams.telemetry import MAX_SERIES, METRICS, CheckpointStats, ShellStats, Telemetry

SHELL = ShellStats(
    consumed={"features": 12},
    dead_letters={("features", "missing_id"): 2},
    rereads={"features": 1},
    journal_records=5,
    rebalances=1,
    alerts_sent=3,
    alerts_repeated=1,
    lag={("features", 0): 7, ("features", 1): 0},
    checkpoints={2: CheckpointStats(saved_at=1000.5, seconds=0.25, bytes=4096)},
)


def model(*, scores: int = 1) -> ModelStats:
    return ModelStats(
        model="fraud",
        rows={"features": 12},
        duplicates=1,
        late=2,
        forced=3,
        gaps=4,
        held=5,
        last_time_ms=1_500,
        subjects=20,
        drifted=1,
        sources=(
            SourceStats("features", 0, cursor=9, clock_ms=2_500, held=0, rows=12, idle=False, stalled=True),
            SourceStats("features", 1, cursor=None, clock_ms=None, held=0, rows=0, idle=False, stalled=False),
        ),
        faults={("amount", "null"): 6},
        unmonitored={"learning": 7},
        alerts={("feature_drift", "warning", "firing"): 1},
        suppressed={"cooldown": 8},
        active=(ActiveAlert("3", "all", "amount", "feature_drift", "warning"),),
        scores={("3", "all", f"f{i}", "esr"): (0.5, 2.0) for i in range(scores)},
        references={"3": (10_000, 3_500)},
    )


def served(*models: ModelStats) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    telemetry = Telemetry(engines=lambda: [EngineStats(models)], shell=lambda: SHELL)
    families = text_string_to_metric_families(telemetry.text().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_every_metric_of_the_list_is_served_with_its_labels_and_no_other_is() -> None:
    found = {name: {label for label, _ in labels} for name, labels in served(model(scores=MAX_SERIES + 1))}
    assert found == {f"driftsonde_{spec.name}": set(spec.labels) for spec in METRICS}


def test_names_follow_the_conventions_of_prometheus() -> None:
    for spec in METRICS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", spec.name)
        assert (spec.type == "counter") == spec.name.endswith("_total")
        assert spec.help.endswith(".")


def test_times_are_served_in_seconds() -> None:
    values = served(model())
    assert values["driftsonde_last_event_timestamp_seconds", (("model", "fraud"),)] == 1.5
    assert values["driftsonde_reference_timestamp_seconds", (("model", "fraud"), ("version", "3"))] == 3.5
    assert values["driftsonde_reference_rows", (("model", "fraud"), ("version", "3"))] == 10_000


def test_series_above_the_cap_are_not_served_but_counted() -> None:
    values = served(model(scores=MAX_SERIES + 40))
    assert sum(name == "driftsonde_drift_score" for name, _ in values) == MAX_SERIES
    assert values["driftsonde_metric_series_dropped", (("metric", "driftsonde_drift_score"),)] == 40


def test_models_of_all_engines_are_served() -> None:
    telemetry = Telemetry(engines=lambda: [EngineStats((model(),)), EngineStats(())], shell=ShellStats)
    assert b'driftsonde_events_total{model="fraud",role="features"} 12.0' in telemetry.text()
