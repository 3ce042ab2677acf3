"""Records of labels to rows: what one says, who says it, when it arrived; and labels that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.codec import Decoded
from schemas.events import RESERVED_SUBJECTS, Fault
from tests.unit.schemas.records import NOW, absent, decode, model, raws, rows

HOUR = 3_600_000
DAY = 24 * HOUR
YEAR = 365 * DAY

ELSEWHERE = {"topic": "others", "score": "p"}
MAPPED = {"time": "ts", "label": "y", "arrived": "at", "source": "by", "revision": "rev"}


def labels(*records: dict[str, Any], task: str = "binary", **mapped: str) -> Decoded:
    return decode(raws(records), model(task=task, predictions=ELSEWHERE, labels=mapped or MAPPED))


def label(**changes: Any) -> dict[str, Any]:
    """A record that can be used."""
    return {"id": "a", "ts": NOW, "at": NOW + HOUR, "y": 1} | changes


def cells(*records: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    (block,) = labels(*records, **options).blocks
    return [row["cells"] for row in rows(block)]


def test_a_label_says_what_when_it_arrived_who_and_which_revision():
    decoded = labels(label(by="review", rev=3), label(id=7, y="fraud", by=2, rev=4.0), label(y=False))
    (block,) = decoded.blocks
    assert block.roles == ("labels",)
    assert block.stamps.tolist() == [NOW + HOUR] * 3
    assert block.times.tolist() == [NOW] * 3
    assert [row["cells"] for row in rows(block)] == [
        {"label": 1.0, "label source": "review", "label revision": 3.0},
        {"label": "fraud", "label source": "2", "label revision": 4.0},
        {"label": "false", "label source": "natural", "label revision": -1.0},
    ]
    assert not absent(block)


def test_without_a_mapping_there_are_no_sources_and_no_revisions_and_arrival_is_kafkas_timestamp():
    decoded = labels({"id": "a", "y": 1, "by": "review", "rev": 1}, label="y")
    (block,) = decoded.blocks
    assert (block.number_names, block.category_names, block.stamps.tolist()) == (("label",), (), [NOW])


def test_null_takes_a_label_back():
    assert cells(label(y=None), label(y=None), label="y") == [{"label": Fault.NULL}] * 2
    assert [c["label"] for c in cells(label(y=None), label(y=0.5), task="regression")] == [Fault.NULL, 0.5]


@pytest.mark.parametrize("nothing", [None, "", {}])
def test_a_source_or_a_revision_may_be_left_empty(nothing: object):
    empty = {} if nothing == {} else {"by": nothing, "rev": nothing}
    assert cells(label(**empty)) == [{"label": 1.0, "label source": "natural", "label revision": -1.0}]


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in label().items() if name != key}


UNUSABLE: dict[str, tuple[dict[str, Any], str, str]] = {
    # name: (record, reason, what the detail must say)
    "no label": (
        without("y"),
        "bad_label",
        "label: found nothing at 'y', expected a number, true, false or 1 to 256 characters, or null to",
    ),
    "an object": (label(y={"fraud": True}), "bad_label", "found an object"),
    "a list": (label(y=[1]), "bad_label", "found a list"),
    "NaN": (label(y=float("nan")), "bad_label", "found the number nan"),
    "infinite": (label(y=10**400), "bad_label", "found the number inf"),
    "empty": (label(y=""), "bad_label", "found an empty string"),
    "too long": (label(y="x" * 257), "bad_label", "found the string 'xxx"),
    "source is a list": (label(by=["review"]), "bad_label", "source: found a list at 'by', expected a name of at most 256 characters"),
    "source is too long": (label(by="x" * 257), "bad_label", "source: found the string"),
    "revision is a word": (label(rev="latest"), "bad_label", "revision: found the string 'latest' at 'rev', expected a whole number"),
    "revision is a fraction": (label(rev=1.5), "bad_label", "revision: found the number 1.5"),
    "revision is negative": (label(rev=-1), "bad_label", "revision: found the number -1"),
    "revision is true": (label(rev=True), "bad_label", "revision: found true"),
    "revision beyond 63 bits": (label(rev=2**63), "bad_label", "revision: found the number 9223372036854775808"),
    "no arrival": (without("at"), "bad_time", "arrived: found nothing at 'at', expected ISO 8601 or a number since the epoch"),
    "arrival is a word": (label(at="yesterday"), "bad_time", "arrived: found the string 'yesterday' at 'at'"),
    "arrival in 1970": (label(at=0), "bad_time", "arrived: found the number 0"),
    "null id": (label(id=None), "missing_id", "id: found null at 'id'"),
    "no id": (without("id"), "missing_id", "id: found nothing at 'id'"),
    "no time": (without("ts"), "bad_time", "time: found nothing at 'ts'"),
    "ancient": (label(ts="1970-01-01T00:00:00Z"), "bad_time", "1973 or later"),
    "a day and more after its arrival": (label(ts=NOW + HOUR + DAY + 1), "future_timestamp", "expected at most 24 h after its arrival"),
    "far future": (label(ts=NOW + 100 * YEAR), "future_timestamp", "time: found 2125-"),
}


@pytest.mark.parametrize(("record", "reason", "says"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_label_that_is_none_is_a_dead_letter_and_the_stream_goes_on(record: dict[str, Any], reason: str, says: str):
    decoded = labels(label(id="before"), record, label(id="after"))
    assert [block.ids for block in decoded.blocks] == [("before", "after")]
    (letter,) = decoded.dead_letters
    assert (letter.position.offset, letter.reason, letter.value) == (1, reason, json.dumps(record).encode())
    assert says in letter.detail


@pytest.mark.parametrize(("value", "found"), [("12.5", "the string '12.5'"), (True, "true"), (float("inf"), "the number inf")])
def test_labels_of_a_regression_are_numbers(value: object, found: str):
    decoded = labels(label(y=12.5), label(y=value), task="regression")
    assert [block.numbers[0].tolist() for block in decoded.blocks] == [[12.5]]
    assert [letter.detail for letter in decoded.dead_letters] == [
        f"label: found {found} at 'y', expected a number, or null to take it back"
    ]


def test_a_number_of_any_size_is_a_label():
    assert cells(label(y=1e300), label(y=-(2**63))) == cells(label(y=1e300), label(y=-(2**63)), task="regression")


def test_an_event_of_40_years_ago_may_be_told_today():
    assert labels(label(ts=NOW - 40 * YEAR)).blocks[0].times.tolist() == [NOW - 40 * YEAR]


def test_arrival_is_compared_with_the_wall_clock_as_kafkas_timestamp_is():
    late = model(task="binary", predictions=ELSEWHERE, labels=MAPPED)
    (letter,) = decode(raws([label(at=NOW + HOUR), label(at=NOW)]), late, now_ms=NOW).dead_letters
    assert (letter.position.offset, letter.reason, letter.timestamp) == (0, "future_timestamp", NOW)
    assert letter.detail.startswith("arrived: found 2026-01-05T11:23:11.000Z, expected at most 5 min after the wall clock")


def test_kafkas_own_timestamp_as_the_time_must_be_one_though_arrival_is_mapped():
    own = model(task="binary", predictions=ELSEWHERE, labels={"label": "y", "arrived": "at"})
    (letter,) = decode(raws([label()], stamp=0), own).dead_letters
    assert (letter.reason, letter.detail) == ("bad_time", "record timestamp: found 0 ms, expected a time after 1973-03-03T09:46:40.000Z")


def test_a_record_with_more_than_a_label_may_have_none():
    both = model(task="binary", predictions={"score": "p"}, labels=MAPPED)
    decoded = decode(raws([{"id": "a", "ts": NOW, "p": 0.5}, label(p=0.25, y={}, by=[], rev="x")]), both)
    assert not decoded.dead_letters
    (block,) = decoded.blocks
    assert block.stamps.tolist() == [NOW, NOW + HOUR]
    nobody = {"label source": "natural", "label revision": -1.0}
    assert [row["cells"] for row in rows(block)] == [{"score": 0.5} | nobody, {"score": 0.25, "label": Fault.WRONG_TYPE} | nobody]


def test_arrival_may_be_mapped_for_any_role():
    backfilled = model(features={"time": "ts", "arrived": "at", "features": "."})
    (block,) = decode(raws([{"id": "a", "ts": NOW, "at": NOW + HOUR, "amount": 1}]), backfilled).blocks
    assert (block.stamps.tolist(), block.number_names) == ([NOW + HOUR], ("amount",))


def test_what_labels_are_called_is_not_taken_by_features():
    both = model(task="binary", features={"features": "x"}, predictions=ELSEWHERE, labels={"label": "y", "source": "by", "revision": "rev"})
    record = {"id": "a", "y": 1, "by": "review", "rev": 2, "x": dict.fromkeys(RESERVED_SUBJECTS, 0)}
    (block,) = decode(raws([record]), both).blocks
    own = {"label": 1.0, "label source": "review", "label revision": 2.0}
    assert rows(block)[0]["cells"] == own | {f"features.{name}": 0.0 for name in RESERVED_SUBJECTS}
