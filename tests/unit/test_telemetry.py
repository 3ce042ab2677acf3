from __future__ import annotations

import re
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from streams.engine.stats import ActiveAlert, EngineStats, LabelDelays, ModelStats, SourceStats, WorstGroup
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
        labels={"joined": 9, "unmatched_label": 1},
        label_sources={("review", "flips"): 2},
        pending=14,
        orphans=15,
        label_delays=LabelDelays(counts=(1, 0, 2, 0, 0, 0, 0, 0, 0, 4), sum_ms=12_345_500),
        coverage={("3", "matured"): 0.75},
        model_metrics={("3", "all", "matured", "pr_auc"): (0.4, 0.1)},
        worst={("3", "matured"): WorstGroup("country=DE", "pr_auc", 0.2)},
    )


def served(*models: ModelStats) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    telemetry = Telemetry(engines=lambda: [EngineStats(models)], shell=lambda: SHELL)
    families = text_string_to_metric_families(telemetry.text().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_every_metric_of_the_list_is_served_with_its_labels_and_no_other_is() -> None:
    found = {name: {label for label, _ in labels} for name, labels in served(model(scores=MAX_SERIES + 1))}
    expected = {}
    for spec in METRICS:
        if spec.type == "histogram":
            of_histogram = {"_bucket": {*spec.labels, "le"}, "_count": set(spec.labels), "_sum": set(spec.labels)}
            expected |= {f"driftsonde_{spec.name}{suffix}": labels for suffix, labels in of_histogram.items()}
        else:
            expected[f"driftsonde_{spec.name}"] = set(spec.labels)
    assert found == expected


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


def test_label_delays_are_a_histogram_in_seconds() -> None:
    values = served(model())
    fraud = ("model", "fraud")
    buckets = {dict(labels)["le"]: n for (name, labels), n in values.items() if name == "driftsonde_label_delay_seconds_bucket"}
    assert (buckets["1.0"], buckets["60.0"], buckets["600.0"], buckets["2592000.0"], buckets["+Inf"]) == (1, 1, 3, 3, 7)
    assert values["driftsonde_label_delay_seconds_count", (fraud,)] == 7
    assert values["driftsonde_label_delay_seconds_sum", (fraud,)] == 12_345.5


def test_a_model_is_served_with_what_the_constant_answer_would_have_had() -> None:
    values = served(model())
    of = (("metric", "pr_auc"), ("model", "fraud"), ("segment", "all"), ("series", "matured"), ("version", "3"))
    assert (values["driftsonde_model_metric", of], values["driftsonde_model_metric_constant", of]) == (0.4, 0.1)
    worst = (*of[:2], ("segment", "country=DE"), *of[3:])
    assert values["driftsonde_model_metric_worst", worst] == 0.2
    source = (("model", "fraud"), ("outcome", "flips"), ("source", "review"))
    assert values["driftsonde_labels_by_source_total", source] == 2


def test_nothing_is_said_of_labels_where_none_are_joined() -> None:
    names = {name for name, _ in served(replace(model(), label_delays=None))}
    assert not {name for name in names if name.startswith(("driftsonde_label", "driftsonde_model_metric"))}
