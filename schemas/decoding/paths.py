"""Dotted paths into nested JSON, made once and applied to whole batches."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

__all__ = ["ABSENT", "Absent", "FirstOf", "Json", "JsonObject", "Path", "fetch"]

#: Any JSON value, as orjson gives it.
Json: TypeAlias = Any
JsonObject: TypeAlias = dict[str, Any]


class Absent:
    """Type of `ABSENT`: what stands where a record has no such field (null is something else)."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()


def fetch(objects: Sequence[JsonObject], key: str) -> list[Json]:
    """Values of one key in all objects, ABSENT where there is none.

    Examples
    --------
    >>> fetch([{"a": 1}, {}], "a")
    [1, ABSENT]
    """
    try:
        return list(map(itemgetter(key), objects))
    except KeyError:
        return [o.get(key, ABSENT) for o in objects]


class Path:
    """A dotted path: ``payload.amount`` is the key ``amount`` of the object at ``payload``.

    A key that holds a dot itself can't be reached.

    Examples
    --------
    >>> Path("model.version").values([{"model": {"version": 3}}, {"model": None}])
    [3, ABSENT]
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.keys = tuple(text.split("."))
        self._getters = tuple(map(itemgetter, self.keys))

    def __repr__(self) -> str:
        return f"Path({self.text!r})"

    def value(self, record: JsonObject) -> Json:
        """What `record` has there, or ABSENT."""
        here: Json = record
        for key in self.keys:
            if type(here) is not dict or key not in here:
                return ABSENT
            here = here[key]
        return here

    def values(self, records: Sequence[JsonObject]) -> list[Json]:
        """What each record has there, or ABSENT."""
        column: Any = records
        for getter in self._getters:
            column = map(getter, column)
        try:
            return list(column)
        except (KeyError, TypeError):  # TypeError: something on the way is not an object
            return [self.value(record) for record in records]


class FirstOf:
    """Several paths to one thing: the first that finds something other than null is taken.

    Parameters
    ----------
    texts : sequence of str
        Dotted paths, best first; repetitions count once. At least one.

    Examples
    --------
    >>> FirstOf(["id", "prediction_id"]).values([{"id": "a"}, {"id": None, "prediction_id": "b"}, {}])
    ['a', 'b', ABSENT]
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self.paths = tuple(Path(text) for text in dict.fromkeys(texts))

    def __str__(self) -> str:
        return " or ".join(repr(path.text) for path in self.paths)

    def value(self, record: JsonObject) -> Json:
        """What `record` has there; ABSENT or None when no path finds more."""
        found = [path.value(record) for path in self.paths]
        return next((v for v in found if v is not ABSENT and v is not None), found[0])

    def values(self, records: Sequence[JsonObject]) -> list[Json]:
        """What each record has there."""
        return self.paths[0].values(records) if len(self.paths) == 1 else [self.value(record) for record in records]
