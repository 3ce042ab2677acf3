"""Sums of floating-point numbers without rounding: the same whatever the order, and however the rows were cut into parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from schemas.events import FloatArray

__all__ = ["ExactSum", "Moments"]

#: Every finite float64 is a whole multiple of 2 ** -_UNIT, and so are the two parts of its mantissa.
_UNIT = 1126
_HIGH, _LOW = 27, 26  # bits of the mantissa's parts
#: So many integers of 27 bits add up exactly in a float64.
_ROWS = 1 << (53 - _HIGH)
_SPLIT = float((1 << _HIGH) + 1)  # times it, less the rest: the upper half of a mantissa


@dataclass(frozen=True, slots=True)
class ExactSum:
    """A sum of float64 as one long integer, in units of 2^-1126.

    Mantissas are added per exponent, in integers that floats hold exactly, and then shifted into place; a superaccumulator as in
    Kulisch, Miranker (1986), The arithmetic of the digital computer, SIAM Review 28. Only reading the sum rounds, once.

    Examples
    --------
    >>> values = np.array([1e100, 1.0, -1e100, 0.1])
    >>> float(values.sum()), ExactSum.of(values).mean(1)
    (0.1, 1.1)
    >>> ExactSum.of(values[:2]) + ExactSum.of(values[2:]) == ExactSum.of(values)
    True
    """

    units: int = 0

    @classmethod
    def of(cls, values: FloatArray) -> ExactSum:
        """Add up finite values, (n,)."""
        return cls(sum(_units(values[at : at + _ROWS]) for at in range(0, len(values), _ROWS)))

    def __add__(self, other: ExactSum) -> ExactSum:
        return ExactSum(self.units + other.units)

    def mean(self, n: int) -> float:
        """Return the sum over `n`, correctly rounded."""
        return self.units / (n << _UNIT)

    def state(self) -> list[int]:
        """Return the sum as [mantissa, exponent]."""
        zeros = max((self.units & -self.units).bit_length() - 1, 0)
        return [self.units >> zeros, zeros]

    @classmethod
    def from_state(cls, state: Sequence[int]) -> ExactSum:
        """Restore a sum."""
        mantissa, exponent = state
        return cls(mantissa << exponent)


@dataclass(frozen=True, slots=True)
class Moments:
    """Sum and sum of squares of the same rows: their mean, and their variance without cancellation at any offset."""

    total: ExactSum
    squares: ExactSum

    @classmethod
    def of(cls, values: FloatArray) -> Moments:
        """Add up values below 1e150, (n,). Squares are not rounded either (Dekker 1971), but for parts below the smallest float."""
        scaled = values * _SPLIT
        high = scaled - (scaled - values)
        low = values - high
        square = values * values
        rest = ((high * high - square) + 2 * high * low) + low * low
        return cls(ExactSum.of(values), ExactSum.of(square) + ExactSum.of(rest))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.total + other.total, self.squares + other.squares)

    def mean(self, n: int) -> float:
        """Return the mean of the `n` rows, correctly rounded."""
        return self.total.mean(n)

    def variance(self, n: int) -> float:
        """Return the variance (divisor n) of the `n` rows, correctly rounded."""
        return max((n * self.squares.units << _UNIT) - self.total.units**2, 0) / (n * n << 2 * _UNIT)

    def state(self) -> list[list[int]]:
        """Return both sums."""
        return [self.total.state(), self.squares.state()]

    @classmethod
    def from_state(cls, state: Sequence[Sequence[int]]) -> Moments:
        """Restore both sums."""
        total, squares = state
        return cls(ExactSum.from_state(total), ExactSum.from_state(squares))


def _units(values: FloatArray) -> int:
    mantissas, exponents = np.frexp(values)
    scaled = mantissas * float(1 << _HIGH)
    high = np.trunc(scaled)
    low = (scaled - high) * float(1 << _LOW)
    least = int(exponents.min())
    at = exponents - least
    total = 0
    highs, lows = np.bincount(at, high).tolist(), np.bincount(at, low).tolist()
    for exponent, (upper, lower) in enumerate(zip(highs, lows, strict=True), least + _UNIT - _HIGH - _LOW):
        if upper or lower:
            total += ((int(upper) << _LOW) + int(lower)) << exponent
    return total
