"""Did you mean …?"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["nearest", "suggestion"]

_LONGEST = 64  # difflib is quadratic, and nobody misspells a word that long


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that this one is probably a misspelling of, if any.

    Examples
    --------
    >>> nearest("bootstrap_server", ["properties", "bootstrap_servers"])
    'bootstrap_servers'
    """
    by_form = {name.lower().replace("-", "_"): name for name in known}
    close = get_close_matches(word[:_LONGEST].lower().replace("-", "_"), by_form, n=1, cutoff=0.6)
    return by_form[close[0]] if close else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return what to append to a message about an unknown word: ``; did you mean …?``, or nothing."""
    guess = nearest(word, known)
    return f"; did you mean {guess!r}?" if guess else ""
