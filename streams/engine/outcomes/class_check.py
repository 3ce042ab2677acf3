"""Whether the two classes of a binary model are those that its records name; a wrong `positive` makes every figure worthless.

What is looked for, in each tile of 1000 labels and in the predictions since the last one: classes that are neither the positive one nor
the other, and a positive class that nobody has ever named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.events import Int64Array, Role
from streams.engine.feed import Clear, Raise, feed_stream
from streams.engine.outcomes.classes import Classes
from streams.engine.outcomes.rates import TILE, least_share

__all__ = ["OTHER", "POSITIVE", "THIRD", "ClassCheck", "Named"]

SUBJECT = "label_classes"
#: What a row names.
OTHER, POSITIVE, THIRD = range(3)
#: Share of rows that may name a third class.
_LIMIT = 0.01
_ROLES: tuple[Role, ...] = ("labels", "predictions")
#: Beside each other these leave no doubt which is the positive one.
_PLAIN = {"0", "1"}
_LONGEST_NAME = 60
#: Labels without a positive one that are worth a remark at the end.
_FEW = 20


class Named(NamedTuple):
    """Rows of a release that name a class of a binary model: where, by role (`_ROLES`), and which of the three."""

    at: Int64Array
    role: NDArray[np.int64]
    named: NDArray[np.int64]

    @classmethod
    def of(cls, at: Int64Array, role: Role, codes: NDArray[np.float64], third: NDArray[np.bool_]) -> Named:
        """Make one of class codes, NaN where there is none, and of where a third class is named."""
        rows = np.flatnonzero(third | ~np.isnan(codes))
        named = np.where(third, THIRD, np.where(codes == 1, POSITIVE, OTHER))[rows]
        return cls(at[rows], np.full(len(rows), _ROLES.index(role)), named)


class ClassCheck:
    """Judges which classes are named, tile after tile.

    Parameters
    ----------
    classes : Classes
        Of the model; it may grow.
    state : mapping, optional
        What `state` returned; to be kept as long as the classes are.

    Examples
    --------
    >>> from schemas.events import Codes
    >>> classes = Classes(binary=True, positive="1")
    >>> classes.learn([(Codes(("fraud",), np.zeros(1, np.int32)), [0])])
    >>> check = ClassCheck(classes)
    >>> check.count(Named.of(np.arange(TILE), "labels", np.zeros(TILE), np.zeros(TILE, bool)), 0, TILE)
    >>> [told.summary for told in check.tile(TILE - 1)]
    ["label_classes: the positive class '1' was never named, 'fraud' was by all of 1000 labels and predictions; is 'positive' right?"]
    """

    def __init__(self, classes: Classes, state: Mapping[str, Any] | None = None) -> None:
        self._classes = classes
        zeros = np.zeros((len(_ROLES), 3), np.int64)
        self._counts = zeros if state is None else np.array(state["counts"], np.int64)
        self._judged = zeros.copy() if state is None else np.array(state["judged"], np.int64)

    def count(self, named: Named, start: int, stop: int) -> None:
        """Count those in rows [start, stop) of the release."""
        a, b = np.searchsorted(named.at, (start, stop)).tolist()
        self._counts += np.bincount(named.role[a:b] * 3 + named.named[a:b], minlength=6).reshape(2, 3)

    def tile(self, row: int) -> Iterator[Raise | Clear]:
        """Say at `row` of the release, the last of a tile, whether the classes are right."""
        new = self._counts - self._judged
        self._judged = self._counts.copy()
        said = self._of_third(new) or self._of_positive()
        stream = feed_stream(SUBJECT)
        if said is not None:
            yield Raise(row, stream, "label_quality", "warning", f"{SUBJECT}: {said}")
        elif (new[:, THIRD] <= _LIMIT / 2 * new.sum(axis=1)).all():
            yield Clear(
                row, stream, f"{SUBJECT}: labels and predictions name the two classes {' and '.join(map(_quoted, self._classes.names))}"
            )

    def remark(self) -> str | None:
        """Say what is wrong with the classes of all rows so far, for somebody who looks at them as a whole."""
        return self._of_third(self._counts, chance=False) or self._of_positive(least=_FEW)

    def _of_third(self, counts: NDArray[np.int64], *, chance: bool = True) -> str | None:
        if (beyond := self._classes.beyond) is None:
            return None
        for of_role, things in zip(counts, _ROLES, strict=True):
            third, n = int(of_role[THIRD]), int(of_role.sum())
            if not third or (least_share(third, n) if chance else third / n) <= _LIMIT:
                continue
            seen = "" if self._counts[:, POSITIVE].any() else ", which was never named,"
            found = f"{100 * third / n:.3g} % of {n} {things} name neither the positive class {_quoted(self._classes.names[0])}{seen}"
            beside = f"nor {_quoted(self._classes.names[1])}, but another, such as {_quoted(beyond)}"
            return f"{found} {beside}; these don't count (is 'positive' right?)"
        return None

    def _of_positive(self, least: int = TILE) -> str | None:
        n = int(self._counts.sum())
        if self._counts[0].sum() < least or self._counts[:, POSITIVE].any() or {*self._classes.names} <= _PLAIN:
            return None
        positive, other = map(_quoted, self._classes.names)
        return f"the positive class {positive} was never named, {other} was by all of {n} labels and predictions; is 'positive' right?"

    def state(self) -> dict[str, Any]:
        """Everything needed to go on; JSON values only."""
        return {"counts": self._counts.tolist(), "judged": self._judged.tolist()}


def _quoted(name: str) -> str:
    return repr(name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…")
