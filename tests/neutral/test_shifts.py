"""Less light and more noise."""

import numpy as np
import pytest

from tlhelpers.drawn_pets import draw_pets
from tlhelpers.legacy import evaluation_checks, shifts


@pytest.fixture(scope="module")
def images():
    return draw_pets(4, seed=0).images


def test_less_light_is_darker_in_proportion(images):
    np.testing.assert_array_equal(shifts.darken(images, 1), images)
    assert shifts.darken(images, 0).max() == 0
    half = shifts.darken(images, 0.5)
    assert half.dtype == np.uint8
    assert half.mean() == pytest.approx(images.mean() / 2, abs=0.5)


def test_noise_has_its_size_and_its_seed(images):
    grey = np.full_like(images, 128)
    noisy = shifts.add_noise(grey, 20, seed=1)
    assert noisy.std() == pytest.approx(20, rel=0.05)
    np.testing.assert_array_equal(noisy, shifts.add_noise(grey, 20, seed=1))
    assert (noisy != shifts.add_noise(grey, 20, seed=2)).any()
    np.testing.assert_array_equal(shifts.add_noise(images, 0), images)


def test_what_makes_no_sense_is_refused(images):
    with pytest.raises(ValueError, match="fraction"):
        shifts.darken(images, 1.5)
    with pytest.raises(ValueError, match="at least 0"):
        shifts.add_noise(images, -1)
    with pytest.raises(TypeError, match="uint8"):
        shifts.darken(images / 255, 0.5)


@pytest.mark.parametrize(
    ("answer", "right"), [(868, True), (890, True), (860, False), (400, False), (2000, False), ("many", False)]
)
def test_the_exercise_on_test_sizes(answer, right, capsys):
    for language in ("en", "es"):
        found = evaluation_checks.check_test_size(answer, accuracy=0.9, half_width=0.02, language=language)
        assert found is right
    assert capsys.readouterr().out.count("✔" if right else "✘") == 2


def test_the_exercise_on_curves(capsys):
    truth = {"A": "over", "B": "good"}
    assert evaluation_checks.check_readings(truth, truth, "es")
    assert not evaluation_checks.check_readings({"A": "good", "B": "good"}, truth)
    assert not evaluation_checks.check_readings({"A": "fine"}, truth)
    assert "over" not in capsys.readouterr().out.split("\n")[1]  # the hint does not tell
