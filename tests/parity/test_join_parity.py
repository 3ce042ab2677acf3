"""However the logs of predictions and labels are cut, interleaved and interrupted, the same cohorts close, and the same is counted."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.engine.join.oracle import meaning
from tests.unit.engine.join.worlds import difference, random_world, read

#: What becomes of a label: exactly one of these.
FATES = (
    "unmatched_label",
    "leakage_suspect",
    "after_horizon",
    "stale_revision",
    "dup_label",
    "retraction",
    "joined",
    "correction",
    "other_source",
)
MARKS = {"late_label", "clock_skew", "source_conflict"}
OF_PREDICTIONS = {"predictions", "dup_prediction", "id_conflict", "stale_prediction", "future_prediction"}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), random=st.randoms(use_true_random=False))
def test_every_reading_is_what_the_rules_say_of_the_whole_logs(seed: int, random: Random) -> None:
    world = random_world(seed)
    meant = meaning(world.rules, world.predictions, world.labels)
    assert difference(meant, read(world, random)) is None


def test_every_rule_is_tried_and_every_row_counted_once() -> None:
    counts: Counter[str] = Counter()
    for seed in range(200):
        world = random_world(seed)
        found = meaning(world.rules, world.predictions, world.labels).counts
        assert sum(found[name] for name in FATES) == found["labels"] == len(world.labels)
        assert sum(found[name] for name in OF_PREDICTIONS) == len(world.predictions)
        counts += found
    assert set(counts) == {"labels", *FATES, *MARKS, *OF_PREDICTIONS}
    assert min(counts.values()) >= 50
