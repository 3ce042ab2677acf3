"""What follows from a horizon, and when two configurations of labels mean the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.config import LabelsConfig, Model
from schemas.config_labels import MAX_OPEN_COHORTS
from schemas.durations import duration_text, milliseconds

FIELDS = {"id": "id", "label": "y"}


def labels(**keys: Any) -> LabelsConfig:
    return LabelsConfig.model_validate({"topic": "l", "fields": FIELDS, **keys})


def model(*, task: str = "binary", fields: dict[str, str] = FIELDS, **keys: Any) -> Model:
    sources = {
        "predictions": {"topic": "p", "fields": {"id": "id", "prediction": "y"}},
        "labels": {"topic": "l", "fields": fields, **keys},
    }
    return Model.model_validate({"name": "m", "task": task, "sources": sources})


@pytest.mark.parametrize(
    ("horizon", "grace", "corrections", "wait", "lateness", "cohort", "ages"),
    [
        ("7d", "1h", "56h", "24h", "1h", "6h", ["21h", "84h"]),
        ("1d", "1h", "8h", "24h", "1h", "1h", ["3h", "12h"]),
        ("1h", "150s", "20m", "1h", "450s", "1m", ["450s", "30m"]),
        ("10m", "1m", "200s", "10m", "75s", "1m", ["75s", "5m"]),
        ("1s", "1m", "333ms", "1s", "1m", "1m", []),
        ("365d", "1h", "2920h", "24h", "1h", "1d", ["1095h", "4380h"]),
        (["7d", "30d"], "1h", "240h", "24h", "1h", "6h", ["21h", "84h"]),
        (["30d", "7d"], "1h", "240h", "24h", "1h", "6h", ["90h", "360h"]),  # the first is the one that is watched
        (["1h", "30d"], "150s", "240h", "24h", "450s", "15m", ["450s", "30m"]),  # cohorts of 1m would be too many
    ],
)
def test_what_is_left_out_follows_from_the_horizon(
    horizon: str | list[str], grace: str, corrections: str, wait: str, lateness: str, cohort: str, ages: list[str]
):
    found = labels(horizon=horizon)
    said = labels(horizon=horizon, grace=grace, corrections=corrections, wait=wait, lateness=lateness, cohort=cohort, ages=ages)
    assert found == said
    assert found.skew == 60_000


def test_what_is_said_is_kept():
    said = labels(horizon="7d", grace="0s", corrections="0s", wait="1s", lateness="1d", skew="0s", cohort="160s", ages=["84h", "10s"])
    assert (said.grace, said.corrections, said.wait, said.lateness, said.skew, said.cohort) == (0, 0, 1_000, 86_400_000, 0, 160_000)
    assert said.ages == (10_000, 84 * 3_600_000)
    assert labels(ages=[]).ages == ()


@given(st.lists(st.integers(1_000, milliseconds("2999d")), min_size=1, max_size=10, unique=True))
def test_any_horizons_have_cohorts_few_enough_and_ages_under_the_first(horizons: list[int]):
    found = labels(horizon=[duration_text(ms) for ms in horizons])
    assert found.horizon == tuple(horizons)
    assert found.open_ms <= found.cohort * MAX_OPEN_COHORTS
    assert all(0 < age < horizons[0] for age in found.ages)


def test_equal_meaning_equal_hash():
    plain = model(horizon="7d", missing_label="negative")
    assert plain.config_hash == model(horizon=["1w"], missing_label="negative", retraction="negative", grace="60m").config_hash
    assert plain.config_hash == model(horizon="168h", missing_label="negative", ages=["84h", "21h"]).config_hash
    others = [
        model(horizon="8d", missing_label="negative"),
        model(horizon=["7d", "8d"], missing_label="negative"),
        model(horizon="7d"),
        model(horizon="7d", missing_label="negative", retraction="unlabelled"),
        model(horizon="7d", missing_label="negative", on_silence="advance"),
    ]
    assert len({plain.config_hash, *(other.config_hash for other in others)}) == 1 + len(others)


@pytest.mark.parametrize(("said", "means"), [({}, "unlabelled"), ({"missing_label": "negative"}, "negative")])
def test_a_label_taken_back_counts_as_one_that_never_came_unless_it_is_said(said: dict[str, str], means: str):
    assert labels(**said).retraction == means
    assert labels(**said, retraction="unlabelled").retraction == "unlabelled"


@pytest.mark.parametrize("task", ["multiclass", "regression", "none"])
@pytest.mark.parametrize("keys", [{"missing_label": "negative"}, {"retraction": "negative"}, {"meaning": "time_to_event"}])
def test_what_needs_a_positive_class_is_for_binary_only(task: str, keys: dict[str, str]):
    model(**keys)
    with pytest.raises(ValidationError, match=f"'binary' only; found task '{task}'"):
        model(task=task, **keys)


def test_sources_of_labels_count_where_records_name_them():
    assert labels().count == ("natural",)
    assert labels(fields=FIELDS | {"source": "by"}, count=["review", "natural"]).count == ("review", "natural")
    with pytest.raises(ValidationError, match=r"needs 'fields\.source'"):
        labels(count=["review"])


@pytest.mark.parametrize(("positive", "name"), [("1", "1"), ("1.0", "1"), ("true", "1"), ("fraud", "fraud"), ("01", "01")])
def test_the_positive_class_is_named_as_labels_are(positive: str, name: str):
    sources = {"features": {"topic": "t", "fields": {"id": "id", "features": "."}}}
    assert Model.model_validate({"name": "m", "task": "binary", "positive": positive, "sources": sources}).positive == name


def test_in_one_line():
    said = labels(horizon="7d", ages=[], fields=FIELDS | {"source": "by"}, count=["natural", "review"])
    assert said.understood() == (
        "horizon 1w, grace 1h, corrections for 2d8h more; cohorts of 6h, seen once matured; without a label: unlabelled; "
        "of natural and review labels only"
    )
