"""How well a model does, by cohort: metrics with their uncertainty, beside those of a model that knows nothing."""

from streams.engine.performance.groups import ALL, worst_group
from streams.engine.performance.history import CohortRecord, PerformanceHistory
from streams.engine.performance.metric import Metric, Task, badness, main_metric
from streams.engine.performance.tally import Tally

__all__ = [
    "ALL",
    "CohortRecord",
    "Metric",
    "PerformanceHistory",
    "Tally",
    "Task",
    "badness",
    "main_metric",
    "worst_group",
]
