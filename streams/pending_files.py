"""Pending predictions in files instead of memory: what the join's `Arrays` asks for, on a disk."""

from __future__ import annotations

import mmap
import resource
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.config import Config
from schemas.errors import DataError

__all__ = ["PendingFiles", "pending_files"]

_ALIGNMENT = 64


class PendingFiles:
    """Keeps arrays in memory-mapped files of a directory.

    The files have no names: the system takes them back when the arrays are gone or the process ends, however it ends, so
    there are no leftovers, and several workers may share a directory. Every file takes a file descriptor, so the process is
    allowed as many as its hard limit says.

    Parameters
    ----------
    directory : Path
        On a disk, not in memory (tmpfs); made if it is not there.

    Raises
    ------
    DataError
        The directory can't be made.
    """

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"pending_directory: {directory}: {error.strerror}; expected a directory that can be written to") from None
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._directory = directory
        self._sizes: dict[str, int] = {}

    @property
    def nbytes(self) -> int:
        """How much of the disk is in use, in bytes."""
        return sum(self._sizes.values())

    def place(self, name: str, columns: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return arrays of the same content that lie in a file.

        Raises
        ------
        DataError
            The disk is full, or no more files can be opened.
        """
        places: dict[str, int] = {}
        try:
            with tempfile.TemporaryFile(dir=self._directory) as file:
                for column, array in columns.items():
                    file.write(bytes(-file.tell() % _ALIGNMENT))
                    places[column] = file.tell()
                    file.write(np.ascontiguousarray(array).data)  # every byte: a hole would be found only when the disk is full
                size = file.tell()
                if size:
                    file.flush()
                    mapped: Any = mmap.mmap(file.fileno(), size)
                else:
                    mapped = b""
        except OSError as error:
            raise DataError(f"pending_directory: {self._directory}: {error.strerror}; expected room for {name}") from None
        self._sizes[name] = size
        return {
            column: np.frombuffer(mapped, array.dtype, array.size, places[column]).reshape(array.shape) for column, array in columns.items()
        }

    def drop(self, name: str) -> None:
        """Forget what was placed under a name; its room is free when the last of its arrays is gone."""
        del self._sizes[name]


def pending_files(config: Config) -> PendingFiles | None:
    """Where an engine keeps predictions that wait for their labels, by its configuration; None for memory. Each engine needs its own."""
    directory = config.engine.pending_directory
    return None if directory is None else PendingFiles(Path(directory))
