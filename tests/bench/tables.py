"""Tables as Markdown: what a measurement prints goes into README.md as it is."""

from __future__ import annotations

from collections.abc import Sequence


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Lay out a table; columns but the first are right-aligned.

    Examples
    --------
    >>> print(markdown(["program", "events/s"], [["ours", 100]]))
    | program | events/s |
    |---|---:|
    | ours | 100 |
    """
    alignment = ["---", *["---:"] * (len(header) - 1)]
    lines = ["| " + " | ".join(header) + " |", "|" + "|".join(alignment) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)])
