"""Which columns the features of a record become."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.decoding.paths import ABSENT, Json, JsonObject, Path
from schemas.events import RESERVED_SUBJECTS

__all__ = ["Features", "subject_of"]

_PREFIX = "features."


def subject_of(feature: str) -> str:
    """Column name of a feature: its own name, unless that belongs to a role.

    Examples
    --------
    >>> subject_of("amount"), subject_of("score"), subject_of("features.score")
    ('amount', 'features.score', 'features.features.score')
    """
    bare = feature
    while bare.startswith(_PREFIX):  # so that no two features share a column
        bare = bare.removeprefix(_PREFIX)
    return _PREFIX + feature if bare in RESERVED_SUBJECTS else feature


class Features:
    """The object of features within a record.

    Parameters
    ----------
    path : str
        Dotted path of the object; ``.`` for the record itself.
    mapped : iterable of str
        Paths that the configuration maps to something else. A key of the features object that such a path is, or goes through,
        is no feature.

    Examples
    --------
    >>> features = Features(".", mapped=["id", "model.version"])
    >>> features.names([{"id": "a", "model": {"version": 3}, "amount": 1.5}])
    ['amount']
    """

    def __init__(self, path: str, mapped: Iterable[str]) -> None:
        self.path = path
        self._path = None if path == "." else Path(path)
        above = () if self._path is None else self._path.keys
        keys = (Path(text).keys for text in mapped)
        self._hidden = {k[len(above)] for k in keys if len(k) > len(above) and k[: len(above)] == above}

    def objects(self, records: list[JsonObject]) -> list[Json]:
        """What each record has where its features should be; an empty object where that is null or absent."""
        if self._path is None:
            return records
        found = self._path.values(records)
        return found if set(map(type, found)) == {dict} else [{} if o is None or o is ABSENT else o for o in found]

    def names(self, objects: Sequence[JsonObject]) -> list[str]:
        """Names of all features that occur, sorted."""
        return sorted(set[str]().union(*objects) - self._hidden)
