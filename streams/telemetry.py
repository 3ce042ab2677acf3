"""Prometheus metrics, read from counters at scrape time: the engine imports nothing of it, and a record costs nothing.

`METRICS` lists every metric that is served; README's table is checked against it.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import accumulate
from typing import Any, Literal, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from streams.engine.stats import DELAY_BOUNDS_MS, EngineStats, LabelDelays, ModelStats

__all__ = ["METRICS", "CheckpointStats", "MetricSpec", "ShellStats", "Telemetry"]

PREFIX = "driftsonde_"
#: Series of one metric that are served at most; a configuration with thousands of subjects must not sink Prometheus.
MAX_SERIES = 2_000


class MetricSpec(NamedTuple):
    """A metric as README's table shows it; `name` is without the prefix."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str


_SUBJECT = ("model", "version", "segment", "subject")
_METRIC = ("model", "version", "segment", "series", "metric")
METRICS = (
    MetricSpec("build_info", "gauge", ("version", "faust", "python"), "Always 1."),
    MetricSpec("records_consumed_total", "counter", ("topic",), "Records read from the source topics."),
    MetricSpec("dead_letters_total", "counter", ("topic", "reason"), "Records that can't be used, sent to the dead-letter topic."),
    MetricSpec("journal_records_total", "counter", (), "Blocks, ticks and announcements written to the journal."),
    MetricSpec("consumer_lag_messages", "gauge", ("topic", "partition"), "Offsets between what has been worked on and the log's end."),
    MetricSpec("assigned_partitions", "gauge", ("topic",), "Partitions this worker has."),
    MetricSpec("rebalances_total", "counter", (), "Rebalances of the consumer group seen by this worker."),
    MetricSpec("rereads_total", "counter", ("topic",), "Times records were lost inside the worker and read again."),
    MetricSpec("events_total", "counter", ("model", "role"), "Rows applied."),
    MetricSpec("events_duplicate_total", "counter", ("model",), "Rows seen before, skipped."),
    MetricSpec("events_late_total", "counter", ("model",), "Rows that came after their turn, applied at once."),
    MetricSpec("events_forced_total", "counter", ("model",), "Rows released before their turn because engine.max_hold were waiting."),
    MetricSpec("events_held", "gauge", ("model",), "Rows waiting for other sources."),
    MetricSpec("events_unmonitored_total", "counter", ("model", "reason"), "Rows that no monitor watched."),
    MetricSpec("gaps_total", "counter", ("model",), "Ranges of offsets that never came."),
    MetricSpec("values_masked_total", "counter", ("model", "subject", "reason"), "Values that could not be used."),
    MetricSpec("last_event_timestamp_seconds", "gauge", ("model",), "Event time of the newest row."),
    MetricSpec("source_clock_timestamp_seconds", "gauge", ("model", "topic", "partition"), "How far a source has come, by its records."),
    MetricSpec("source_stalled", "gauge", ("model", "topic", "partition"), "1 while nothing is heard of a source."),
    MetricSpec("features_monitored", "gauge", ("model",), "Subjects watched."),
    MetricSpec("features_drifted", "gauge", ("model",), "Subjects that are firing."),
    MetricSpec("drift_score", "gauge", (*_SUBJECT, "detector"), "Statistic of a detector."),
    MetricSpec("drift_threshold", "gauge", (*_SUBJECT, "detector"), "What the statistic is compared with."),
    MetricSpec("drift_active", "gauge", (*_SUBJECT, "kind", "severity"), "1 while an episode is firing."),
    MetricSpec("labels_total", "counter", ("model", "outcome"), "What became of labels and predictions when they were joined."),
    MetricSpec("labels_by_source_total", "counter", ("model", "source", "outcome"), "Predictions a source labelled, and its flips."),
    MetricSpec("labels_pending", "gauge", ("model",), "Predictions whose label may still come."),
    MetricSpec("labels_waiting", "gauge", ("model",), "Labels waiting for their prediction."),
    MetricSpec("label_delay_seconds", "histogram", ("model",), "From the time of a prediction to the arrival of its label."),
    MetricSpec(
        "label_coverage", "gauge", ("model", "version", "series"), "Share of predictions with a label in the newest settled cohort."
    ),
    MetricSpec("model_metric", "gauge", _METRIC, "Metric of a model over its newest cohorts, a thousand outcomes or more."),
    MetricSpec("model_metric_constant", "gauge", _METRIC, "What always giving the same answer would have had there."),
    MetricSpec(
        "model_metric_worst", "gauge", ("model", "version", "series", "metric", "segment"), "Main metric of the segment it is worst in."
    ),
    MetricSpec("alerts_total", "counter", ("model", "kind", "severity", "state"), "Alerts decided."),
    MetricSpec("alerts_suppressed_total", "counter", ("model", "reason"), "Changes that were not alerted."),
    MetricSpec("alerts_sent_total", "counter", (), "Alerts handed to the producer."),
    MetricSpec("alerts_repeated_total", "counter", (), "Alerts decided again after a restart, not sent again."),
    MetricSpec("reference_timestamp_seconds", "gauge", ("model", "version"), "Event time of the last row of the reference."),
    MetricSpec("reference_rows", "gauge", ("model", "version"), "Rows of the reference."),
    MetricSpec(
        "state_snapshot_timestamp_seconds",
        "gauge",
        ("partition",),
        "When the state of the journal partition was last as its checkpoint has it.",
    ),
    MetricSpec("state_snapshot_seconds", "gauge", ("partition",), "How long the last checkpoint took."),
    MetricSpec("state_bytes", "gauge", ("partition",), "Size of the last snapshot, uncompressed."),
    MetricSpec("metric_series_dropped", "gauge", ("metric",), f"Series above {MAX_SERIES} of one metric that are not served."),
)
_SPECS = {spec.name: spec for spec in METRICS}


class CheckpointStats(NamedTuple):
    """The last checkpoint of a journal partition."""

    saved_at: float
    seconds: float
    bytes: int


@dataclass(frozen=True, slots=True)
class ShellStats:
    """What the shell around the engines has counted, and how it stands."""

    consumed: Mapping[str, int] = field(default_factory=dict)
    dead_letters: Mapping[tuple[str, str], int] = field(default_factory=dict)
    rereads: Mapping[str, int] = field(default_factory=dict)
    journal_records: int = 0
    rebalances: int = 0
    alerts_sent: int = 0
    alerts_repeated: int = 0
    lag: Mapping[tuple[str, int], int] = field(default_factory=dict)
    checkpoints: Mapping[int, CheckpointStats] = field(default_factory=dict)


_Sample = tuple[tuple[Any, ...], float]


class Telemetry(Collector):
    """Serves `METRICS`.

    Parameters
    ----------
    engines : callable
        Returns the counters of every engine of this process.
    shell : callable
        Returns those of the shell.

    Examples
    --------
    >>> text = Telemetry(engines=list, shell=lambda: ShellStats(consumed={"features": 3})).text().decode()
    >>> [line for line in text.splitlines() if line.startswith("driftsonde_records")]
    ['driftsonde_records_consumed_total{topic="features"} 3.0']
    """

    def __init__(self, *, engines: Callable[[], Iterable[EngineStats]], shell: Callable[[], ShellStats]) -> None:
        self._engines, self._shell = engines, shell
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: there is nothing to describe before the first scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield a family for each metric that has a value."""
        samples: dict[str, list[_Sample]] = {}
        about = (version("driftsonde"), version("faust-streaming"), platform.python_version())
        samples["build_info"] = [(about, 1.0)]
        samples |= _of_shell(self._shell())
        delays: dict[str, LabelDelays] = {}
        for stats in self._engines():
            for model in stats.models:
                for name, of_model in (_of_model(model) | _of_labels(model)).items():
                    samples.setdefault(name, []).extend(of_model)
                if model.label_delays is not None:
                    delays[model.model] = model.label_delays
        dropped = Counter({name: len(all_of) - MAX_SERIES for name, all_of in samples.items() if len(all_of) > MAX_SERIES})
        samples["metric_series_dropped"] = [((PREFIX + name,), float(n)) for name, n in dropped.items()]
        for name, all_of in samples.items():
            yield _family(_SPECS[name], all_of[:MAX_SERIES])
        yield _histogram(_SPECS["label_delay_seconds"], delays)


def _of_shell(shell: ShellStats) -> dict[str, list[_Sample]]:
    assigned = Counter(topic for topic, _ in shell.lag)
    checkpoints = shell.checkpoints.items()
    return {
        "records_consumed_total": [((topic,), n) for topic, n in shell.consumed.items()],
        "dead_letters_total": list(shell.dead_letters.items()),
        "rereads_total": [((topic,), n) for topic, n in shell.rereads.items()],
        "journal_records_total": [((), shell.journal_records)],
        "rebalances_total": [((), shell.rebalances)],
        "alerts_sent_total": [((), shell.alerts_sent)],
        "alerts_repeated_total": [((), shell.alerts_repeated)],
        "consumer_lag_messages": list(shell.lag.items()),
        "assigned_partitions": [((topic,), n) for topic, n in assigned.items()],
        "state_snapshot_timestamp_seconds": [((p,), c.saved_at) for p, c in checkpoints],
        "state_snapshot_seconds": [((p,), c.seconds) for p, c in checkpoints],
        "state_bytes": [((p,), c.bytes) for p, c in checkpoints],
    }


def _of_model(stats: ModelStats) -> dict[str, list[_Sample]]:
    model = stats.model
    return {
        "events_total": [((model, role), n) for role, n in stats.rows.items()],
        "events_duplicate_total": [((model,), stats.duplicates)],
        "events_late_total": [((model,), stats.late)],
        "events_forced_total": [((model,), stats.forced)],
        "events_held": [((model,), stats.held)],
        "events_unmonitored_total": [((model, reason), n) for reason, n in stats.unmonitored.items()],
        "gaps_total": [((model,), stats.gaps)],
        "values_masked_total": [((model, *of), n) for of, n in stats.faults.items()],
        "last_event_timestamp_seconds": [((model,), stats.last_time_ms / 1000)],
        "source_clock_timestamp_seconds": [
            ((model, s.topic, s.partition), s.clock_ms / 1000) for s in stats.sources if s.clock_ms is not None
        ],
        "source_stalled": [((model, s.topic, s.partition), s.stalled) for s in stats.sources],
        "features_monitored": [((model,), stats.subjects)],
        "features_drifted": [((model,), stats.drifted)],
        "drift_score": [((model, *of), statistic) for of, (statistic, _) in stats.scores.items()],
        "drift_threshold": [((model, *of), threshold) for of, (_, threshold) in stats.scores.items()],
        "drift_active": [((model, a.version, a.segment, a.subject, a.kind, a.severity), 1) for a in stats.active],
        "alerts_total": [((model, *of), n) for of, n in stats.alerts.items()],
        "alerts_suppressed_total": [((model, reason), n) for reason, n in stats.suppressed.items()],
        "reference_timestamp_seconds": [((model, version), to_ms / 1000) for version, (_, to_ms) in stats.references.items()],
        "reference_rows": [((model, version), rows) for version, (rows, _) in stats.references.items()],
    }


def _of_labels(stats: ModelStats) -> dict[str, list[_Sample]]:
    """Return nothing for a model that joins none: an alert on labels that don't come must not see a zero there."""
    model = stats.model
    if stats.label_delays is None:
        return {}
    return {
        "labels_total": [((model, outcome), n) for outcome, n in stats.labels.items()],
        "labels_by_source_total": [((model, *of), n) for of, n in stats.label_sources.items()],
        "labels_pending": [((model,), stats.pending)],
        "labels_waiting": [((model,), stats.orphans)],
        "label_coverage": [((model, *of), share) for of, share in stats.coverage.items()],
        "model_metric": [((model, *of), value) for of, (value, _) in stats.model_metrics.items()],
        "model_metric_constant": [((model, *of), constant) for of, (_, constant) in stats.model_metrics.items()],
        "model_metric_worst": [((model, *of, worst.metric, worst.segment), worst.value) for of, worst in stats.worst.items()],
    }


def _family(spec: MetricSpec, samples: Iterable[_Sample]) -> Metric:
    family: CounterMetricFamily | GaugeMetricFamily
    if spec.type == "counter":
        family = CounterMetricFamily(PREFIX + spec.name.removesuffix("_total"), spec.help, labels=spec.labels)
    else:
        family = GaugeMetricFamily(PREFIX + spec.name, spec.help, labels=spec.labels)
    for labels, value in samples:
        family.add_metric([str(label) for label in labels], value)
    return family


def _histogram(spec: MetricSpec, delays: Mapping[str, LabelDelays]) -> Metric:
    family = HistogramMetricFamily(PREFIX + spec.name, spec.help, labels=spec.labels)
    bounds = [*(str(ms / 1000) for ms in DELAY_BOUNDS_MS), "+Inf"]
    for model, delay in delays.items():
        family.add_metric([model], list(zip(bounds, accumulate(delay.counts), strict=True)), delay.sum_ms / 1000)
    return family
