from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import DataError
from streams.pending_files import PendingFiles

COLUMNS = {
    "entry": np.array([(1, 0.5), (2, 0.25)], np.dtype([("time", "<i8"), ("score", "<f4")], align=True)),
    "label": np.array([3, -1, 2], np.int16),
    "none": np.empty(0, np.float64),
}


def test_arrays_in_files_are_the_same_and_can_be_written_to(tmp_path: Path) -> None:
    placed = PendingFiles(tmp_path).place("fraud/chunk/0", COLUMNS)
    np.testing.assert_equal(placed, COLUMNS)
    placed["label"][1] = 7
    placed["entry"]["time"][0] = 9
    assert placed["label"].tolist() == [3, 7, 2]
    assert COLUMNS["label"].tolist() == [3, -1, 2]
    assert all(array.flags.aligned for array in placed.values())


def test_arrays_stay_readable_after_a_drop_and_a_place_under_the_same_name(tmp_path: Path) -> None:
    files = PendingFiles(tmp_path)
    first = files.place("a", COLUMNS)
    second = files.place("a", {"label": np.zeros(3, np.int16)})
    second["label"][:] = 5
    files.drop("a")
    np.testing.assert_equal(first, COLUMNS)
    assert second["label"].tolist() == [5, 5, 5]


def test_it_says_how_much_of_the_disk_it_takes(tmp_path: Path) -> None:
    files = PendingFiles(tmp_path)
    files.place("a", {"x": np.zeros(1_000)})
    files.place("b", {"x": np.zeros(500)})
    assert files.nbytes == 12_000
    files.drop("a")
    assert files.nbytes == 4_000


def test_only_arrays_of_nothing_need_no_file(tmp_path: Path) -> None:
    assert PendingFiles(tmp_path).place("a", {"x": np.empty(0)})["x"].shape == (0,)


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    files, before = PendingFiles(tmp_path), open_files()
    placed = [files.place(str(i), COLUMNS) for i in range(20)]
    assert open_files() == before + 20
    del placed
    assert open_files() == before


def test_there_may_be_more_files_than_the_soft_limit(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        files = PendingFiles(tmp_path)
        assert len([files.place(str(i), COLUMNS) for i in range(300)]) == 300
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_that_was_killed_leaves_nothing(tmp_path: Path) -> None:
    program = """
import os, signal, sys, numpy as np
from pathlib import Path
from streams.pending_files import PendingFiles
placed = PendingFiles(Path(sys.argv[1])).place("a", {"x": np.ones(100_000)})
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    files = PendingFiles(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))
    try:
        with pytest.raises(DataError, match=r"pending_directory: .*: File too large; expected room for a"):
            files.place("a", {"x": np.ones(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"pending_directory: .*inside: Not a directory; expected"):
        PendingFiles(tmp_path / "file" / "inside")
