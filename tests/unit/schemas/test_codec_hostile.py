"""Records that can't be used, between records that can."""

from __future__ import annotations

import json

import pytest

from schemas.codec import Raw
from schemas.decoding.admission import MAX_FEATURES, MAX_ID
from schemas.decoding.json_records import MAX_BYTES
from schemas.events import Fault, Position
from tests.unit.schemas.records import FRAUD, NOW, decode, fraud, model, raws, rows

HOUR = 3_600_000
YEAR = 365 * 24 * HOUR


def good(i: int = 0, **features: float) -> bytes:
    return json.dumps(fraud(f"good-{i}", x=1, **features)).encode()


def with_(**changes: object) -> bytes:
    return json.dumps(fraud(x=1) | changes).encode()


def without(key: str) -> bytes:
    return json.dumps({k: v for k, v in fraud(x=1).items() if k != key}).encode()


def features(value: object) -> bytes:
    return with_(payload={"features": value})


UNUSABLE: dict[str, tuple[bytes | None, str, str]] = {
    # name: (value, reason, what the detail must say)
    "tombstone": (None, "undecodable", "found no value (a tombstone), expected a JSON object"),
    "empty value": (b"", "undecodable", "empty"),
    "truncated": (good()[:-1], "undecodable", "not JSON"),
    "text": (b"hello", "undecodable", "not JSON"),
    "two records in one": (good() + b"," + good(), "undecodable", "not JSON"),
    "invalid UTF-8": (b'{"id": "\xff"}', "undecodable", "UTF-8"),
    "UTF-16": (good().decode().encode("utf-16"), "undecodable", "UTF-8"),
    "byte order mark": (b"\xef\xbb\xbf" + good(), "undecodable", "BOM"),
    "lone surrogate": (b'{"id": "\\ud800"}', "undecodable", "surrogate"),
    "lone surrogate in a key": (b'{"\\udc00": 1}', "undecodable", "surrogate"),
    "lone surrogate and NaN": (b'{"id": "\\ud800", "x": NaN}', "undecodable", "not JSON"),
    "encoded surrogate": (b'{"id": "\xed\xa0\x80"}', "undecodable", "UTF-8"),
    "control character and NaN": (b'{"id": "a\nb", "x": NaN}', "undecodable", "not JSON"),
    "100 000 brackets": (b"[" * 100_000, "undecodable", "depth"),
    "100 000 objects": (b'{"a":' * 100_000, "undecodable", "depth"),
    "NaN, nested too deep": (b'{"x": NaN, "y": ' + b"[" * 101 + b"]" * 101 + b"}", "undecodable", "not JSON"),
    "NaN, brackets, and a string of quotes without end": (
        b'{"x": NaN, "y": ' + b"[" * 101 + b'"' + b'\\"' * 400_000,
        "undecodable",
        "not JSON",
    ),
    "NaN, truncated": (b'{"x": NaN, "y": ', "undecodable", "not JSON"),
    "array": (b"[1, 2]", "not_an_object", "found a list, expected a JSON object"),
    "number": (b"17", "not_an_object", "found the number 17, expected a JSON object"),
    "NaN alone": (b"NaN", "not_an_object", "found the number nan, expected a JSON object"),
    "string": (b'"record"', "not_an_object", "found the string 'record'"),
    "null": (b"null", "not_an_object", "found null"),
    "features are a list": (features([1, 2]), "not_an_object", "features: found a list at 'payload.features', expected an object"),
    "features are a string": (features("x"), "not_an_object", "found the string 'x' at 'payload.features'"),
    "5 MB": (b'"' + b"x" * 5_000_000 + b'"', "oversize", f"found 5000002 bytes, expected at most {MAX_BYTES}"),
    "too many features": (features({str(i): i for i in range(MAX_FEATURES + 1)}), "oversize", "found 4097, expected at most 4096"),
    "no id": (without("id"), "missing_id", "id: found nothing at 'id', expected a string"),
    "null id": (with_(id=None), "missing_id", "found null"),
    "empty id": (with_(id=""), "missing_id", "found an empty string"),
    "id is true": (with_(id=True), "missing_id", "found true"),
    "id is a fraction": (with_(id=1.5), "missing_id", "found the number 1.5"),
    "id beyond 64 bits": (with_(id=2**64), "missing_id", "found the number 1.8446744073709552e+19"),
    "id is an object": (with_(id={"$oid": "5f"}), "missing_id", "found an object"),
    "id is long": (with_(id="x" * (MAX_ID + 1)), "missing_id", "expected a string of 1 to 512 characters"),
    "no time": (without("ts"), "bad_time", "time: found nothing at 'ts', expected ISO 8601 or a number"),
    "null time": (with_(ts=None), "bad_time", "found null"),
    "time is a word": (with_(ts="yesterday"), "bad_time", "found the string 'yesterday'"),
    "time in 1970": (with_(ts="1970-01-01T00:00:00Z"), "bad_time", "1973 or later"),
    "time is 0": (with_(ts=0), "bad_time", "found the number 0"),
    "time is negative": (with_(ts=-NOW), "bad_time", "found the number -17"),
    "time is NaN": (with_(ts=float("nan")), "bad_time", "found the number nan"),
    "time is a number in a string": (with_(ts=str(NOW)), "bad_time", "found the string"),
    "time is true": (with_(ts=True), "bad_time", "found true"),
    "time is huge": (with_(ts=10**30), "bad_time", "found the number 1e+30"),
    "time in 2090": (with_(ts="2090-01-01T00:00:00Z"), "future_timestamp", "found 2090-01-01T00:00:00.000Z, expected at most 24 h after"),
    "event a day and 1 ms ahead": (with_(ts=NOW + 24 * HOUR + 1), "future_timestamp", "expected at most 24 h after"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_record_is_a_dead_letter_and_those_around_it_are_used(name: str):
    value, reason, said = UNUSABLE[name]
    decoded = decode(raws([good(0), value, good(1)]))
    assert [id for b in decoded.blocks for id in b.ids] == ["good-0", "good-1"]
    (letter,) = decoded.dead_letters
    assert (letter.position, letter.reason, letter.value, letter.timestamp) == (Position("events", 0, 1), reason, value, NOW)
    assert said in letter.detail


def test_all_of_them_at_once():
    values = [v for value, _, _ in UNUSABLE.values() for v in (good(), value)]
    decoded = decode(raws([*values, good()]))
    assert sum(map(len, decoded.blocks)) == len(UNUSABLE) + 1
    assert [letter.reason for letter in decoded.dead_letters] == [reason for _, reason, _ in UNUSABLE.values()]
    assert [letter.position.offset for letter in decoded.dead_letters] == list(range(1, len(values), 2))


@pytest.mark.parametrize(
    ("value", "row"),
    [
        (b'{"id": "first", "id": "last", "ts": %d, "payload": {"features": {"x": 1, "x": 2}}}', {"id": "last", "cells": {"x": 2.0}}),
        (b'{"id": "a", "ts": %d, "payload": {"features": {"x": NaN, "y": 2}}}', {"cells": {"x": Fault.NOT_FINITE, "y": 2.0}}),
        (b'{"id": "a", "ts": %d, "payload": {"features": {"x": -Infinity, "y": "\\u00e9"}}}', {"cells": {"x": Fault.NOT_FINITE, "y": "é"}}),
        (b'{"id": "a", "ts": %d, "payload": {"features": {"x": NaN, "y": "[[[[{{"}}}', {"cells": {"x": Fault.NOT_FINITE, "y": "[[[[{{"}}),
        (b'{"id": 18446744073709551615, "ts": %d, "payload": {"features": {"x": NaN}}}', {"id": "18446744073709551615"}),
        (b'{"id": "a", "ts": %d, "payload": {"features": {"x": ' + b"[" * 900 + b"]" * 900 + b"}}}", {"cells": {"x": Fault.WRONG_TYPE}}),
        (b'  {"id": "\\ud83d\\ude00", "ts": %d}\n', {"id": "😀", "cells": {}}),
        (b'{"id": "a\\u0000b", "ts": %d}', {"id": "a\x00b"}),
    ],
)
def test_odd_records_are_used_as_far_as_they_can_be(value: bytes, row: dict[str, object]):
    decoded = decode(raws([good(0), value % NOW, good(1)]))
    assert not decoded.dead_letters
    found = rows(decoded.blocks[0])[1]
    assert {key: found[key] for key in row} == row


def test_brackets_in_strings_do_not_count_as_nesting():
    text = "[" * 200 + '\\"' + "{" * 200
    decoded = decode(raws([b'{"id": "a", "ts": %d, "payload": {"features": {"x": NaN}}, "note": "%s"}' % (NOW, text.encode())]))
    assert len(decoded.blocks[0]) == 1


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [(-1, "bad_time"), (0, "bad_time"), (NOW // 1000, "bad_time"), (10**14, "future_timestamp"), (2**63 - 1, "future_timestamp")],
)
def test_a_record_timestamp_must_be_a_time(stamp: int, reason: str):
    own_time = model(features={"features": "x"})
    letters = [decode([Raw(0, stamp, b'{"id": "a", "ts": %d}' % NOW)], m).dead_letters for m in (own_time, FRAUD)]
    assert [[letter.reason for letter in found] for found in letters] == [[reason], [reason]]


@pytest.mark.parametrize(("ahead", "usable"), [(-HOUR, True), (0, True), (300_000, True), (300_001, False), (YEAR, False)])
def test_a_record_far_ahead_of_the_wall_clock_is_not_used(ahead: int, usable: bool):
    records = [Raw(0, NOW + ahead, good())]
    assert bool(decode(records, now_ms=NOW).blocks) == usable
    assert [letter.reason for letter in decode(records, now_ms=NOW).dead_letters] == ([] if usable else ["future_timestamp"])
    assert len(decode(records, now_ms=None).blocks) == 1  # a backtest has no wall clock


def test_an_event_may_be_a_day_ahead_of_its_record_and_years_behind():
    decoded = decode(raws([with_(ts=NOW + 24 * HOUR), with_(ts=NOW - 40 * YEAR)]))
    assert decoded.blocks[0].times.tolist() == [NOW + 24 * HOUR, NOW - 40 * YEAR]


@pytest.mark.parametrize(
    ("name", "found"), [("four", "the string 'four'"), (None, "null"), ("", "an empty string"), ([1], "a list"), (4, "the number 4")]
)
def test_a_record_of_no_configured_model_is_a_dead_letter(name: object, found: str):
    models = [model(str(i), features={"model": "meta.model", "features": "x"}) for i in range(3)]
    decoded = decode(
        raws([{"id": "a", "meta": {"model": 0}}, {"id": "b", "meta": {"model": name}}, {"id": "c", "meta": {"model": "2"}}]), *models
    )
    assert [(b.model, b.ids) for b in decoded.blocks] == [("0", ("a",)), ("2", ("c",))]
    (letter,) = decoded.dead_letters
    assert (letter.position.offset, letter.reason) == (1, "unknown_model")
    assert letter.detail == f"model: found {found} at 'meta.model', expected a configured model's name"


def test_a_record_that_one_model_can_use_and_another_can_not_is_both_a_row_and_a_dead_letter():
    one, two = model("one", features={"features": "x"}), model("two", features={"id": "key", "features": "x"})
    decoded = decode(raws([{"id": "a"}, {"id": "a", "key": "b"}]), one, two)
    assert [(b.model, b.ids) for b in decoded.blocks] == [("one", ("a", "a")), ("two", ("b",))]
    assert [(letter.position.offset, letter.reason) for letter in decoded.dead_letters] == [(0, "missing_id")]


def test_the_greatest_size_can_be_set():
    decoded = decode(raws([b'{"id":"a","ts":%d}' % NOW, b'{"id":"ab","ts":%d}' % NOW]), max_bytes=29)
    assert ([b.ids for b in decoded.blocks], [letter.reason for letter in decoded.dead_letters]) == ([("a",)], ["oversize"])
