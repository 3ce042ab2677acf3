"""The suite for banks notices what it is there to notice: each kind of broken bank fails the check that is named for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from detectors import BankState, DetectorBank, DetectorConfig, Finding, FloatArray, Reading
from detectors.page_hinkley import PageHinkley, PageHinkleyBank
from detectors.testing import CHECKS, STANDARD_NORMAL, Case, check_bank
from schemas.reference import Profile


class AsksWhereTheBatchEnds(PageHinkleyBank):
    def update(self, values: FloatArray) -> list[Finding]:
        found = super().update(values)
        return [replace(f, onset=min(f.onset, self._seen - values.shape[1])) for f in found]


class ForgetsWhenSaved(PageHinkleyBank):
    def state(self) -> BankState:
        state = super().state()
        return {**state, "arrays": {**state["arrays"], "total": np.zeros(self._rows)}}


class SavesWhatItGoesOnWith(PageHinkleyBank):
    def state(self) -> BankState:
        state = super().state()
        return {**state, "arrays": {**state["arrays"], "total": self._arrays.total}}


class FillsWithTheNeighbour(PageHinkleyBank):
    def update(self, values: FloatArray) -> list[Finding]:
        return super().update(np.where(np.isnan(values), np.roll(values, 1, axis=0), values))


class StaysAfterAReset(PageHinkleyBank):
    def reset(self, rows: Sequence[int]) -> None:
        pass


class ResetsAll(PageHinkleyBank):
    def reset(self, rows: Sequence[int]) -> None:
        super().reset(range(self._rows))


class ReadingStartsAgain(PageHinkleyBank):
    def reading(self, row: int) -> Reading:
        reading = super().reading(row)
        self.reset([row])
        return reading


class AlwaysAlarmed(PageHinkleyBank):
    def reading(self, row: int) -> Reading:
        return replace(super().reading(row), statistic=self._threshold + 1)


class WritesToItsInput(PageHinkleyBank):
    def update(self, values: FloatArray) -> list[Finding]:
        values *= 1.0
        return super().update(values)


class LooksAtTheNeighbours(PageHinkleyBank):
    def update(self, values: FloatArray) -> list[Finding]:
        return super().update(values - values.mean(axis=0) / 2)


class InAnyOrder(PageHinkleyBank):
    def update(self, values: FloatArray) -> list[Finding]:
        return super().update(values)[::-1]


class CountsFromTheBatch(PageHinkleyBank):
    def update(self, values: FloatArray) -> list[Finding]:
        start = self._seen
        return [replace(f, index=f.index - start, onset=max(0, f.onset - start)) for f in super().update(values)]


class BelowItsThreshold(PageHinkleyBank):
    def update(self, values: FloatArray) -> list[Finding]:
        return [replace(f, statistic=0.0) for f in super().update(values)]


class BackFromNowhere(PageHinkleyBank):
    def update(self, values: FloatArray) -> list[Finding]:
        return [replace(f, change="back") for f in super().update(values)]


class NotPlain(PageHinkleyBank):
    def update(self, values: FloatArray) -> list[Finding]:
        return [replace(f, index=np.int64(f.index)) for f in super().update(values)]  # type: ignore[arg-type]


class BreaksOnConstants(PageHinkleyBank):
    def update(self, values: FloatArray) -> list[Finding]:
        assert values.size == 0 or (np.ptp(values, axis=1) > 0).all() or values.shape[1] < 1000
        return super().update(values)


CAUGHT_BY = {
    AsksWhereTheBatchEnds: "cuts_do_not_matter",
    ForgetsWhenSaved: "a_restored_bank_goes_on",
    SavesWhatItGoesOnWith: "a_restored_bank_goes_on",
    FillsWithTheNeighbour: "missing_values_are_no_trouble",
    BreaksOnConstants: "constant_columns_are_no_trouble",
    StaysAfterAReset: "reset_forgets",
    ResetsAll: "reset_forgets",
    ReadingStartsAgain: "readings_agree",
    AlwaysAlarmed: "readings_agree",
    WritesToItsInput: "inputs_are_left_alone",
    LooksAtTheNeighbours: "rows_are_strangers",
    InAnyOrder: "findings_are_well_formed",
    CountsFromTheBatch: "findings_are_well_formed",
    BelowItsThreshold: "findings_are_well_formed",
    BackFromNowhere: "findings_are_well_formed",
    NotPlain: "findings_are_well_formed",
}


class Broken(DetectorConfig):
    """Makes a bank of the class under test; not registered."""

    kind: ClassVar[str] = "broken"
    bank: type[PageHinkleyBank]

    def build(self, profiles: Sequence[Profile], *, arl0: float, state: BankState | None = None) -> DetectorBank:
        return self.bank(PageHinkley(delta=0.1), 6.0, np.zeros(len(profiles)), state)


def steps() -> FloatArray:
    values = np.random.default_rng(5).normal(size=(3, 1200))
    values[0, 200:500] += 3.0
    values[1, 100:1100] += 1.5
    values[2, 600:] -= 2.0
    return values


@pytest.mark.parametrize("bank", CAUGHT_BY, ids=lambda bank: bank.__name__)
def test_a_broken_bank_fails_the_check_that_is_named_for_it(bank: type[PageHinkleyBank]) -> None:
    check = next(check for check in CHECKS if check.__name__ == CAUGHT_BY[bank])
    with pytest.raises((AssertionError, ValueError)):
        check(Case(Broken(bank=bank), [STANDARD_NORMAL] * 3, steps()))


def test_every_check_has_a_bank_that_fails_it() -> None:
    assert set(CAUGHT_BY.values()) == {check.__name__ for check in CHECKS}


def test_a_sound_bank_passes() -> None:
    check_bank(Broken(bank=PageHinkleyBank), [STANDARD_NORMAL] * 3, steps())
