import pytest
from scipy.stats import chi2

from detectors.chi_square import critical_value, survival

FREEDOM = [1, 2, 3, 4, 9, 10, 17, 33, 70, 255]


@pytest.mark.parametrize("freedom", FREEDOM)
@pytest.mark.parametrize("p", [0.9, 0.5, 0.05, 1e-5, 1e-12, 1e-100])
def test_critical_values_are_those_of_scipy(p, freedom):
    assert critical_value(p, freedom) == pytest.approx(chi2.isf(p, freedom), rel=1e-11)


@pytest.mark.parametrize("freedom", FREEDOM)
@pytest.mark.parametrize("x", [0.0, 1e-6, 0.5, 10.0, 100.0, 1000.0])
def test_the_tail_is_that_of_scipy(x, freedom):
    assert survival(x, freedom) == pytest.approx(chi2.sf(x, freedom), rel=1e-11)


@pytest.mark.parametrize("p", [0.0, 1.0, -1.0])
def test_a_probability_lies_between_0_and_1(p):
    with pytest.raises(ValueError, match="expected a number between 0 and 1"):
        critical_value(p, 3)
