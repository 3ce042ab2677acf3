"""Dead letters on their way to their topic."""

from __future__ import annotations

import jsonschema
import pytest

from schemas.dead_letters import DeadLetter
from schemas.events import Position
from tests.unit.schemas.records import decode, raws

LETTER = DeadLetter(Position("fraud.features", 3, 918273), "bad_time", "time: found “12” at 'ts'", b"\xff", 1_767_608_591_000)


def test_a_dead_letter_says_where_it_came_from_and_why():
    assert LETTER.key == b"fraud.features/3/918273"
    assert LETTER.headers("driftsonde") == [
        ("reason", b"bad_time"),
        ("detail", "time: found “12” at 'ts'".encode()),
        ("topic", b"fraud.features"),
        ("partition", b"3"),
        ("offset", b"918273"),
        ("timestamp", b"1767608591000"),
        ("application", b"driftsonde"),
    ]


def test_a_detail_is_200_characters_at_most():
    long = DeadLetter(LETTER.position, "undecodable", "é" * 201, None, 0)
    assert long.detail == "é" * 199 + "…"
    assert DeadLetter(LETTER.position, "undecodable", "é" * 200, None, 0).detail == "é" * 200


@pytest.mark.parametrize("value", [None, b"", b"[]", b"{}", b'{"id": "a"}', b'{"id": "a", "ts": "' + b"x" * 1000 + b'"}'])
def test_headers_of_real_ones_fit_the_published_schema(value: bytes | None):
    schema = DeadLetter.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    (letter,) = decode(raws([value])).dead_letters
    jsonschema.validate({name: text.decode() for name, text in letter.headers("driftsonde")}, schema)
