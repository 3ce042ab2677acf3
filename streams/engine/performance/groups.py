"""Which part of the predictions comes off worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streams.engine.episode import ALL
from streams.engine.performance.metric import Metric, badness
from streams.engine.performance.tally import Tally

__all__ = ["ALL", "worst_group"]


def worst_group(tallies: Mapping[str, Tally], metric: str, min_rows: int, classes: Sequence[str] = ()) -> tuple[str, Metric] | None:
    """Return the segment in which the model does worst, and its metric there; of equals the first by name.

    Parameters
    ----------
    tallies : mapping of str to Tally
        By segment; `ALL` does not take part.
    metric : str
        Name of the metric.
    min_rows : int
        Segments with fewer outcomes don't take part: the worst of many small groups is the one with the worst luck. Even so its
        interval does not account for having been picked.
    classes : sequence of str
        Texts of the classes by code, where the metric is one of a class.

    Returns
    -------
    (str, Metric) or None
        None when no segment has the metric and the rows.
    """
    found = {
        segment: metrics[metric]
        for segment, tally in sorted(tallies.items())
        if segment != ALL and tally.outcomes >= min_rows and metric in (metrics := tally.metrics(classes))
    }
    return max(found.items(), key=lambda item: badness(metric, item[1].value), default=None)
