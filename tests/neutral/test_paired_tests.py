"""McNemar's test, coverage of intervals, slices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlhelpers.legacy.coverage import simulate_coverage
from tlhelpers.legacy.paired_tests import mcnemar
from tlhelpers.legacy.slices import accuracy_by_slice, worst_slice_by_chance
from tlhelpers.metrics import normal_interval, wilson_interval


def pair(both, only_a, only_b, none):
    a = np.repeat([True, True, False, False], [both, only_a, only_b, none])
    return a, np.repeat([True, False, True, False], [both, only_a, only_b, none])


def test_mcnemar_by_hand():
    found = mcnemar(*pair(90, 1, 9, 5))
    assert (found.only_a, found.only_b) == (1, 9)
    assert found.p_value == pytest.approx(2 * (1 + 10) / 2**10)


@given(both=st.integers(0, 200), a=st.integers(0, 30), b=st.integers(0, 30))
def test_images_on_which_both_agree_do_not_matter(both, a, b):
    one, other = mcnemar(*pair(both, a, b, 3)), mcnemar(*pair(0, b, a, 0))
    assert one.p_value == pytest.approx(other.p_value)
    assert 0 < one.p_value <= 1 + 1e-12


def test_mcnemar_of_the_same_model_sees_nothing():
    assert mcnemar(np.ones(5, bool), np.ones(5, bool)).p_value == 1


def test_mcnemar_refuses_other_images():
    with pytest.raises(ValueError, match="one shape"):
        mcnemar(np.ones(5, bool), np.ones(4, bool))


def test_wilson_covers_where_the_naive_interval_does_not():
    wilson, naive = (simulate_coverage(kind, 0.98, 60, trials=4000) for kind in (wilson_interval, normal_interval))
    assert wilson > 0.9
    assert naive < 0.8


def test_coverage_against_the_binomial_distribution():
    from scipy import stats

    counts = np.arange(31)
    held = [(e := wilson_interval(k / 30, 30)).low <= 0.8 <= e.high for k in counts]
    exact = stats.binom.pmf(counts, 30, 0.8)[held].sum()
    assert simulate_coverage(wilson_interval, 0.8, 30, trials=20_000) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize(("truth", "n", "trials"), [(1.5, 10, 10), (0.5, 0, 10), (0.5, 10, 0)])
def test_coverage_refuses_nonsense(truth, n, trials):
    with pytest.raises(ValueError, match="expected a fraction"):
        simulate_coverage(wilson_interval, truth, n, trials=trials)


def test_slices_come_worst_first():
    found = accuracy_by_slice(np.array([1, 1, 0, 0, 1], bool), ["b", "b", "a", "a", "a"])
    assert list(found) == ["a", "b"]
    assert found["a"].value == pytest.approx(1 / 3)
    assert found["b"].value == 1


def test_the_worst_slice_by_chance_is_below_the_mean_and_a_real_one_below_that():
    rng = np.random.default_rng(0)
    slices = np.arange(320) % 16
    alike = rng.random(320) < 0.85
    chance = worst_slice_by_chance(alike, slices)
    assert chance.mean() < alike.mean() - 0.08
    harmed = np.where(slices == 3, rng.random(320) < 0.2, alike)
    worst = next(iter(accuracy_by_slice(harmed, slices).values())).value
    assert np.mean(worst_slice_by_chance(harmed, slices) <= worst) < 0.01


def test_slices_refuse_other_lengths():
    with pytest.raises(ValueError, match="as many slices"):
        accuracy_by_slice(np.ones(3, bool), ["a", "b"])
