from __future__ import annotations

import numpy as np
import pytest

from streams.engine.join.index import KeyIndex

M = (1 << 64) - 1


class Entries:
    """Keys by handle, as a store has them; a handle is its row and one."""

    def __init__(self, keys: np.ndarray) -> None:
        self.keys, self.there, self.asked = keys, np.ones(len(keys), bool), 0

    def holds(self, handles: np.ndarray, keys: np.ndarray) -> np.ndarray:
        self.asked += len(handles)
        inside = (handles >= 1) & (handles <= len(self.keys))
        at = np.where(inside, handles - 1, 0)
        return inside & self.there[at] & (self.keys[at] == keys).all(axis=1)


def unmixed(value: int) -> int:
    """The number that the index's finaliser makes `value` of: what somebody does who chooses ids against us."""

    def unshift(x: int, by: int) -> int:
        y = x
        for _ in range(64 // by + 1):
            y = x ^ (y >> by)
        return y

    value = unshift(value, 31)
    for factor in (0x94D049BB133111EB, 0xBF58476D1CE4E5B9):
        value = unshift(value * pow(factor, -1, 1 << 64) & M, 30)
    return value


def hostile(n: int, *, same_mark: bool) -> np.ndarray:
    """Different keys that begin at one bucket, whatever the size of the table."""
    halves = []
    for i in range(n):
        first = i * 0x9E3779B97F4A7C15 & M
        halves.append((i, (unmixed(0 if same_mark else i) - (first ^ first >> 32)) & M))
    return np.array(halves, np.uint64)


def random_keys(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, M, (n, 2), np.uint64, endpoint=True)


@pytest.mark.parametrize(
    "keys",
    [
        random_keys(5_000),
        np.stack([np.arange(5_000), np.zeros(5_000)], axis=1).astype(np.uint64),
        np.stack([np.zeros(5_000), np.arange(5_000)], axis=1).astype(np.uint64),
        hostile(5_000, same_mark=False),
        hostile(1_000, same_mark=True),
    ],
    ids=["random", "first half counts", "second half counts", "one bucket", "one bucket, one mark"],
)
@pytest.mark.parametrize("batch", [1_000, 77])
def test_every_key_is_found_and_no_other(keys: np.ndarray, batch: int) -> None:
    entries, index = Entries(keys), KeyIndex(len(keys))
    handles = np.arange(1, len(keys) + 1)
    for at in range(0, len(keys), batch):
        assert index.has_room(batch)
        index.insert(keys[at : at + batch], handles[at : at + batch])
    assert index.find(keys, entries.holds).tolist() == handles.tolist()
    assert (index.find(random_keys(1_000, seed=1), entries.holds) == -1).all()
    assert (index.find(keys ^ np.array([0, 1 << 63], np.uint64), entries.holds) == -1).all()


def test_hostile_keys_cost_a_bounded_number_of_looks() -> None:
    keys = hostile(2_000, same_mark=True)
    entries, index = Entries(keys), KeyIndex(len(keys))
    index.insert(keys, np.arange(1, len(keys) + 1))
    index.find(keys, entries.holds)
    assert len(keys) * 100 < entries.asked <= len(keys) * 8 * 33


def test_honest_keys_are_found_with_hardly_a_look_too_many() -> None:
    keys = random_keys(200_000)
    entries, index = Entries(keys), KeyIndex(len(keys))
    index.insert(keys, np.arange(1, len(keys) + 1))
    index.find(keys, entries.holds)
    assert entries.asked - len(keys) < 10
    entries.asked = 0
    index.find(random_keys(200_000, seed=1), entries.holds)
    assert entries.asked < 10


@pytest.mark.parametrize("make", [random_keys, lambda n: hostile(n, same_mark=True)], ids=["honest", "hostile"])
def test_a_key_that_went_may_come_again(make: object) -> None:
    keys = make(400)  # type: ignore[operator]
    entries, index = Entries(np.concatenate([keys, keys])), KeyIndex(2 * len(keys))
    index.insert(keys, np.arange(1, 401))
    entries.there[:400] = False
    assert (index.find(keys, entries.holds) == -1).all()
    index.insert(keys, np.arange(401, 801))
    assert index.find(keys, entries.holds).tolist() == list(range(401, 801))


def test_a_table_says_when_it_is_full() -> None:
    index = KeyIndex(1_000)
    assert index.has_room(1_400)
    assert not index.has_room(1_700)
    index.insert(random_keys(1_000), np.arange(1, 1_001))
    assert index.has_room(400)
    assert not index.has_room(700)


def test_a_table_has_an_end() -> None:
    with pytest.raises(ValueError, match="entries: found 100000000000, expected fewer"):
        KeyIndex(10**11)
