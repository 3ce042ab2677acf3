"""What rows become on their way into the join."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from schemas.config import Model
from schemas.events import Fault, Faults, Source
from streams.engine.join.keys import keys_of
from streams.engine.outcomes.intake import Intake
from streams.engine.release import Piece, Release, merge
from tests.worlds import START, block_of

PREDICTIONS, LABELS = Source("p", 0), Source("l", 0)


def model(**more: Any) -> Model:
    labels = {"topic": "l", "fields": {"id": "id", "label": "y", **more.pop("fields", {})}, **more.pop("labels", {})}
    predictions = {"topic": "p", "fields": {"id": "id", "prediction": "y", "score": "s"}}
    return Model.model_validate({"name": "m", "task": "binary", "sources": {"predictions": predictions, "labels": labels}, **more})


def released(*blocks: Any) -> Release:
    return merge([[Piece(block, 0, len(block), block.stamps) for block in blocks]], 0)


def predictions(values: dict[str, list[float]], *, version: Any = "1", segments: Any = (), **categories: Any) -> Any:
    n = len(next(iter([*values.values(), *categories.values()])))
    numbers = {name: np.array(column) for name, column in values.items()}
    stamps = START + 1000 * np.arange(n)
    return block_of(
        PREDICTIONS, numbers, stamps=stamps, role="predictions", version=version, segments=segments, categories=categories or None
    )


def labels(label: list[str | None], *, nulls: tuple[int, ...] = (), **more: Any) -> Any:
    stamps = START + 500 + 1000 * np.arange(len(label))
    numbers = {name.replace("_", " "): np.array(column) for name, column in more.items() if name == "label_revision"}
    categories = {"label": label, **({"label source": more["label_source"]} if "label_source" in more else {})}
    block = block_of(LABELS, numbers, stamps=stamps, role="labels", categories=categories)
    at = np.array(nulls, np.int32)
    return replace(block, faults=Faults(("label",), np.zeros(len(at), np.int32), at, np.full(len(at), Fault.NULL, np.uint8)))


def read(of: Model, *blocks: Any) -> Any:
    release = released(*blocks)
    return Intake(of).read(release, release.clocks)


def test_a_score_decides_where_there_is_no_prediction() -> None:
    block = predictions({"score": [0.7, 0.5, 0.2, np.nan]}, prediction=["0", None, None, None])
    batch = read(model(), block).predictions
    assert np.array_equal(batch.predicted, [0, 1, 0, np.nan], equal_nan=True)


def test_keys_are_those_of_the_ids_and_clocks_those_of_the_source() -> None:
    block = predictions({}, prediction=["1", "0"])
    batch = read(model(), block).predictions
    assert np.array_equal(batch.keys, keys_of(block.ids))
    assert batch.clocks.tolist() == block.stamps.tolist()


def test_a_null_label_takes_back_and_one_that_is_missing_is_counted() -> None:
    of = model()
    release = released(labels(["1", None, None], nulls=(1,)))
    intake = Intake(of)
    batch = intake.read(release, release.clocks)
    assert batch.labels is not None
    assert np.array_equal(batch.labels.values, [1, np.nan], equal_nan=True)
    assert batch.labels_at.tolist() == [0, 1]
    assert intake.counts["unusable_label"] == 1


def test_a_record_that_is_prediction_and_label_has_no_label_yet_where_it_is_null() -> None:
    block = predictions({}, prediction=["1", "0"], label=["1", None])
    nulls = Faults(("label",), np.zeros(1, np.int32), np.array([1], np.int32), np.array([Fault.NULL], np.uint8))
    both = replace(block, roles=("predictions", "labels"), faults=nulls)
    batches = read(model(), both)
    assert len(batches.predictions.times) == 2
    assert batches.labels.values.tolist() == [1]


def test_only_sources_that_count_have_code_0() -> None:
    of = model(fields={"source": "by"})
    batch = read(of, labels(["1", "0", "1", "1"], label_source=["natural", None, "review", "audit"])).labels
    assert batch.sources.tolist() == [0, 0, 1, 2]
    of = model(fields={"source": "by"}, labels={"count": ["review"]})
    batch = read(of, labels(["1", "0", "1", "1"], label_source=["natural", None, "review", "natural"])).labels
    assert batch.sources[2] == 0
    assert (batch.sources[[0, 1, 3]] == batch.sources[0]).all()
    assert batch.sources[0] > 0


def test_revisions_are_whole_numbers_or_none() -> None:
    of = model(fields={"revision": "r"})
    batch = read(of, labels(["1", "0", "1"], label_revision=[3.0, np.nan, 1e300])).labels
    assert batch.revisions.tolist() == [3, -1, -1]


def test_a_time_in_nanoseconds_is_a_revision_too() -> None:
    of = model(fields={"revision": "r"})
    first, second = read(of, labels(["1", "0"], label_revision=[1.7676085e18, 1.7676086e18])).labels.revisions.tolist()
    assert 0 < first < second


def test_versions_and_segments_have_codes_in_the_order_of_rows() -> None:
    block = predictions({}, prediction=["1"] * 3, version=["b", "a", "b"], segments=[["north", None, "south"]])
    of = model(segments=["region"], max_segments=1)
    release = released(block)
    intake = Intake(of)
    batch = intake.read(release, release.clocks).predictions
    assert batch is not None
    assert [intake.versions.names[code] for code in batch.versions] == ["b", "a", "b"]
    assert batch.segments.tolist() == [[0, -1, -1]]
    assert list(intake.segment_names()) == [(0, 0, "region=north")]


def test_versions_beyond_those_watched_are_not_joined() -> None:
    block = predictions({}, prediction=["1"] * 40, version=[str(i) for i in range(40)])
    release = released(block)
    intake = Intake(model())
    batch = intake.read(release, release.clocks).predictions
    assert batch is not None
    assert len(batch.times) == 32
    assert intake.counts["unwatched_version"] == 8


def test_numbers_stay_numbers_in_a_regression() -> None:
    block = predictions({"prediction": [1.5, np.nan]})
    batch = read(model(task="regression"), block).predictions
    assert np.array_equal(batch.predicted, [1.5, np.nan], equal_nan=True)


def test_it_goes_on_from_what_was_saved() -> None:
    of = model(segments=["region"], fields={"source": "by"})
    first = Intake(of)
    release = released(predictions({}, prediction=["no", "1"], segments=[["north", "south"]]), labels(["no"], label_source=["review"]))
    first.read(release, release.clocks)
    again = Intake(of, first.state())
    more = released(predictions({}, prediction=["1", "no"], segments=[["south", "east"]]), labels(["no"], label_source=["audit"]))
    read = [intake.read(more, more.clocks) for intake in (first, again)]
    for batches in zip(*((b.predictions, b.labels) for b in read), strict=True):
        for x, y in zip(*batches, strict=True):
            np.testing.assert_array_equal(x, y)


def test_that_an_event_happened_is_said_by_whatever_its_record_says() -> None:
    of = model(labels={"meaning": "time_to_event"})
    batches = read(of, predictions({}, prediction=["1", "0"]), labels(["churned", "moved away", "0"]))
    assert batches.labels.values.tolist() == [1, 1, 1]
    assert np.array_equal(batches.predictions.predicted, [1, 0])


def test_a_record_of_both_topics_in_one_that_only_brings_a_label_is_no_prediction() -> None:
    of = model()
    block = predictions({}, prediction=["1", None, None], label=[None, "1", None])
    release = released(replace(block, roles=("predictions", "labels")))
    intake = Intake(of)
    batches = intake.read(release, release.clocks)
    assert batches.predictions_at.tolist() == [0]
    assert batches.labels_at.tolist() == [1]
    alone = Intake(of)
    release = released(block)
    assert len(alone.read(release, release.clocks).predictions_at) == 3
    assert alone.counts["empty_prediction"] == 2
    assert not intake.counts["empty_prediction"]


def test_a_label_of_a_third_class_is_said_but_says_nothing() -> None:
    batches = read(model(), labels(["1", "maybe", "0", "0"]))
    assert batches.labels_at.tolist() == [0, 1]  # "maybe" came first, so it is the other class
    assert batches.said_at.tolist() == [0, 1, 2, 3]
