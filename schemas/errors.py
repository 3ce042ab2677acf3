"""Every error driftsonde raises on purpose; the name says whose fault it was.

::

    DriftsondeError
    ├── ConfigError      the configuration's: a list of problems, each with file:line:column      exit 4
    ├── DataError        the data's: a reference, an input file, a row that can't be used         exit 4
    │   └── FormatError  bytes of ours that are damaged, or were written by a newer version
    ├── BrokerError      the broker's, or what lies between it and us                             exit 5
    └── InvariantError   ours: please report it                                                  exit 1

Bad *records* are not exceptions: they become dead letters (`schemas.dead_letters`) and the stream goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["BrokerError", "ConfigError", "DataError", "DriftsondeError", "FormatError", "InvariantError", "Problem"]


class DriftsondeError(Exception):
    """Base of every error raised on purpose."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a configuration: where it is, what was found, what was expected.

    Parameters
    ----------
    where : str
        ``file:line:column``, or the file alone when the place is not known.
    path : str
        Dotted path of the key, such as ``models[0].sources.features.topic``.
    message : str
        What was found and what was expected, with a did-you-mean where there is one.
    excerpt : str
        The source line with a caret under the place; empty when not known.
    """

    where: str
    path: str
    message: str
    excerpt: str = ""

    def __str__(self) -> str:
        head = f"{self.where}: {self.path}: {self.message}" if self.path else f"{self.where}: {self.message}"
        return f"{head}\n{self.excerpt}" if self.excerpt else head


class ConfigError(DriftsondeError):
    """The configuration can't be used; all its problems at once.

    Examples
    --------
    >>> print(ConfigError([Problem("driftsonde.yaml:3:5", "kafka.bootstrap", "unknown key, did you mean 'bootstrap_servers'?")]))
    driftsonde.yaml:3:5: kafka.bootstrap: unknown key, did you mean 'bootstrap_servers'?
    """

    exit_code = 4

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class DataError(DriftsondeError):
    """Data handed to a command can't be used: the message says what was found, what was expected and where."""

    exit_code = 4


class FormatError(DataError):
    """Bytes that driftsonde wrote (a block, a snapshot) are damaged or come from a newer version."""


class BrokerError(DriftsondeError):
    """A broker can't be reached, or does not allow what we need; one readable line per cause."""

    exit_code = 5


class InvariantError(DriftsondeError):
    """Something that cannot happen has happened: a defect of driftsonde."""
