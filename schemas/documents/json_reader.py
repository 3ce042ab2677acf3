"""JSON into nodes with places. The standard library decides what is JSON; the walk here only adds the places."""

from __future__ import annotations

import json
import re

from schemas.documents.masking import quoted
from schemas.documents.nodes import DEEPEST, Entry, ListNode, MapNode, Mistake, Node, Scalar, Tree
from schemas.hints import KeyPath

__all__ = ["read_json"]

_SPACE = re.compile(r"[ \t\n\r]*")
# Numbers stay text: what they are is said by the model that reads them.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str)


def read_json(text: str) -> Tree:
    """Read a JSON document."""
    if not text.strip():
        return Tree(None, [])
    try:
        _DECODER.decode(text)
        walk = _Walk(text)
        return Tree(walk.node(_skip(text, 0), ()), walk.mistakes)
    except json.JSONDecodeError as error:
        return Tree(None, [Mistake(error.pos, (), f"not JSON: {error.msg[0].lower()}{error.msg[1:]}")])
    except RecursionError:
        return Tree(None, [Mistake(None, (), f"found too deep a nesting; expected at most {DEEPEST} levels")])


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


class _Walk:
    """A second pass over text that is known to be JSON; `end` is the index after what was read last."""

    def __init__(self, text: str) -> None:
        self.mistakes: list[Mistake] = []
        self.end = 0
        self._text = text

    def node(self, at: int, path: KeyPath) -> Node:
        if self._text[at] == "{":
            return MapNode(self._entries(at, path), at)
        if self._text[at] == "[":
            return ListNode(self._items(at, path), at)
        return self._scalar(at)

    def _scalar(self, at: int) -> Scalar:
        value, self.end = _DECODER.raw_decode(self._text, at)
        is_text = self._text[at] == '"'
        return Scalar(value if is_text else self._text[at : self.end], plain=not is_text, offset=at)

    def _entries(self, at: int, path: KeyPath) -> tuple[Entry, ...]:
        entries: dict[str, Entry] = {}
        at = _skip(self._text, at + 1)
        while self._text[at] != "}":
            key = self._scalar(at)
            colon = _skip(self._text, self.end)
            value = self.node(_skip(self._text, colon + 1), (*path, key.text))
            if key.text in entries:
                self.mistakes.append(Mistake(at, (*path, key.text), f"key {quoted(key.text)} is here twice"))
            entries.setdefault(key.text, Entry(key.text, value, at))
            at = self._next(self.end)
        self.end = at + 1
        return tuple(entries.values())

    def _items(self, at: int, path: KeyPath) -> tuple[Node, ...]:
        items: list[Node] = []
        at = _skip(self._text, at + 1)
        while self._text[at] != "]":
            items.append(self.node(at, (*path, len(items))))
            at = self._next(self.end)
        self.end = at + 1
        return tuple(items)

    def _next(self, at: int) -> int:
        """Index of the next item, or of the bracket that closes."""
        at = _skip(self._text, at)
        return _skip(self._text, at + 1) if self._text[at] == "," else at
