"""YAML 1.2 into nodes with places. ruamel.yaml scans and composes; what the scalars mean is not its business here."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml import nodes as ruamel_nodes
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from schemas.documents.masking import quoted
from schemas.documents.nodes import DEEPEST, Broken, Entry, ListNode, MapNode, Mistake, Node, Scalar, Tree
from schemas.hints import KeyPath

__all__ = ["read_yaml"]

_CORE = "tag:yaml.org,2002:"
_KNOWN_TAGS = frozenset(_CORE + name for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value"))


class _Syntax(NamedTuple):
    """A mistake in the syntax: a part of what ruamel says about it, and what helps the one who made it."""

    part: str
    message: str
    #: Whether the place is where it began rather than where it was noticed (often at the end of the file).
    place: Literal["noticed", "began", "began, if on another line"] = "noticed"


_SYNTAX = (
    _Syntax("found character '\\t'", "found a tab; YAML is indented with spaces"),
    _Syntax("that cannot start any token", "found a character that can't begin a value; such a value needs quotes"),
    _Syntax(
        "mapping values are not allowed",
        "found a ':' that can't be here; text with ': ' needs quotes, or the line above lacks its ':'",
    ),
    _Syntax("could not find expected ':'", "found a key without its ':'", "began"),
    _Syntax("found unexpected end of stream", "found a quote that is never closed", "began"),
    _Syntax("found unexpected document separator", "found a quote that is never closed", "began"),
    _Syntax("found undefined alias", "found an alias (*name) without its anchor (&name); a value that begins with '*' needs quotes"),
    _Syntax("found undefined tag handle", "found a tag; a value that begins with '!' needs quotes"),
    _Syntax("found another document", "found a second document; expected one"),
    _Syntax("expected '<document start>'", "found something before or after the document; expected one mapping"),
    _Syntax("found unknown escape character", "found an unknown escape in double quotes; expected '\\\\' for a backslash"),
    _Syntax("expected escape sequence", "found an escape in double quotes that is cut short; expected '\\\\\\\\' for a backslash"),
    _Syntax("while scanning a block scalar", "found text after '|' or '>'; text that begins with these needs quotes"),
    _Syntax(
        "expected the node content", "found punctuation, or the end, where a value belongs; text that begins with punctuation needs quotes"
    ),
    _Syntax("while scanning an alias", "found '*' without a name; text that begins with it needs quotes"),
    _Syntax("while scanning an anchor", "found '&' without a name; text that begins with it needs quotes"),
    _Syntax("ing a tag", "found a tag; a value that begins with '!' needs quotes"),
    _Syntax("ing an tag", "found a tag; a value that begins with '!' needs quotes"),
    _Syntax("directive", "found a directive, a line that begins with '%'; expected none"),
    _Syntax("expected <block end>", "found an entry that doesn't fit the indentation above it"),
    _Syntax("expected ',' or ']'", "found a list that isn't closed here; expected ',' or ']'", "began, if on another line"),
    _Syntax("expected ',' or '}'", "found a mapping that isn't closed here; expected ',' or '}'", "began, if on another line"),
)
_BRACES_HINT = "; within { } and [ ] a value with ${…} needs quotes"


def read_yaml(text: str) -> Tree:
    """Read a YAML document."""
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False  # the later anchor wins, as YAML says
    try:
        root = yaml.compose(text)
    except ReaderError as error:
        return Tree(None, [Mistake(error.position, (), f"found a control character ({error.character:#04x}); expected text")])
    except MarkedYAMLError as error:
        return Tree(None, [_syntax_mistake(error, text)])
    except (ValueError, OverflowError):  # ruamel hands the number of an escape to chr() as it is
        return Tree(None, [Mistake(yaml.reader.index, (), "found an escape in double quotes that stands for no character")])
    except RecursionError:
        return Tree(None, [Mistake(None, (), f"found too deep a nesting; expected at most {DEEPEST} levels")])
    composed = _Composed()
    return Tree(None if root is None else composed.node(root, ()), composed.mistakes)


def _syntax_mistake(error: MarkedYAMLError, text: str) -> Mistake:
    said = f"{error.context or ''} {error.problem or ''}".strip()
    syntax = next((syntax for syntax in _SYNTAX if syntax.part in said), _Syntax("", f"not YAML: {said}"))
    noticed = error.problem_mark or error.context_mark
    began = error.context_mark or noticed
    mark = began if syntax.place == "began" or (syntax.place != "noticed" and began.line != noticed.line) else noticed
    line = text[text.rfind("\n", 0, mark.index) + 1 :].split("\n", 1)[0]
    hint = _BRACES_HINT if "isn't closed" in syntax.message and "${" in line else ""
    return Mistake(mark.index, (), syntax.message + hint)


class _Composed:
    """Turns composed nodes into ours, collecting what YAML allows and a configuration doesn't."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self._done: dict[int, Node] = {}  # by id: an alias is the same node as its anchor
        self._begun: set[int] = set()

    def node(self, node: ruamel_nodes.Node, path: KeyPath) -> Node:
        if id(node) in self._done:
            return self._done[id(node)]
        offset = node.start_mark.index
        if id(node) in self._begun:
            return self._broken(offset, path, "found an alias within the value that it stands for")
        self._begun.add(id(node))
        self._done[id(node)] = self._convert(node, path, offset)
        return self._done[id(node)]

    def _convert(self, node: ruamel_nodes.Node, path: KeyPath, offset: int) -> Node:
        if str(node.tag) not in _KNOWN_TAGS:
            return self._broken(offset, path, "found a tag; a value that begins with '!' needs quotes")
        if isinstance(node, ruamel_nodes.MappingNode):
            return self._mapping(node, path, offset)
        if isinstance(node, ruamel_nodes.SequenceNode):
            return ListNode(tuple(self.node(item, (*path, index)) for index, item in enumerate(node.value)), offset)
        assert isinstance(node, ruamel_nodes.ScalarNode)  # the only kind left
        return Scalar(node.value, plain=node.style is None and str(node.tag) != _CORE + "str", offset=offset)

    def _mapping(self, node: ruamel_nodes.MappingNode, path: KeyPath, offset: int) -> Node:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key, value in node.value:
            place = key.start_mark.index
            if str(key.tag) == _CORE + "merge":
                for entry in self._merged(self.node(value, path), path):
                    merged.setdefault(entry.key, entry)
            elif not isinstance(key, ruamel_nodes.ScalarNode):
                return self._broken(place, path, "found a mapping or list as a key; a value that begins with '{' or '[' needs quotes")
            elif key.value in own:
                self.mistakes.append(Mistake(place, (*path, key.value), f"key {quoted(key.value)} is here twice"))
            else:
                own[key.value] = Entry(key.value, self.node(value, (*path, key.value)), place)
        return MapNode(tuple((merged | own).values()), offset)

    def _merged(self, value: Node, path: KeyPath) -> tuple[Entry, ...]:
        """Entries that '<<' brings in; of several mappings the first wins, and own entries win over all."""
        if isinstance(value, MapNode):
            return value.entries
        if isinstance(value, ListNode):
            return tuple(entry for item in value.items for entry in self._merged(item, path))
        if isinstance(value, Scalar):
            self.mistakes.append(Mistake(value.offset, path, "'<<' takes a mapping, such as *name; found a single value"))
        return ()

    def _broken(self, offset: int, path: KeyPath, message: str) -> Broken:
        self.mistakes.append(Mistake(offset, path, message))
        return Broken(offset)
