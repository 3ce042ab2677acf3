"""What a pydantic model can tell the reader of a file about itself, so that errors get a place and plain words.

`schemas.documents` understands these; pydantic ignores the markers and takes `Misfit` for the ValueError that it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Expected", "KeyPath", "Kinded", "Misfit", "OneOrMore", "dotted"]

#: Keys and indices from the top of a document (or of a section) down to a value.
KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """Marker in ``Annotated``: what is expected here, in the user's words."""

    text: str


@dataclass(frozen=True, slots=True)
class Kinded:
    """Marker in ``Annotated``: a kind, or a mapping of ``kind`` and the parameters of that kind.

    Parameters
    ----------
    noun : str
        What it is a kind of, such as ``detector``.
    """

    noun: str


@dataclass(frozen=True, slots=True)
class OneOrMore:
    """Marker in ``Annotated``: a list, which may be written as its only item."""


class Misfit(ValueError):
    """Keys of a section that are fine one by one but do not fit together; all of them at once.

    Parameters
    ----------
    found : sequence of (KeyPath, str)
        Path below the section, and what is wrong there.

    Examples
    --------
    >>> print(Misfit([(("labels", "horizon"), "missing")]))
    labels.horizon: missing
    """

    def __init__(self, found: Sequence[tuple[KeyPath, str]]) -> None:
        self.found = tuple(found)
        super().__init__("; ".join(f"{dotted(path)}: {message}" if path else message for path, message in self.found))


def dotted(path: KeyPath) -> str:
    """Write a path as people read it.

    Examples
    --------
    >>> dotted(("models", 0, "sources", "features"))
    'models[0].sources.features'
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part and all(c.isalnum() or c in "._-" for c in part):
            text += f".{part}" if text else part
        else:
            text += f"[{part!r}]"
    return text
