"""What became of the records that were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from streams.replay.source import Read, ReplaySource

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """Counts while reading, and what to tell the user about it.

    Parameters
    ----------
    records : int
        Records read, usable or not.
    dead_letters : Counter
        Records that can't be used, by reason.
    examples : dict
        The first of them for each reason: where it lies and what is wrong with it.
    notes : list of str
        What the user should know about the log.
    """

    records: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, read: Read, source: ReplaySource) -> None:
        """Count one step of reading."""
        self.records += read.records
        self.notes += read.notes
        for letter in read.dead_letters:
            self.dead_letters[letter.reason] += 1
            self.examples.setdefault(letter.reason, f"{source.place(letter)}: {letter.detail}")

    def remarks(self) -> Iterator[str]:
        """Yield what the user should be told, one line each."""
        yield from self.notes
        for reason, count in self.dead_letters.most_common():
            some = "record" if count == 1 else "records"
            yield f"{count} {some} can't be used ({reason}), the first at {self.examples[reason]}"
