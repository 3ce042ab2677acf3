"""What a detector is: start here.

A **bank** watches many streams at once, one per row, all in step: ``update`` takes a matrix of values (rows × n) and returns
**findings**. One numpy call serves all features of a model.

The contract, which `detectors.testing` checks for every bank:

1. findings depend only on the sequence of values, never on how it was cut into batches;
2. no clock, randomness, I/O or global state;
3. a bank built with ``state=bank.state()`` behaves as `bank` would have;
4. a value is a finite float or NaN, and NaN means *missing*: banks that count (PSI, e-SR) count it, banks that average skip it;
5. O(1) amortised time and bounded memory per value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from schemas.reference import Profile

__all__ = ["BankState", "DetectorBank", "DetectorConfig", "Finding", "FloatArray", "Reading", "available", "parse", "register"]

FloatArray: TypeAlias = NDArray[np.float64]
#: Nested dict whose leaves are JSON values or numpy arrays: what `schemas.snapshot` can write.
BankState: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something a bank has decided about one of its streams.

    Parameters
    ----------
    index : int
        Index of the value at which it was decided, counted from the stream's start.
    row : int
        Row of the bank.
    change : {"change", "back"}
        ``change``: the stream has left the reference, or has changed again while away from it; ``back``: it is like the reference again.
    statistic, threshold : float
        The deciding statistic and what it was compared with, at `index`.
    onset : int
        Index of the first value believed to follow the new law. <= index.
    cause : str
        What moved, in a few words: ``mean up``, ``spread down``, ``missing values``, ``shape``, ``unseen values``.
    """

    index: int
    row: int
    change: Literal["change", "back"]
    statistic: float
    threshold: float
    onset: int
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """Where one stream stands now: statistic, threshold, how many values it looked at."""

    statistic: float
    threshold: float
    n: int

    @property
    def breached(self) -> bool:
        """Whether the statistic is above its threshold."""
        return self.statistic > self.threshold


class DetectorBank(Protocol):
    """Many streams under one detector; see the contract at the top of this file."""

    kind: ClassVar[str]
    #: What `update` wants: the values themselves, or scaled by the reference (`detectors.scaling`).
    inputs: ClassVar[Literal["values", "scaled"]]

    def update(self, values: FloatArray) -> list[Finding]:
        """Take the next n values of every stream, shape (rows, n), oldest first; return findings sorted by (index, row)."""
        ...

    def reading(self, row: int) -> Reading:
        """Return where stream `row` stands after the last value."""
        ...

    def reset(self, rows: Sequence[int]) -> None:
        """Forget everything about these streams but their count of values."""
        ...

    def state(self) -> BankState:
        """Return everything needed to go on; arrays are copies."""
        ...


class DetectorConfig(BaseModel):
    """Parameters of a detector as a user writes them; `build` makes the bank. Describes, does not run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]
    #: One line for ``driftsonde detectors``: what it catches.
    catches: ClassVar[str]
    #: Measured cost in ns per value, and the paper.
    cost_ns: ClassVar[int]
    paper: ClassVar[str]

    def build(self, profiles: Sequence[Profile], *, arl0: float, state: BankState | None = None) -> DetectorBank:
        """Make a bank with one row per profile.

        Parameters
        ----------
        profiles : sequence of Profile
            Reference of each stream.
        arl0 : float
            Wanted mean number of values between false alarms, per stream; explicit thresholds win over it. > 0.
        state : mapping, optional
            What `DetectorBank.state` returned; the new bank goes on from there.
        """
        raise NotImplementedError


_KINDS: dict[str, type[DetectorConfig]] = {}


def register(config: type[DetectorConfig]) -> type[DetectorConfig]:
    """Class decorator: make a detector known by its kind."""
    _KINDS[config.kind] = config
    return config


def available() -> Mapping[str, type[DetectorConfig]]:
    """Detectors by kind, in alphabetical order."""
    return dict(sorted(_KINDS.items()))


def parse(spec: str | Mapping[str, Any]) -> DetectorConfig:
    """Make a configuration of what the user wrote: a kind, or a mapping with ``kind`` and parameters.

    Raises
    ------
    KeyError
        No detector of that kind.
    pydantic.ValidationError
        A parameter is unknown or out of range.
    """
    given = {"kind": spec} if isinstance(spec, str) else dict(spec)
    return _KINDS[given.pop("kind")].model_validate(given)
