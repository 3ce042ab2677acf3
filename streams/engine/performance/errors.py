"""Numbers foretold beside numbers that were: the metrics of a regression."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.events import FloatArray, Int64Array
from streams.engine.performance.exact import ExactSum, Moments
from streams.engine.performance.grid import Grid, floats_of, ordered_codes
from streams.engine.performance.intervals import mean_interval, ratio_interval
from streams.engine.performance.metric import Metric

__all__ = ["Errors"]

#: Levels τ of the quantile loss: how bad the numbers are as low and as high forecasts. At ½ it would be half the MAE.
_LEVELS = {"quantile_loss_10": 0.1, "quantile_loss_90": 0.9}
_BINS = 512
#: Beyond it numbers count as this large, so that no power of an error overflows.
_LARGEST = 1e75


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Sums over outcomes, of the error ŷ - y and of the truth y, from which the metrics follow.

    Parameters
    ----------
    n : int
        Rows.
    over, under : Moments
        Of max(ŷ - y, 0) and of max(y - ŷ, 0).
    fourths : ExactSum
        Of (ŷ - y)⁴.
    truth : Moments
        Of y.
    grid : Grid
        Where y lies, in 512 bins: for the median, which the constant model says. That model's MAE and quantile losses have an error of
        half the width of a bin at most, and no error while there are not more than 512 distinct numbers.
    """

    n: int
    over: Moments
    under: Moments
    fourths: ExactSum
    truth: Moments
    grid: Grid

    @classmethod
    def of(cls, actual: FloatArray, predicted: FloatArray) -> Errors:
        """Add up rows of finite numbers, (n,) each."""
        truth = np.clip(actual, -_LARGEST, _LARGEST)
        error = np.clip(predicted, -_LARGEST, _LARGEST) - truth
        over, under = Moments.of(error[error > 0]), Moments.of(-error[error < 0])
        grid = Grid.of(ordered_codes(truth), np.zeros(len(truth), np.int64), columns=1, top=0, limit=_BINS)
        return cls(len(truth), over, under, ExactSum.of((error * error) ** 2), Moments.of(truth), grid)

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.n + other.n,
            self.over + other.over,
            self.under + other.under,
            self.fourths + other.fourths,
            self.truth + other.truth,
            self.grid + other.grid,
        )

    def metrics(self) -> dict[str, Metric]:
        """Return what can be told of two rows or more."""
        return dict(self._metrics()) if self.n >= 2 else {}

    def _metrics(self) -> Iterator[tuple[str, Metric]]:
        n = self.n
        squares = self.over.squares + self.under.squares
        size, square = Moments(self.over.total + self.under.total, squares), Moments(squares, self.fourths)
        mae, mse, spread = size.mean(n), square.mean(n), self.truth.variance(n)
        bias = ExactSum(self.over.total.units - self.under.total.units).mean(n)
        values, rows = self._values()
        yield "mae", Metric(mae, *mean_interval(mae, size.variance(n), n, least=0.0), constant=2 * _best_loss(values, rows, 0.5))
        low, high = mean_interval(mse, square.variance(n), n, least=0.0)
        yield "rmse", Metric(math.sqrt(mse), math.sqrt(low), math.sqrt(high), constant=math.sqrt(spread))
        if spread > 0:
            fourth = float(rows / n @ (values - self.truth.mean(n)) ** 4)  # from the bins: only the interval needs it
            low, high = ratio_interval(mse, square.variance(n), spread, max(fourth - spread**2, 0.0), n)
            yield "r2", Metric(1 - mse / spread, 1 - high, 1 - low, constant=0.0)
        yield "bias", Metric(bias, *mean_interval(bias, mse - bias * bias, n), constant=0.0)
        for name, level in _LEVELS.items():
            loss = level * self.under.mean(n) + (1 - level) * self.over.mean(n)
            mean_square = level**2 * self.under.squares.mean(n) + (1 - level) ** 2 * self.over.squares.mean(n)
            yield name, Metric(loss, *mean_interval(loss, mean_square - loss * loss, n, least=0.0), _best_loss(values, rows, level))

    def _values(self) -> tuple[FloatArray, Int64Array]:
        """Return numbers in ascending order that stand for the truths, and how many rows each stands for."""
        first, last = self.grid.ends()
        return (floats_of(first) + floats_of(last)) / 2, self.grid.counts[:, 0]

    def state(self) -> dict[str, Any]:
        """Everything needed to go on: up to 6 kB, mostly the grid."""
        moments = {"over": self.over.state(), "under": self.under.state(), "truth": self.truth.state()}
        return {"n": self.n, "fourths": self.fourths.state(), "grid": self.grid.state()} | moments

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Errors:
        """Restore the sums."""
        over, under, truth = (Moments.from_state(state[name]) for name in ("over", "under", "truth"))
        grid = Grid.from_state(state["grid"], top=0, limit=_BINS)
        return cls(int(state["n"]), over, under, ExactSum.from_state(state["fourths"]), truth, grid)


def _best_loss(values: FloatArray, rows: Int64Array, level: float) -> float:
    """Mean quantile loss of the one number that makes it least: the quantile."""
    n = int(rows.sum())
    best = values[np.searchsorted(np.cumsum(rows), level * n)]
    off = values - best
    return float(rows @ np.where(off > 0, level * off, (level - 1) * off)) / n
