"""What a YAML, JSON or TOML file holds, before anyone has said what it should be: text with a place.

A scalar stays text until the model that reads it says what it wants, so ``version: 1.10`` can be the string ``1.10``, and
``0123`` the name of a feature.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from schemas.hints import KeyPath

__all__ = ["Broken", "Entry", "ListNode", "MapNode", "Mistake", "Node", "Scalar", "Tree", "plain_value", "too_large"]

#: More nodes or deeper nesting than any configuration has: aliases that multiply, or that contain themselves.
MOST_NODES = 100_000
DEEPEST = 50


class Mistake(NamedTuple):
    """Something wrong at a character of the text (None: the place is not known)."""

    offset: int | None
    path: KeyPath
    message: str


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as it was written.

    Parameters
    ----------
    text : str
        Its characters, without quotes.
    plain : bool
        Written without quotes: ``plain_value`` says what it may be besides text.
    offset : int or None
        Index of its first character in the file.
    """

    text: str
    plain: bool
    offset: int | None


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list."""

    items: tuple[Node, ...]
    offset: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping and its value; `offset` is the key's."""

    key: str
    value: Node
    offset: int | None


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping, in the file's order, without repeated keys."""

    entries: tuple[Entry, ...]
    offset: int | None


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands for something that a reader has reported and could not read; nothing more is said about it."""

    offset: int | None


Node: TypeAlias = Scalar | ListNode | MapNode | Broken


class Tree(NamedTuple):
    """What a reader made of a file: its content, if there is any, and what was wrong with its syntax."""

    root: Node | None
    mistakes: list[Mistake]


def too_large(root: Node) -> Mistake | None:
    """Say so when a tree is larger than any configuration: nested too deeply, or multiplied by aliases."""
    waiting: list[tuple[Node, int]] = [(root, 1)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if depth > DEEPEST:
            return Mistake(node.offset, (), f"found too deep a nesting; expected at most {DEEPEST} levels")
        if count > MOST_NODES:
            return Mistake(node.offset, (), f"found more than {MOST_NODES} values; an alias counts with all that it stands for")
        if isinstance(node, MapNode):
            waiting.extend((entry.value, depth + 1) for entry in node.entries)
        elif isinstance(node, ListNode):
            waiting.extend((item, depth + 1) for item in node.items)
    return None


_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE, _FALSE = frozenset(("true", "True", "TRUE")), frozenset(("false", "False", "FALSE"))
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def plain_value(text: str) -> str | int | float | bool | None:
    """Read a scalar without quotes as YAML 1.2's core schema does.

    Examples
    --------
    >>> [plain_value(text) for text in ("no", "12:30", "1e-3", "0x10", "true", "~")]
    ['no', '12:30', 0.001, 16, True, None]
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text)
    if special := _SPECIAL.fullmatch(text):
        return float(f"{special[1]}inf" if special[2] else "nan")
    return text
