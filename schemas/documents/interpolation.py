"""``${VAR}``, ``${VAR:-default}``, ``${VAR:?message}`` inside values, as Docker Compose and the shell have them.

``$$`` is a dollar. A dollar before anything else stays as it is: ``$timestamp`` is no variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Interpolated", "interpolate"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORMS = "expected ${NAME}, ${NAME:-default} or ${NAME:?message}; $$ is a dollar"
_DEEPEST = 10


@dataclass(frozen=True, slots=True)
class Interpolated:
    """A text with its variables filled in.

    Parameters
    ----------
    text : str
        The result; of no use if there are problems.
    used : bool
        Whether the text had any variable.
    problems : tuple of str
        Variables that are not set, and ``${`` that is no variable. Values never show.
    """

    text: str
    used: bool
    problems: tuple[str, ...]


def interpolate(text: str, env: Mapping[str, str]) -> Interpolated:
    """Fill in variables; a default may have variables of its own.

    Examples
    --------
    >>> interpolate("${HOST:-localhost}:${PORT}", {"PORT": "9092"}).text
    'localhost:9092'
    >>> interpolate("${PORT}", {}).problems
    ('environment variable PORT is not set',)
    """
    filling = _Filling(env)
    return Interpolated(filling.fill(text, 0), filling.used, tuple(dict.fromkeys(filling.problems)))


class _Filling:
    def __init__(self, env: Mapping[str, str]) -> None:
        self.used = False
        self.problems: list[str] = []
        self._env = env

    def fill(self, text: str, depth: int) -> str:
        done: list[str] = []
        at = 0
        while (dollar := text.find("$", at)) >= 0:
            done.append(text[at:dollar])
            following = text[dollar + 1 : dollar + 2]
            if following == "{":
                end = _closing_brace(text, dollar + 2)
                done.append(self._variable(text[dollar + 2 : end], closed=end < len(text), depth=depth))
                at = end + 1
            else:
                done.append("$")
                at = dollar + (2 if following == "$" else 1)
        return "".join(done) + text[at:]

    def _variable(self, inside: str, *, closed: bool, depth: int) -> str:
        self.used = True
        name = _NAME.match(inside)
        operator, rest = (inside[name.end() : name.end() + 2], inside[name.end() + 2 :]) if name else ("", "")
        if not name or not closed or operator not in ("", ":-", ":?") or depth > _DEEPEST:
            self.problems.append(f"a '${{' that is no variable; {_FORMS}")
            return ""
        value = self._env.get(name[0])
        if operator == ":-":
            return value or self.fill(rest, depth + 1)
        if value is None or (operator == ":?" and not value):
            state = "not set" if value is None else "empty"
            self.problems.append(f"environment variable {name[0]} is {state}" + (f": {rest}" if rest else ""))
        return value or ""


def _closing_brace(text: str, at: int) -> int:
    """Index of the brace that closes a variable begun before `at`; the text's end when there is none."""
    depth = 1
    for index in range(at, len(text)):
        if text[index] == "}":
            depth -= 1
        elif text[index] == "{" and text[index - 1] == "$":
            depth += 1
        if depth == 0:
            return index
    return len(text)
