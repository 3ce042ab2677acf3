"""How good the models were, as a backtest shows it: a table by cohort for people, one JSON object a model for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import isnan, nan
from typing import Any

import orjson
import typer

from schemas.alerts import Alert, iso
from schemas.decoding.timestamps import milliseconds_of
from streams.cli.terminal import print_table
from streams.engine.performance import Metric, main_metric
from streams.engine.stats import ModelStats, PerformanceRow, merge_neighbours

__all__ = ["performance_json", "print_performance"]

TYPE = "io.driftsonde.performance.v1"
#: Lines of a table at most; neighbouring cohorts are taken together for it.
MOST_ROWS = 20
#: Counts that everybody wants to see come first; the others follow by name.
FIRST = ("joined", "retraction", "correction", "unmatched_label", "late_label", "leakage_suspect")
#: Metric of a cohort with too few outcomes.
NONE = Metric(nan, nan, nan, nan)


def print_performance(model: ModelStats, alerts: Sequence[Alert]) -> None:
    """Print how good a model was, cohort by cohort, and what became of its labels; nothing when it joins none.

    The table has matured cohorts, of all segments together; before any has matured, those of the oldest age there is.
    """
    if model.label_delays is None:
        return
    episodes = _episodes(model.model, alerts)
    shown = _shown(model.performance)
    for (series, version, _), rows in groupby(shown, key=_whose):
        typer.echo(f"\n{model.model}, version {version}, {series}: predictions by cohort")
        _print_cohorts(merge_neighbours(list(rows), MOST_ROWS), episodes)
    typer.echo()
    for line in _lines(model):
        typer.echo(line)


def performance_json(model: ModelStats, alerts: Sequence[Alert], assumption: str | None) -> bytes | None:
    """Encode the same, of all series and segments, as one line of JSON; None when the model joins no labels.

    Parameters
    ----------
    assumption : str, optional
        What was assumed of the arrival of labels.
    """
    if model.label_delays is None:
        return None
    episodes = _episodes(model.model, alerts)
    told = {
        "type": TYPE,
        "model": model.model,
        "assumption": assumption,
        "labels": model.labels,
        "pending": model.pending,
        "waiting": model.orphans,
        "open_cohorts": model.open_cohorts,
        "cohorts": [
            _cohort(row, episodes) for _, rows in groupby(model.performance, key=_whose) for row in merge_neighbours(list(rows), MOST_ROWS)
        ],
        "worst": [{"version": v, "series": s, **worst._asdict()} for (v, s), worst in model.worst.items()],
    }
    return orjson.dumps(told)


def _print_cohorts(rows: list[PerformanceRow], episodes: list[list[Alert]]) -> None:
    metrics = [row.metrics() for row in rows]
    names = {name for of_row in metrics for name in of_row}
    columns: dict[str, list[Any]] = {
        "from": [_minute(row.start_ms) for row in rows],
        "to": [_minute(row.end_ms) for row in rows],
        "n": [row.tally.n for row in rows],
        "coverage": [f"{row.tally.coverage:.1%}" for row in rows],
    }
    if any(row.tally.implicit for row in rows):
        columns["negative by rule"] = [row.tally.implicit for row in rows]
    if (main := main_metric(rows[0].tally.task, names)) is not None:
        found = [of_row.get(main, NONE) for of_row in metrics]
        columns[main] = [_number(metric.value) for metric in found]
        columns["95 % interval"] = [_interval(metric) for metric in found]
        columns["constant"] = [_number(metric.constant) for metric in found]
    if "error_rate" in names:
        columns["error rate"] = [_number(of_row.get("error_rate", NONE).value) for of_row in metrics]
    columns[""] = ["; ".join(mark for episode in episodes if (mark := _mark(row, episode))) for row in rows]
    print_table(list(columns), list(zip(*columns.values(), strict=True)))


def _lines(model: ModelStats) -> Iterator[str]:
    first = [name for name in FIRST if model.labels.get(name)]
    counts = [f"{n} {name.replace('_', ' ')}" for name in (*first, *sorted(model.labels.keys() - {*first})) if (n := model.labels[name])]
    yield f"{model.model}, labels: {', '.join(counts) or 'none'}"
    yield (
        f"{model.model}, at the end: {model.open_cohorts} cohorts are not settled; {model.pending} predictions wait for their label, "
        f"{model.orphans} labels for their prediction"
    )
    series = {row.series for row in _shown(model.performance)}
    for (version, of), worst in model.worst.items():
        if of in series:
            yield f"{model.model}, version {version}, {of}: worst group {worst.segment}, {worst.metric} {_number(worst.value)}"


def _shown(rows: Sequence[PerformanceRow]) -> list[PerformanceRow]:
    names = list(dict.fromkeys(row.series for row in rows))
    shown = [name for name in names if name.startswith("matured")] or names[-1:]
    return [row for row in rows if row.series in shown and row.segment == "all"]


def _cohort(row: PerformanceRow, episodes: list[list[Alert]]) -> dict[str, Any]:
    return {
        "series": row.series,
        "version": row.version,
        "segment": row.segment,
        "from": iso(row.start_ms),
        "to": iso(row.end_ms),
        "n": row.tally.n,
        "labelled": row.tally.labelled,
        "implicit": row.tally.implicit,
        "unlabelled": row.tally.unlabelled,
        "excluded": row.tally.excluded,
        "coverage": row.tally.coverage,
        "metrics": row.metrics(),
        "concept_drift": [episode[0].data.alert_key for episode in episodes if _mark(row, episode)],
    }


def _whose(row: PerformanceRow) -> tuple[str, str, str]:
    return row.series, row.version, row.segment


def _episodes(model: str, alerts: Sequence[Alert]) -> list[list[Alert]]:
    """Events of each episode of concept drift, in the order in which they fired."""
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        if alert.data.kind == "concept_drift" and alert.data.model == model:
            found.setdefault(alert.data.alert_key, []).append(alert)
    return list(found.values())


def _mark(row: PerformanceRow, episode: list[Alert]) -> str:
    """What an episode says of these predictions: that its change began with them, or a further one; empty where neither did."""
    first = episode[0].data
    if (first.model_version, first.segment) != (row.version, row.segment):
        return ""
    told = [a.data for a in episode if a.data.state in ("firing", "updated") and not a.data.summary.startswith(("confirmed", "withdrawn"))]
    here = [data for data in told if row.start_ms <= milliseconds_of(data.started_at) < row.end_ms]
    if not here:
        return ""
    sure = any(a.data.provisional is False for a in episode if a.data.sequence >= here[0].sequence)
    what = "concept drift" if here[0].sequence == first.sequence else "a further change"
    return f"{what} from here ({first.subject}{'' if sure else ', provisional'})"


def _minute(ms: int) -> str:
    return iso(ms)[:16].replace("T", " ")


def _interval(metric: Metric) -> str:
    return "–" if isnan(metric.low) or isnan(metric.high) else f"{_number(metric.low)} to {_number(metric.high)}"


def _number(value: float) -> str:
    if isnan(value):
        return "–"
    return f"{value:,.0f}" if 1_000 <= abs(value) < 1e12 else f"{value:.3g}"
