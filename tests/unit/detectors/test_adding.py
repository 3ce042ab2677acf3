"""The detector shown in ADDING.md works, and keeps the contract."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import detectors
from detectors import FloatArray, base, parse
from detectors.testing import STANDARD_NORMAL, check_bank

GUIDE = Path(detectors.__file__).with_name("ADDING.md")


@pytest.fixture
def ewma(monkeypatch: pytest.MonkeyPatch) -> base.DetectorConfig:
    (source,) = re.findall(r"^```python\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    monkeypatch.setattr(base, "_KINDS", dict(base._KINDS))
    exec(compile(source, str(GUIDE), "exec", dont_inherit=True), {"__name__": "detectors.ewma"})
    return parse("ewma")


def stream(seed: int) -> FloatArray:
    values = np.random.default_rng(seed).normal(size=(3, 2000))
    values[0, 500:1200] += 1.0
    values[2, 800:] -= 2.0
    return values


def test_it_finds_a_shift_and_its_end(ewma: base.DetectorConfig) -> None:
    found = ewma.build([STANDARD_NORMAL] * 3, arl0=1e6).update(stream(1))
    first = [(f.change, f.cause) for f in found if f.row == 0]
    assert first == [("change", "mean up"), ("back", "mean down")]
    assert [f.change for f in found if f.row == 2] == ["change"]
    change = next(f for f in found if f.row == 0)
    assert 400 < change.onset <= change.index < 560


def test_it_keeps_the_contract(ewma: base.DetectorConfig) -> None:
    check_bank(ewma, [STANDARD_NORMAL] * 3, stream(2))
