"""Banks that count keep the contract of a bank also on long streams that change, change again, lose values and come back."""

import numpy as np
import pytest

from detectors.esr import Esr
from detectors.psi import Psi
from detectors.testing import CHECKS, Case
from tests.unit.detectors.samples import profiles_of

CONFIGS = [Esr(), Esr(direction="up"), Psi(window=500, panes=5)]


@pytest.fixture(scope="module")
def streams():
    rng = np.random.default_rng(2)
    history, n = 3000, 9003
    columns = np.stack([draw(history + n) for draw in (rng.standard_normal, lambda k: rng.poisson(2, k), lambda k: rng.random(k) < 0.1)])
    values = columns[:, history:].astype(np.float64)
    for row, at in enumerate((1000, 1500, 2000)):
        values[row, at : at + 2500] += 1
        values[row, at + 1500 : at + 2500] *= 2
        values[row, at + 3500 : at + 4500 : 4] = np.nan
    return profiles_of(columns[:, :history].astype(np.float64)), values


@pytest.mark.parametrize("config", CONFIGS, ids=["esr", "esr-up", "psi"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_long_streams_keep_the_contract(config, check, streams):
    profiles, values = streams
    check(Case(config, profiles, values, arl0=1e5))


@pytest.mark.parametrize("config", CONFIGS, ids=["esr", "esr-up", "psi"])
def test_those_streams_are_eventful(config, streams):
    profiles, values = streams
    findings = config.build(profiles, arl0=1e5).update(values)
    assert all({f.change for f in findings if f.row == row} == {"change", "back"} for row in range(3))
