"""Outcomes: predictions matched with their labels, and what is watched of them."""

from streams.engine.outcomes.outcomes import Outcomes
from streams.engine.outcomes.verdicts import COVERAGE_LOW, Judged, Settled

__all__ = ["COVERAGE_LOW", "Judged", "Outcomes", "Settled"]
