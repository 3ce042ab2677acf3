"""What a prediction that waits for its labels costs: in our store, and in stores that one might take instead.

Every store runs in a process of its own. An entry has the columns that the join keeps of a binary model with one horizon, two ages,
one segment and revisions. A join is what a label does: find its prediction, read its times and marks, write its marks.
"""

from __future__ import annotations

import gc
import multiprocessing
import sqlite3
import struct
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.snapshot import pack, pack_part, sealed_in, unpack
from streams.engine.join.batches import Predictions
from streams.engine.join.entries import Entries
from streams.engine.join.pending import Pending
from streams.engine.join.rules import JoinRules
from streams.pending_files import PendingFiles
from tests.bench.process import anonymous_megabytes

COHORTS = 35
BATCH = 10_000
IN_MEMORY = 2_000_000
DROPPED = 5  # cohorts, at the end

ENTRIES = Entries(JoinRules("binary", horizons=(3_600_000,), ages=(450_000, 1_800_000), sources=False), segments=1)
READ = ("time", "arrival", *ENTRIES.mutable)
#: An entry as the stores that know nothing of columns keep it.
PACKED = struct.Struct("<" + "".join(np.dtype(dtype).char for dtype in ENTRIES.columns.values()))
LABELS = list(ENTRIES.columns).index("labels")

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Cost:
    """Of one store: operations a second, bytes an entry, and seconds (None: it has no such thing)."""

    store: str
    entries: int
    inserts: float
    joins: float
    misses: float
    expiry: float
    memory: float
    disk: float
    restore_s: float | None


class Store(Protocol):
    """What is measured."""

    def insert(self, cohort: int, keys: NDArray[np.uint64], columns: Columns) -> None:
        """Add entries."""

    def join(self, keys: NDArray[np.uint64]) -> int:
        """Count one more label of every entry that is there, and say how many are."""

    def expire(self, cohort: int) -> int:
        """Read a cohort's entries, forget them, and say how many there were."""

    def disk(self) -> int:
        """Bytes on the disk."""

    def restore_s(self) -> float | None:
        """Seconds that it takes to come back from what a checkpoint has of it."""


class Chunks:
    """Ours."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._files = PendingFiles(directory) if directory else None
        self._pending = self._make(None, self._files)

    def _make(self, state: Any, files: PendingFiles | None) -> Pending:
        return Pending(ENTRIES.columns, mutable=ENTRIES.mutable, arrays=files, in_memory=IN_MEMORY, state=state)

    def insert(self, cohort: int, keys: NDArray[np.uint64], columns: Columns) -> None:
        self._pending.add(np.full(len(keys), cohort), keys, columns)

    def join(self, keys: NDArray[np.uint64]) -> int:
        handles = self._pending.find(keys)
        places = self._pending.at(handles[handles >= 0])
        marks = {name: places.read(name) for name in READ}
        marks["labels"] += 1
        for name in ENTRIES.mutable:
            places.write(name, marks[name])
        return len(marks["labels"])

    def expire(self, cohort: int) -> int:
        self._pending.cohort(cohort)
        return self._pending.drop(cohort)

    def disk(self) -> int:
        return self._files.nbytes if self._files else 0

    def restore_s(self) -> float:
        state = self._pending.state()
        parts = {name: pack_part(leaf) for name, leaf in sealed_in(state).items()}
        main = pack(state, header={}, without=parts)
        entries = len(self._pending)
        del state, self._pending
        files = PendingFiles(self._directory) if self._directory else None
        begun = perf_counter()
        self._pending = self._make(unpack(main, parts=parts.__getitem__)[1], files)
        seconds = perf_counter() - begun
        assert len(self._pending) == entries
        return seconds


def _rows(keys: NDArray[np.uint64]) -> list[bytes]:
    packed = keys.tobytes()
    return [packed[at : at + 16] for at in range(0, len(packed), 16)]


def _packed(columns: Columns) -> Iterator[bytes]:
    return map(PACKED.pack, *(columns[name].tolist() for name in ENTRIES.columns))


def _labelled(entry: bytes) -> bytes:
    fields = list(PACKED.unpack(entry))
    fields[LABELS] += 1
    return PACKED.pack(*fields)


class Dict:
    """A dict of packed bytes, and the ids of each cohort."""

    def __init__(self) -> None:
        self._entries: dict[bytes, bytes] = {}
        self._ids: dict[int, bytearray] = {}

    def insert(self, cohort: int, keys: NDArray[np.uint64], columns: Columns) -> None:
        self._entries.update(zip(_rows(keys), _packed(columns), strict=True))
        self._ids.setdefault(cohort, bytearray()).extend(keys.tobytes())

    def join(self, keys: NDArray[np.uint64]) -> int:
        found = 0
        for key in _rows(keys):
            entry = self._entries.get(key)
            if entry is not None:
                self._entries[key] = _labelled(entry)
                found += 1
        return found

    def expire(self, cohort: int) -> int:
        ids = bytes(self._ids.pop(cohort, b""))
        return len([PACKED.unpack(self._entries.pop(ids[at : at + 16])) for at in range(0, len(ids), 16)])

    def disk(self) -> int:
        return 0

    def restore_s(self) -> None:
        return None


class Sqlite:
    """SQLite with a write-ahead log: a table by id, and the ids of each batch of a cohort."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "pending.db"
        self._db = sqlite3.connect(self._path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-262144", "wal_autocheckpoint=20000"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("CREATE TABLE entry(id BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        self._db.execute("CREATE TABLE batch(cohort INT, ids BLOB)")

    def insert(self, cohort: int, keys: NDArray[np.uint64], columns: Columns) -> None:
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO entry VALUES(?, ?)", sorted(zip(_rows(keys), _packed(columns), strict=True)))
        self._db.execute("INSERT INTO batch VALUES(?, ?)", (cohort, keys.tobytes()))
        self._db.execute("COMMIT")

    def _find(self, keys: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = []
        for at in range(0, len(keys), 500):
            some = keys[at : at + 500]
            found += self._db.execute(f"SELECT id, value FROM entry WHERE id IN ({','.join('?' * len(some))})", some).fetchall()
        return found

    def join(self, keys: NDArray[np.uint64]) -> int:
        self._db.execute("BEGIN")
        found = self._find(_rows(keys))
        self._db.executemany("UPDATE entry SET value = ? WHERE id = ?", [(_labelled(value), key) for key, value in found])
        self._db.execute("COMMIT")
        return len(found)

    def expire(self, cohort: int) -> int:
        self._db.execute("BEGIN")
        entries = 0
        for (ids,) in self._db.execute("SELECT ids FROM batch WHERE cohort = ?", (cohort,)).fetchall():
            keys = [ids[at : at + 16] for at in range(0, len(ids), 16)]
            entries += len([PACKED.unpack(value) for _, value in self._find(keys)])
            self._db.executemany("DELETE FROM entry WHERE id = ?", [(key,) for key in keys])
        self._db.execute("DELETE FROM batch WHERE cohort = ?", (cohort,))
        self._db.execute("COMMIT")
        return entries

    def disk(self) -> int:
        return sum(path.stat().st_size for path in self._path.parent.iterdir())

    def restore_s(self) -> None:
        return None


STORES = ("chunks, files", "chunks, memory", "dict of bytes", "SQLite (WAL)")


def measure(*, entries: int, sqlite_entries: int) -> list[Cost]:
    """Measure every store, each in a process of its own."""
    costs = []
    for store in STORES:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            costs.append(process.submit(_measure, store, sqlite_entries if store.startswith("SQLite") else entries).result())
    return costs


def _measure(name: str, entries: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="driftsonde-bench-") as directory:
        rng = np.random.default_rng(7)
        keys = rng.integers(0, 2**64, (entries, 2), np.uint64)
        asked = rng.permutation(entries)[: min(entries // 4, 1_000_000)]
        absent = rng.integers(0, 2**64, (len(asked) // 2, 2), np.uint64)
        gc.collect()
        before = anonymous_megabytes()
        store = _store(name, Path(directory))
        inserting = sum(_insert(store, keys, at) for at in range(0, entries, BATCH))
        gc.collect()
        memory, disk = (anonymous_megabytes() - before) * 1e6, store.disk()
        joining, found = _join(store, keys[asked])
        missing, strangers = _join(store, absent)
        assert found == len(asked)
        assert strangers == 0
        begun = perf_counter()
        expired = sum(store.expire(cohort) for cohort in range(DROPPED))
        expiring = perf_counter() - begun
        restore_s = store.restore_s()
    return Cost(
        store=name,
        entries=entries,
        inserts=entries / inserting,
        joins=len(asked) / joining,
        misses=len(absent) / missing,
        expiry=expired / expiring,
        memory=memory / entries,
        disk=disk / entries,
        restore_s=restore_s,
    )


def _store(name: str, directory: Path) -> Store:
    match name:
        case "chunks, files":
            return Chunks(directory)
        case "chunks, memory":
            return Chunks(None)
        case "dict of bytes":
            return Dict()
    return Sqlite(directory)


def _insert(store: Store, keys: NDArray[np.uint64], at: int) -> float:
    n = len(keys[at : at + BATCH])
    rng = np.random.default_rng(at)
    times = at + np.arange(n)
    given = Predictions(
        keys=keys[at : at + n],
        times=times,
        clocks=times + 5,
        predicted=rng.integers(0, 2, n).astype(float),
        scores=rng.random(n),
        versions=np.zeros(n, np.int32),
        segments=np.ones((1, n), np.int32),
    )
    columns = ENTRIES.fresh(given, np.arange(n))
    begun = perf_counter()
    store.insert(at * COHORTS // len(keys), keys[at : at + n], columns)
    return perf_counter() - begun


def _join(store: Store, keys: NDArray[np.uint64]) -> tuple[float, int]:
    seconds, found = 0.0, 0
    for at in range(0, len(keys), BATCH):
        begun = perf_counter()
        found += store.join(keys[at : at + BATCH])
        seconds += perf_counter() - begun
    return seconds, found
