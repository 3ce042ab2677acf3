"""The text of a file, and how a place in it is shown: ``file:line:column``, the line, a caret."""

from __future__ import annotations

from bisect import bisect_right

from schemas.documents.masking import mask, mask_line
from schemas.documents.nodes import Mistake
from schemas.errors import Problem
from schemas.hints import dotted

__all__ = ["SourceText"]

_WIDEST = 120


class SourceText:
    """The text of a file.

    Parameters
    ----------
    name : str
        How the user calls the file.
    text : str
        Its content.

    Examples
    --------
    >>> print(SourceText("a.yaml", "kafka:\\n  brokers: x").problem(Mistake(9, ("kafka",), "unknown key 'brokers'")))
    a.yaml:2:3: kafka: unknown key 'brokers'
         2 |   brokers: x
           |   ^
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._lines = [line.removesuffix("\r") for line in text.split("\n")]
        self._starts = [0]
        for line in text.split("\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)

    def problem(self, mistake: Mistake) -> Problem:
        """Place a mistake in this file; secrets do not show."""
        path = mask(dotted(mistake.path))
        if mistake.offset is None:
            return Problem(self.name, path, mistake.message)
        index = min(bisect_right(self._starts, mistake.offset), len(self._lines)) - 1
        column = mistake.offset - self._starts[index]
        return Problem(f"{self.name}:{index + 1}:{column + 1}", path, mistake.message, self._excerpt(index, column))

    def offset(self, line: int, column: int) -> int:
        """Index of a character from its line and column, both counted from 0."""
        return self._starts[min(line, len(self._lines) - 1)] + column

    def _excerpt(self, index: int, column: int) -> str:
        line = "".join(char if char.isprintable() or char == "\t" else "�" for char in mask_line(self._lines, index))
        if column > _WIDEST - 20:
            line, column = "…" + line[column - _WIDEST // 2 :], _WIDEST // 2 + 1
        line = line[:_WIDEST]
        indent = "".join("\t" if char == "\t" else " " for char in line[:column].ljust(column))
        return f"{index + 1:>6} | {line}\n       | {indent}^"
