"""TOML into nodes. tomllib tells no places, so mistakes in a TOML file name the key but not the line."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from schemas.documents.nodes import DEEPEST, Entry, ListNode, MapNode, Mistake, Node, Scalar, Tree
from schemas.documents.source_text import SourceText

__all__ = ["read_toml"]

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_toml(text: str) -> Tree:
    """Read a TOML document."""
    try:
        # A float stays text, so that the version 1.10 is not 1.1.
        content = tomllib.loads(text, parse_float=lambda digits: Scalar(digits, plain=True, offset=None))
    except RecursionError:
        return Tree(None, [Mistake(None, (), f"found too deep a nesting; expected at most {DEEPEST} levels")])
    except ValueError as error:
        return Tree(None, [_syntax_mistake(str(error), text)])
    return Tree(_node(content) if content else None, [])


def _syntax_mistake(message: str, text: str) -> Mistake:
    offset = None
    if (place := _PLACE.search(message)) and place[1]:
        offset = SourceText("", text).offset(int(place[1]) - 1, int(place[2]) - 1)
    words = _PLACE.sub("", message)
    return Mistake(offset, (), f"not TOML: {words[0].lower()}{words[1:]}")


def _node(value: Any) -> Node:
    if isinstance(value, Scalar):
        return value
    if isinstance(value, dict):
        return MapNode(tuple(Entry(key, _node(item), None) for key, item in value.items()), None)
    if isinstance(value, list):
        return ListNode(tuple(_node(item) for item in value), None)
    if isinstance(value, bool):
        return Scalar("true" if value else "false", plain=True, offset=None)
    return Scalar(str(value), plain=not isinstance(value, str), offset=None)
