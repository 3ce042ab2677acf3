"""The statistic is that of the study in which it was measured: rows of the first alarm, computed once with the study's own program."""

import numpy as np
import pytest

from detectors.esr import Esr
from detectors.profiling import profile_numbers
from tests.unit.detectors.samples import changed, series

#: law, change from row 1000 on, tolerated shift learnt at 1e6, first alarm at 1e6, first alarm at 1e8
STUDY = [
    ("normal", "shift", 0.0, 1224, 1289),
    ("normal", "spread", 0.0, 1069, 1089),
    ("normal", "gaps", 0.0, 1019, 1024),
    ("normal", "none", 0.0, None, None),
    ("lognormal", "spread", 0.0, 1054, 1069),
    ("lognormal", "sentinel", 0.0, 1184, 1659),
    ("counts", "shift", 0.0, 1004, 1004),
    ("counts", "spread", 0.0, 1009, 1014),
    ("errors", "errors", 0.0, 1149, 1214),
    ("gaps", "shift", 0.0, 1139, 1169),
    ("gaps", "gaps", 0.0, 1139, 1164),
    ("wandering", "shift", 0.0, 1609, 3054),
    ("wandering", "spread", 0.0, 1079, 1144),
    ("seasonal", "shift", 0.05, 1199, 1214),
]


@pytest.mark.parametrize("case", range(len(STUDY)), ids=["-".join(row[:2]) for row in STUDY])
def test_alarms_are_those_of_the_study(case):
    law, change, tolerance, at_1e6, at_1e8 = STUDY[case]
    rng = np.random.default_rng(100 + case)
    reference = series(law, rng, 4000)
    values = changed(change, rng, series(law, rng, 4000))
    profile = profile_numbers(reference)
    assert next(t.epsilon for t in profile.tolerance if t.arl0 == 1e6) == tolerance
    for arl0, expected in ((1e6, at_1e6), (1e8, at_1e8)):
        findings = Esr().build([profile], arl0=arl0).update(values[None])
        assert [f.index for f in findings][:1] == ([] if expected is None else [expected])


#: the study's program was given the upward bets of today
UPWARD = [(201, 5000, 0.05, 0.06, 789), (202, 5000, 0.1, 0.06, 1224), (203, 5000, 0.15, 0.06, 739), (204, 20_000, 0.05, 0.02, 2884)]


@pytest.mark.parametrize(("seed", "rows", "share", "rise", "alarm"), UPWARD)
def test_upward_alarms_on_errors_are_those_of_the_study(seed, rows, share, rise, alarm):
    rng = np.random.default_rng(seed)
    reference = (rng.random(rows) < share).astype(float)
    losses = (rng.random(6000 if rows > 5000 else 3000) < share).astype(float)
    losses[500:] = rng.random(len(losses) - 500) < share + rise
    findings = Esr(direction="up", tolerance=0.0).build([profile_numbers(reference)], arl0=1e5).update(losses[None])
    assert (findings[0].index, findings[0].cause) == (alarm, "mean up")
