"""What a backtest reads from: the door through which files and Kafka look alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from schemas.dead_letters import DeadLetter
from schemas.events import Message
from streams.replay.arrival import Arrivals

__all__ = ["Read", "ReplaySource"]


@dataclass(frozen=True, slots=True)
class Read:
    """What one step of reading gave.

    Parameters
    ----------
    messages : tuple of Message
        For the engine, in order.
    dead_letters : tuple of DeadLetter
        Records that can't be used.
    records : int
        Records read in this step, usable or not.
    done : int
        How far reading has come, out of `ReplaySource.size`.
    notes : tuple of str
        What the user should know about the log, such as offsets that retention has deleted.
    """

    messages: tuple[Message, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    records: int = 0
    done: int = 0
    notes: tuple[str, ...] = ()


class ReplaySource(Protocol):
    """A range of recorded history."""

    #: Total of `Read.done`, in whatever unit the source counts (bytes of files, records of topics).
    size: int
    #: When the records arrived, as far as it is known.
    arrivals: Arrivals

    def read(self) -> Iterator[Read]:
        """Yield announcements first, then blocks, and for each source at its end an `End`."""
        ...

    def place(self, letter: DeadLetter) -> str:
        """Say where a record lies, as the user would look it up: ``file:line`` or ``topic/partition/offset``."""
        ...
