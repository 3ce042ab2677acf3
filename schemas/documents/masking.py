"""Keeping secrets out of messages: which keys hold them, and what a line looks like without them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from schemas.hints import KeyPath

__all__ = ["MASK", "holds_secret", "mask", "mask_line", "quoted"]

MASK = "***"
_NAME = r"(?<![\w.-])[\w.-]*(?:passw|passphrase|secret|token|credential|jaas|key)[\w.-]*"
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
_SECRET_ENTRY = re.compile(rf"({_NAME}[\"']?\s*[:=]\s*)\S.*|({_NAME}[\"']?\s*[:=]\s*)$", re.IGNORECASE)
# The last line of base64 may end in '=' and is no entry.
_ENTRY = re.compile(r"\s*(?:-\s+)*[\"']?[\w.-]+[\"']?\s*(?::(?:\s|$)|=\s*[^\s=])")


def holds_secret(path: KeyPath) -> bool:
    """Whether a value at this path must not be shown.

    Examples
    --------
    >>> holds_secret(("kafka", "properties", "sasl.password")), holds_secret(("kafka", "bootstrap_servers"))
    (True, False)
    """
    return any(isinstance(part, str) and _SECRET_NAME.search(part) for part in path)


def mask(text: str) -> str:
    """Hide what follows the name of a secret on the same line.

    Examples
    --------
    >>> mask("properties: {sasl.username: me, sasl.password: hunter2}")
    'properties: {sasl.username: me, sasl.password: ***'
    """
    return _SECRET_ENTRY.sub(lambda found: f"{found[1]}{MASK}" if found[1] else found[0], text)


def quoted(text: str) -> str:
    """Show a piece of a file within a message: in quotes, without secrets, not too long.

    Examples
    --------
    >>> quoted("abc")
    "'abc'"
    """
    shown = mask(text)
    return repr(shown if len(shown) <= 60 else shown[:59] + "…")


def mask_line(lines: Sequence[str], index: int) -> str:
    """Return a line of a file without secrets: neither its own, nor those of a value that began further up.

    Works on the text alone, because a file with a syntax error has no structure to go by. A line belongs to a secret when
    it is indented below the secret's key, or, being no entry itself, when the nearest entry above is a secret's.
    """
    line = lines[index]
    shown = mask(line)
    if shown != line:
        return shown
    depth, nearest_seen = _indent(line), bool(_ENTRY.match(line))
    for above in reversed(lines[:index]):
        if not above.strip():
            continue
        nearest = not nearest_seen and bool(_ENTRY.match(above))
        if (nearest or _indent(above) < depth) and _SECRET_ENTRY.search(above):
            return " " * _indent(line) + MASK
        nearest_seen = nearest_seen or nearest
        depth = min(depth, _indent(above))
        if depth == 0 and nearest_seen:
            break
    return line


def _indent(line: str) -> int:
    line = line.expandtabs()
    return len(line) - len(line.lstrip())
