"""Bytes to JSON objects: orjson for all, and a second look at the few that orjson refuses for the sake of one number.

NaN, Infinity and numbers like 1e400 are no JSON, but Python's json and others write them. Such a record is read again with the
standard library, so that one bad number costs that number only. The second look accepts nothing else that orjson does not,
and what it accepts must not depend on how deep the interpreter's stack is, so it looks at the nesting first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import orjson

from schemas.dead_letters import Rejection
from schemas.decoding.paths import Json, JsonObject

__all__ = ["MAX_BYTES", "MAX_DEPTH", "describe", "parse"]

#: Bytes of a record's value at most, unless told otherwise.
MAX_BYTES = 1 << 20
#: Nesting of a record that orjson refuses (orjson itself allows 1024).
MAX_DEPTH = 100

#: A string; one without an end reaches to the end of the text, so that the search takes linear time on anything.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))


def parse(values: Iterable[bytes | None], max_bytes: int) -> list[JsonObject | Rejection]:
    """Parse each value to an object, or say why it is none.

    Examples
    --------
    >>> parse([b'{"a": NaN}', b"[]", b'{"a":'], 100)[:2]
    [{'a': nan}, Rejection(reason='not_an_object', detail='found a list, expected a JSON object')]
    """
    out: list[JsonObject | Rejection] = []
    for value in values:
        if value is None:
            out.append(Rejection("undecodable", "found no value (a tombstone), expected a JSON object"))
            continue
        if len(value) > max_bytes:
            out.append(Rejection("oversize", f"found {len(value)} bytes, expected at most {max_bytes}"))
            continue
        try:
            record = orjson.loads(value)
        except orjson.JSONDecodeError as refusal:
            try:
                record = _second_look(value)
            except ValueError:
                out.append(Rejection("undecodable", f"not JSON: {refusal}"))
                continue
        if type(record) is dict:
            out.append(record)
        else:
            out.append(Rejection("not_an_object", f"found {describe(record)}, expected a JSON object"))
    return out


def describe(value: Json) -> str:
    """Say what a JSON value is, for an error message.

    Examples
    --------
    >>> describe(None), describe(True), describe(12), describe("x" * 100)
    ('null', 'true', 'the number 12', "the string 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'")
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {_shortened(str(value))}"
        case str():
            return f"the string {_shortened(value)!r}" if value else "an empty string"
        case list():
            return "a list"
        case dict():
            return "an object"
    return "nothing"


def _shortened(text: str) -> str:
    return text if len(text) <= 30 else text[:29] + "…"


def _second_look(value: bytes) -> Json:
    """Parse with NaN, Infinity and overflowing numbers allowed; ValueError when that was not what was wrong."""
    if _nesting(value) > MAX_DEPTH:
        raise ValueError("nested too deep")
    text = value.decode()
    record = _DECODER.decode(text)
    if "\\u" in text:  # an escaped lone surrogate makes a string that can't be written again
        json.dumps(record, ensure_ascii=False).encode()
    return record


def _integer(digits: str) -> int | float:
    """Read an integer as orjson does: a float when it needs more than 64 bits."""
    if len(digits) <= 20 and -(2**63) <= (number := int(digits)) < 2**64:
        return number
    return float(digits)


_DECODER = json.JSONDecoder(parse_int=_integer)


def _nesting(value: bytes) -> int:
    """Depth of the brackets outside strings; only whether it exceeds MAX_DEPTH is exact."""
    if (most := value.count(b"[") + value.count(b"{")) <= MAX_DEPTH:
        return most
    depth = deepest = 0
    for bracket in _STRING.sub(b"", value).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
        if deepest > MAX_DEPTH:
            break
    return deepest
