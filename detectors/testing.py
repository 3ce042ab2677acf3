"""The suite that every bank of detectors must pass, and what tests of detectors need.

A detector is right when it decides right; it is *usable* when what it decides is a function of the values alone. That is what is checked
here, for any detector, by its behaviour: values go in, findings and readings come out, and the same must come out however the values
were cut, wherever the bank was saved and restored, and whatever its neighbours saw. A plugin's own tests call `check_bank`; the
repository's run `CHECKS` for every detector that is registered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from detectors.base import BankState, DetectorBank, DetectorConfig, Finding, FloatArray, Reading
from detectors.scaling import Scaler
from schemas.reference import NumericProfile, Profile
from schemas.snapshot import pack, unpack

__all__ = ["CHECKS", "STANDARD_NORMAL", "Case", "check_bank"]

#: Reference of a standard normal column: scaled by it a value stays as it is.
STANDARD_NORMAL = NumericProfile(
    n=10_000,
    missing=0,
    counts=(1587, 3413, 3413, 1587),
    edges=(-1.0, 0.0, 1.0),
    mean=0.0,
    sd=1.0,
    median=0.0,
    spread=1.0,
    minimum=-4.0,
    maximum=4.0,
)

_CUTS = 3  # ways to cut a stream, and places to save it, that are tried


@dataclass(frozen=True)
class Case:
    """A detector and streams for it.

    Parameters
    ----------
    config : DetectorConfig
        The detector.
    profiles : sequence of Profile
        Reference of each stream; two or more.
    values : array (rows, n)
        The streams, not scaled. Something should change in them, or little is proved.
    arl0 : float
        Wanted mean number of values between false alarms.
    """

    config: DetectorConfig
    profiles: Sequence[Profile]
    values: FloatArray
    arl0: float = 10_000.0

    def bank(self, state: BankState | None = None) -> DetectorBank:
        """Make the bank."""
        return self.config.build(self.profiles, arl0=self.arl0, state=state)

    def inputs(self) -> FloatArray:
        """What the bank is fed with: the values, scaled if it wants that."""
        return Scaler(self.profiles).apply(self.values) if self.bank().inputs == "scaled" else self.values

    def only(self, rows: Sequence[int]) -> Case:
        """The same with some of the streams."""
        return replace(self, profiles=[self.profiles[row] for row in rows], values=self.values[list(rows)])


def check_bank(config: DetectorConfig, profiles: Sequence[Profile], values: FloatArray, *, arl0: float = 10_000.0) -> None:
    """Raise AssertionError unless the detector keeps the contract at the top of `detectors.base`; see `Case` for the parameters.

    Examples
    --------
    >>> from detectors.page_hinkley import PageHinkley
    >>> step = np.repeat([[0.0, 2.0], [0.5, 0.0]], 200, axis=1)
    >>> check_bank(PageHinkley(), [STANDARD_NORMAL, STANDARD_NORMAL], step)
    """
    for check in CHECKS:
        check(Case(config, profiles, values, arl0))


def findings_are_well_formed(case: Case) -> None:
    """Sorted; of this update; onset <= index; a change is louder than its threshold; back comes once, after a change."""
    bank, inputs = case.bank(), case.inputs()
    away = [False] * len(inputs)
    for start, stop in _cuts(inputs.shape[1], seed=0):
        found = bank.update(inputs[:, start:stop])
        assert found == sorted(found, key=lambda f: (f.index, f.row)), f"not in the order of (index, row): {found}"
        for finding in found:
            assert start <= finding.index < stop, f"{finding} was found among the values {start} to {stop - 1}"
            assert 0 <= finding.onset <= finding.index, f"{finding} has an onset outside of 0 to its index"
            assert 0 <= finding.row < len(inputs), f"{finding} is of a row that does not exist"
            assert finding.change == "back" or finding.statistic > finding.threshold, f"{finding} is not above its threshold"
            assert finding.change == "change" or away[finding.row], f"{finding} came back without having changed"
            away[finding.row] = finding.change == "change"
            plain = [type(getattr(finding, name)) for name in ("index", "row", "statistic", "threshold", "onset")]
            assert plain == [int, int, float, float, int], f"{finding} holds {plain}, which JSON can't"


def cuts_do_not_matter(case: Case) -> None:
    """The same values in batches of any size, empty ones too, give the same findings and readings."""
    whole = _run(case.bank(), case.inputs())
    for seed in range(_CUTS):
        _assert_same(_run(case.bank(), case.inputs(), seed=seed), whole, f"cut at random (seed {seed})")


def a_restored_bank_goes_on(case: Case) -> None:
    """A bank made of a snapshot's bytes behaves as the one it was taken of, which can go on too."""
    inputs = case.inputs()
    for at in _places(inputs.shape[1]):
        bank = case.bank()
        bank.update(inputs[:, :at])
        state = bank.state()
        saved = pack(dict(state), header={})
        rest = _run(bank, inputs[:, at:])
        _assert_same(_run(case.bank(unpack(saved)[1]), inputs[:, at:], seed=1), rest, f"restored after {at} values")
        _assert_same(_run(case.bank(state), inputs[:, at:]), rest, f"restored after {at} values, the original having gone on")


def missing_values_are_no_trouble(case: Case) -> None:
    """Values missing here and there, for long, and altogether: the same whatever the cuts, and no other row notices."""
    values = case.values.copy()
    rng = np.random.default_rng(0)
    values[0, rng.random(values.shape[1]) < 0.2] = np.nan
    values[0, values.shape[1] // 3 : values.shape[1] // 2] = np.nan
    values[-1] = np.nan
    gaps = replace(case, values=values)
    findings_are_well_formed(gaps)
    cuts_do_not_matter(gaps)
    a_restored_bank_goes_on(gaps)
    rows_are_strangers(gaps)


def constant_columns_are_no_trouble(case: Case) -> None:
    """A stream that never moves, and one that does so once."""
    values = case.values.copy()
    values[0] = values[0, 0] if np.isfinite(values[0, 0]) else 0.0
    values[-1] = values[0, 0]
    values[-1, values.shape[1] // 2 :] += 1.0
    still = replace(case, profiles=[case.profiles[0]] * len(values), values=values)
    findings_are_well_formed(still)
    cuts_do_not_matter(still)


def reset_forgets(case: Case) -> None:
    """After a reset nothing of the past is left but its length; the other rows go on as if nothing had happened."""
    inputs = case.inputs()
    for at in _places(inputs.shape[1]):
        past, rest = inputs[:, :at], inputs[:, at:]
        kept, one, other = case.bank(), case.bank(), case.bank()
        kept.update(past)
        one.update(past)
        other.update(past[:, ::-1])
        one.reset([0])
        other.reset(range(len(inputs)))
        expected = _run(kept, rest)
        after_one, after_other = _run(one, rest), _run(other, rest)
        _assert_same(after_one.of(0), after_other.of(0), f"reset after {at} values of one past, and of another")
        for row in range(1, len(inputs)):
            _assert_same(after_one.of(row), expected.of(row), f"row {row}, with row 0 reset after {at} values")


def readings_agree(case: Case) -> None:
    """Readings are finite, change nothing, and at a change show the breach or a fresh start."""
    bank, inputs = case.bank(), case.inputs()
    fresh = _readings(bank, len(inputs))
    assert not any(reading.breached for reading in fresh), f"breached before the first value: {fresh}"
    for finding in _run(case.bank(), inputs).findings[:_CUTS]:
        at = case.bank()
        at.update(inputs[:, : finding.index + 1])
        for reading in _readings(at, len(inputs)):
            assert np.isfinite([reading.statistic, reading.threshold]).all(), f"{reading} is not finite"
            assert reading.threshold > 0, f"{reading} can't be compared"
            assert reading.n >= 0, f"{reading} looked at fewer than no values"
        reading = at.reading(finding.row)
        told = reading.breached or reading.n <= finding.index - finding.onset
        assert finding.change == "back" or told, f"{reading} knows nothing of {finding}"
        rest = inputs[:, finding.index + 1 :]
        unread = case.bank()
        unread.update(inputs[:, : finding.index + 1])
        _assert_same(_run(at, rest), _run(unread, rest), "having been read")


def inputs_are_left_alone(case: Case) -> None:
    """Read-only arrays, views and any memory order are taken, and nothing is written to them."""
    inputs = case.inputs()
    whole = _run(case.bank(), inputs)
    frozen = inputs.copy()
    frozen.flags.writeable = False
    wide = np.repeat(inputs, 2, axis=1)
    for given, what in ((frozen, "read-only"), (np.asfortranarray(inputs), "in Fortran's order"), (wide[:, ::2], "a view")):
        before = given.copy()
        _assert_same(_run(case.bank(), given), whole, what)
        assert np.array_equal(given, before, equal_nan=True), f"values that were {what} have been written to"


def rows_are_strangers(case: Case) -> None:
    """A bank of many rows is as many banks of one row, but for the last bits: a sum over a narrower table may round differently."""
    together = _run(case.bank(), case.inputs())
    for row in range(len(case.profiles)):
        alone = case.only([row])
        _assert_same(_run(alone.bank(), alone.inputs()).rounded(), together.of(row).rounded(), f"row {row} alone")


#: What `check_bank` checks, one by one: for a test per detector and check.
CHECKS: tuple[Callable[[Case], None], ...] = (
    findings_are_well_formed,
    cuts_do_not_matter,
    a_restored_bank_goes_on,
    missing_values_are_no_trouble,
    constant_columns_are_no_trouble,
    reset_forgets,
    readings_agree,
    inputs_are_left_alone,
    rows_are_strangers,
)


@dataclass(frozen=True)
class _Behaviour:
    """What a bank said: its findings, and its readings at the end."""

    findings: list[Finding]
    readings: list[Reading]

    def of(self, row: int) -> _Behaviour:
        """That of one row, as if it were alone."""
        return _Behaviour([replace(f, row=0) for f in self.findings if f.row == row], [self.readings[row]])

    def rounded(self) -> _Behaviour:
        """With statistics of 9 significant digits."""
        findings = [replace(f, statistic=_digits(f.statistic), threshold=_digits(f.threshold)) for f in self.findings]
        return _Behaviour(findings, [Reading(_digits(r.statistic), _digits(r.threshold), r.n) for r in self.readings])


def _digits(number: float) -> float:
    return float(f"{number:.9g}")


def _run(bank: DetectorBank, inputs: FloatArray, *, seed: int | None = None) -> _Behaviour:
    """Feed a bank, in one batch or (with a seed) in batches cut at random."""
    n = inputs.shape[1]
    cuts = [(0, n)] if seed is None else list(_cuts(n, seed))
    findings = [finding for start, stop in cuts for finding in bank.update(inputs[:, start:stop])]
    return _Behaviour(findings, _readings(bank, len(inputs)))


def _readings(bank: DetectorBank, rows: int) -> list[Reading]:
    return [bank.reading(row) for row in range(rows)]


def _cuts(n: int, seed: int) -> Iterator[tuple[int, int]]:
    """Cut n values into batches: long ones, ones of a few values or a single one, and empty ones."""
    rng = np.random.default_rng(seed)
    sizes = [0, *rng.choice([0, 1, 2, 3, 7, 31, 64, 200, 700], size=n, p=[0.05, 0.1, 0.1, 0.1, 0.15, 0.15, 0.15, 0.1, 0.1]).tolist()]
    borders = np.minimum(np.cumsum(sizes), n).tolist()
    yield from pairwise(borders[: borders.index(n) + 1] if n in borders else [*borders, n])


def _places(n: int) -> list[int]:
    """Where to save or reset: early, in the middle of whatever a detector counts in, late."""
    return sorted({min(n, at) for at in (3, n // 3 + 1, n - n // 4)})[:_CUTS]


def _assert_same(got: _Behaviour, expected: _Behaviour, when: str) -> None:
    differing = [(a, b) for a, b in zip(got.findings, expected.findings, strict=False) if a != b][:1]
    assert got.findings == expected.findings, (
        f"{when}: {len(got.findings)} findings instead of {len(expected.findings)}; first difference {differing or 'at the end'}"
    )
    assert got.readings == expected.readings, f"{when}: readings {got.readings} instead of {expected.readings}"
