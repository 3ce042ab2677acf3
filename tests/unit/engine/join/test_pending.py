from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import snapshot
from streams.engine.join.chunk import Arrays
from streams.engine.join.pending import Pending
from streams.pending_files import PendingFiles

COLUMNS = {"time": "<i8", "score": "<f8", "segment": "<i4", "label": "<i2", "revision": "<i8", "seen": "|u1"}
MUTABLE = ("label", "revision", "seen")
IDS = 60


def keys(*ids: int) -> np.ndarray:
    return np.array([(i * 7919, i) for i in ids], np.uint64).reshape(-1, 2)


def values(*ids: int) -> dict[str, np.ndarray]:
    return {name: np.array([i * 3 + at for i in ids]).astype(dtype) for at, (name, dtype) in enumerate(COLUMNS.items())}


def store(arrays: Arrays | None = None, *, state: Mapping[str, Any] | None = None, rows: int = 16, in_memory: int = 20) -> Pending:
    return Pending(COLUMNS, mutable=MUTABLE, arrays=arrays, in_memory=in_memory, name="fraud", rows=rows, state=state)


class Model:
    """What a store is to do, with a dict."""

    def __init__(self) -> None:
        self.entries: dict[int, tuple[int, dict[str, Any]]] = {}

    def add(self, cohort: int, i: int) -> None:
        self.entries[i] = cohort, {name: column[0] for name, column in values(i).items()}

    def write(self, i: int, name: str, value: int) -> None:
        self.entries[i][1][name] = value

    def drop(self, cohort: int) -> int:
        gone = [i for i, (k, _) in self.entries.items() if k == cohort]
        for i in gone:
            del self.entries[i]
        return len(gone)

    def agrees_with(self, pending: Pending) -> None:
        assert len(pending) == len(self.entries)
        assert pending.cohorts() == sorted({k for k, _ in self.entries.values()})
        handles = pending.find(keys(*range(IDS)))
        assert [i for i in range(IDS) if handles[i] >= 0] == sorted(self.entries)
        there = sorted(self.entries)
        for name in COLUMNS:
            assert pending.read(handles[there], name).tolist() == [self.entries[i][1][name] for i in there]
            for k in pending.cohorts():
                expected = [row[name] for cohort, row in self.entries.values() if cohort == k]
                assert pending.cohort(k)[name].tolist() == expected
                assert pending.cohort(k)[name].dtype == COLUMNS[name]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.tuples(st.integers(0, 3), st.integers(0, IDS - 1)), max_size=40)),
        st.tuples(st.just("write"), st.lists(st.integers(0, IDS - 1), max_size=20, unique=True)),
        st.tuples(st.just("drop"), st.integers(0, 3)),
        st.tuples(st.just("restore"), st.booleans()),
    ),
    max_size=25,
)


@pytest.mark.parametrize("place", ["memory", "files"])
@given(steps=STEPS, rows=st.sampled_from([1, 3, 16, 65_536]), in_memory=st.sampled_from([0, 20]))
@settings(deadline=None, max_examples=120)
def test_it_is_a_dict_by_cohort(
    place: str, steps: list[tuple[str, Any]], rows: int, in_memory: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def arrays() -> Arrays | None:
        return PendingFiles(tmp_path_factory.getbasetemp()) if place == "files" else None

    pending, model, writes = store(arrays(), rows=rows, in_memory=in_memory), Model(), 0
    for step, given_ in steps:
        match step:
            case "add":
                new = {i: k for k, i in given_ if i not in model.entries}
                handles = pending.add(np.array([*new.values()], np.int64), keys(*new), values(*new))
                assert handles.tolist() == pending.find(keys(*new)).tolist()
                for i, k in new.items():
                    model.add(k, i)
            case "write":
                some = [i for i in given_ if i in model.entries]
                writes += 1
                pending.write(pending.find(keys(*some)), "label", np.full(len(some), writes))
                for i in some:
                    model.write(i, "label", writes)
            case "drop":
                assert pending.drop(given_) == model.drop(given_)
            case "restore":
                _, tree = snapshot.unpack(snapshot.pack(pending.state(), header={}))
                pending = store(arrays(), rows=rows, in_memory=in_memory, state=tree)
    model.agrees_with(pending)


def test_what_it_holds_and_its_state_do_not_depend_on_batches() -> None:
    rng = random.Random(5)
    rows = [(rng.randrange(4), i) for i in range(400)]

    def fed(split: random.Random) -> bytes:
        pending, left = store(), list(rows)
        while left:
            batch, left = left[: (n := split.randrange(1, 60))], left[n:]
            cohorts, ids = zip(*batch, strict=True)
            pending.add(np.array(cohorts), keys(*ids), values(*ids))
        return snapshot.pack(pending.state(), header={})

    assert len({fed(random.Random(seed)) for seed in range(20)}) == 1


@pytest.mark.parametrize("place", ["memory", "files"])
def test_a_state_stays_as_it_was(place: str, tmp_path: Path) -> None:
    pending = store(PendingFiles(tmp_path) if place == "files" else None)
    ids = range(50)
    pending.add(np.arange(50) % 2, keys(*ids), values(*ids))
    state = pending.state()
    before = copy.deepcopy(state)
    pending.write(pending.find(keys(*ids)), "label", np.full(50, 99))
    pending.add(np.zeros(50, np.int64), keys(*range(50, 100)), values(*range(50, 100)))
    pending.drop(1)
    np.testing.assert_equal(state, before)
    assert store(state=state).cohort(1)["label"].tolist() == values(*range(1, 50, 2))["label"].tolist()


def test_only_what_changed_is_sealed_anew() -> None:
    pending = store(rows=2_000)
    ids = range(5_000)
    pending.add(np.zeros(5_000, np.int64), keys(*ids), values(*ids))
    before = set(snapshot.sealed_in(pending.state()))
    assert before == {f"fraud/chunk/{uid}/{part}" for uid in (0, 2_000) for part in ("rows/2000", "written/2000/0")}
    pending.write(pending.find(keys(7, 8)), "label", np.array([1, 0]))
    assert set(snapshot.sealed_in(pending.state())) - before == {"fraud/chunk/0/written/2000/2"}
    pending.add(np.zeros(500, np.int64), keys(*range(5_000, 5_500)), values(*range(5_000, 5_500)))
    grown = {"fraud/chunk/4000/rows/1500", "fraud/chunk/4000/written/1500/0"}
    assert set(snapshot.sealed_in(pending.state())) - before == {"fraud/chunk/0/written/2000/2", *grown}


def test_the_oldest_full_chunks_leave_memory() -> None:
    class Listing:
        def __init__(self) -> None:
            self.names: list[str] = []

        def place(self, name: str, columns: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            self.names.append(name)
            return {column: array.copy() for column, array in columns.items()}

        def drop(self, name: str) -> None:
            self.names.remove(name)

    arrays = Listing()
    pending = store(arrays, rows=16, in_memory=20)
    pending.add(np.repeat([5, 6, 7], 16), keys(*range(48)), values(*range(48)))
    assert arrays.names == ["fraud/chunk/0/rows", "fraud/chunk/0/written", "fraud/chunk/16/rows", "fraud/chunk/16/written"]
    pending.drop(5)
    assert arrays.names == ["fraud/chunk/16/rows", "fraud/chunk/16/written"]


def test_cohorts_that_come_and_go_leave_nothing_behind() -> None:
    pending = store()
    sizes = []
    for k in range(300):
        ids = range(k * 20, k * 20 + 20)
        pending.add(np.full(20, k), keys(*ids), values(*ids))
        if k >= 4:
            assert pending.drop(k - 4) == 20
        sizes.append(pending.nbytes_index)
    assert len(pending) == 80
    assert max(sizes) == max(sizes[:20])
    assert (pending.find(keys(*range(296 * 20))) == -1).all()


def test_a_handle_of_a_dropped_cohort_is_refused() -> None:
    pending = store()
    handles = pending.add(np.array([1]), keys(1), values(1))
    pending.drop(1)
    with pytest.raises(KeyError, match="dropped"):
        pending.write(handles, "label", np.array([1]))


def test_a_cohort_that_is_not_there_is_empty() -> None:
    assert {name: len(column) for name, column in store().cohort(3).items()} == dict.fromkeys(COLUMNS, 0)
    assert store().drop(3) == 0


def test_a_chunk_has_at_least_one_row() -> None:
    with pytest.raises(ValueError, match="rows: found 0, expected 1 to 65536"):
        store(rows=0)


def test_mutable_columns_are_columns() -> None:
    with pytest.raises(ValueError, match=r"mutable: found \['lable'\]"):
        Pending(COLUMNS, mutable=["lable"])
