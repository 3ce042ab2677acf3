"""What PSI and e-SR have in common: batch edges, restarts and resets change nothing."""

import numpy as np
import pytest

from detectors.esr import Esr
from detectors.psi import Psi
from tests.unit.detectors.samples import profiles_of, ragged

CONFIGS = [Esr(), Esr(direction="up"), Psi(window=500, panes=5)]
ARL0 = 1e5


def names(config):
    return f"{config.kind}-{getattr(config, 'direction', 'both')}"


@pytest.fixture(scope="module")
def profiles():
    rng = np.random.default_rng(1)
    return profiles_of(np.stack([rng.standard_normal(3000), rng.poisson(2, 3000), rng.random(3000) < 0.1, rng.random(3000)]))


@pytest.fixture(scope="module")
def values():
    """Four streams that drift, change again, lose values and return, in turn."""
    rng = np.random.default_rng(2)
    out = np.stack([rng.standard_normal(9003), rng.poisson(2, 9003), rng.random(9003) < 0.1, rng.random(9003)])
    for row, at in enumerate((1000, 1500, 2000, 2500)):
        out[row, at : at + 2500] += 1
        out[row, at + 1500 : at + 2500] *= 2
        out[row, at + 3500 : at + 4500 : 4] = np.nan
    return out


@pytest.mark.parametrize("config", CONFIGS, ids=names)
@pytest.mark.parametrize("largest", [3, 64, 700])
@pytest.mark.parametrize("restarts", [False, True], ids=["going on", "restored"])
def test_batches_and_restarts_change_nothing(config, profiles, values, largest, restarts):
    whole = config.build(profiles, arl0=ARL0)
    expected = whole.update(values)
    findings, bank = ragged(config, profiles, values, arl0=ARL0, largest=largest, restarts=restarts)
    assert findings == expected
    assert len(expected) >= 8
    assert [bank.reading(row) for row in range(4)] == [whole.reading(row) for row in range(4)]


@pytest.mark.parametrize("config", CONFIGS, ids=names)
def test_findings_come_by_index_and_row_and_lie_within_their_batch(config, profiles, values):
    bank, seen = config.build(profiles, arl0=ARL0), 0
    for start in range(0, 9000, 90):
        findings = bank.update(values[:, start : start + 90])
        assert findings == sorted(findings, key=lambda f: (f.index, f.row))
        assert all(start <= f.index < start + 90 and f.onset <= f.index for f in findings)
        seen += len(findings)
    assert seen >= 8


@pytest.mark.parametrize("config", CONFIGS, ids=names)
@pytest.mark.parametrize("at", [2500, 2503])
def test_a_reset_forgets_the_past_of_its_rows_and_of_no_other(config, profiles, values, at):
    one, other = config.build(profiles, arl0=ARL0), config.build(profiles, arl0=ARL0)
    one.update(values[:, :at])
    other.update(np.concatenate([values[:2, :at][::-1] + 1, values[2:, :at]]))
    for bank in (one, other):
        bank.reset([0, 1])
    assert one.update(values[:, at:]) == other.update(values[:, at:])


@pytest.mark.parametrize("config", CONFIGS, ids=names)
def test_a_state_is_a_copy(config, profiles, values):
    bank = config.build(profiles, arl0=ARL0)
    bank.update(values[:, :3002])
    state = bank.state()
    expected = bank.update(values[:, 3002:])
    assert config.build(profiles, arl0=ARL0, state=state).update(values[:, 3002:]) == expected
    assert config.build(profiles, arl0=ARL0, state=state).update(values[:, 3002:]) == expected


@pytest.mark.parametrize("config", CONFIGS, ids=names)
def test_values_may_be_read_only_and_in_any_layout(config, profiles, values):
    awkward = np.asfortranarray(np.repeat(values, 2, axis=1))[:, ::2]
    awkward.flags.writeable = False
    assert config.build(profiles, arl0=ARL0).update(awkward) == config.build(profiles, arl0=ARL0).update(values)


@pytest.mark.parametrize("config", CONFIGS, ids=names)
def test_streams_do_not_know_each_other(config, profiles, values):
    together = config.build(profiles, arl0=ARL0).update(values)
    for row in range(4):
        alone = config.build([profiles[row]], arl0=ARL0).update(values[row : row + 1])
        assert [(f.index, f.change, f.onset, f.cause) for f in alone] == [
            (f.index, f.change, f.onset, f.cause) for f in together if f.row == row
        ]
