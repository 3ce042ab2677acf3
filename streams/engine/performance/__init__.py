"""How well a model does, by cohort: metrics with their uncertainty, beside those of a model that knows nothing."""

from streams.engine.performance.metric import Metric, Task, badness, main_metric, skill
from streams.engine.performance.tally import Tally, summary

__all__ = ["Metric", "Tally", "Task", "badness", "main_metric", "skill", "summary"]
