"""Tiles of labels, each judged by itself."""

from __future__ import annotations

from collections import Counter

import pytest

from streams.engine.feed import Clear, Raise
from streams.engine.outcomes.rates import TILE, Rates, least_share


def judge(rates: Rates, counts: Counter[str], **more: int) -> dict[str, str]:
    """Add one tile of labels, and as many predictions, and what else there was of them."""
    counts.update({"labels": TILE, "predictions": TILE} | more)
    return {told.stream.subject: {Raise: "raised", Clear: "cleared"}[type(told)] for told in rates.tile(7, counts)}


@pytest.mark.parametrize(
    ("subject", "counter", "half", "limit", "above"),
    [
        ("label_leakage", "leakage_suspect", 0, 1, 10),
        ("label_unmatched", "unmatched_label", 49, 100, 140),
        ("label_corrections", "correction", 49, 100, 140),
    ],
)
def test_a_tile_above_the_limit_raises_and_one_below_half_of_it_clears(subject, counter, half, limit, above):
    rates, counts = Rates(), Counter()
    told = [judge(rates, counts, **{counter: hits}).get(subject) for hits in (half, limit, above, limit, half)]
    assert told == ["cleared", None, "raised", None, "cleared"]


def test_a_rate_at_the_limit_by_chance_is_no_alarm():
    assert least_share(3, 1000) < 0.001 < least_share(5, 1000)
    assert least_share(115, 1000) < 0.1 < least_share(135, 1000)


def test_what_is_told_late_may_be_more_than_a_tile():
    told = list(Rates().tile(0, {"labels": TILE, "unmatched_label": 3000}))
    (found,) = [t for t in told if isinstance(t, Raise)]
    assert found.summary.startswith("label_unmatched: 100 % of 3000 labels are for no prediction")


def test_evictions_are_told_without_any_label():
    rates, counts = Rates(), Counter(predictions=5000)
    assert list(rates.evictions(1, counts)) == []
    counts.update(predictions=1000, evicted=600)
    (found,) = rates.evictions(2, counts)
    assert isinstance(found, Raise)
    assert found.summary.startswith("label_evictions: 10 % of 6000 predictions are given up before their labels")
    assert list(rates.evictions(3, counts)) == []


def test_predictions_are_judged_when_there_were_a_thousand():
    rates, counts = Rates(), Counter()
    for tile in range(1, 6):
        counts.update(labels=TILE, predictions=198, id_conflict=2)
        told = [t for t in rates.tile(0, counts) if t.stream.subject == "label_conflicts"]
        assert len(told) == (tile == 5)
    assert isinstance(told[0], Raise)
    assert told[0].summary == (
        "label_conflicts: 1 % of 1000 predictions are unlike an earlier one of the same id, which stands (limit 0.1 %)"
    )
    assert (told[0].kind, told[0].stream.version) == ("label_quality", "feed")


def test_it_goes_on_where_it_was():
    rates, counts = Rates(), Counter()
    judge(rates, counts, leakage_suspect=50)
    assert judge(Rates(rates.state()), counts)["label_leakage"] == "cleared"
