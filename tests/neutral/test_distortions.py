"""What happens to pictures on their way, and how alike they look."""

import numpy as np
import pytest

from tlhelpers.drawn_pets import draw_pets
from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.distortions import DISTORTIONS, distort, structural_similarity


@pytest.fixture(scope="module")
def images():
    return draw_pets(4, seed=2, size=64).images


@pytest.mark.parametrize("name", DISTORTIONS)
def test_shape_and_type_stay(images, name):
    found = distort(images, name)
    assert (found.shape, found.dtype) == (images.shape, np.uint8)


def test_png_loses_nothing_and_jpeg_the_more_the_lower_its_quality(images):
    np.testing.assert_array_equal(distort(images, "PNG"), images)
    losses = [np.abs(distort(images, name).astype(int) - images).mean() for name in ("JPEG 95", "JPEG 75", "JPEG 50")]
    assert 0 < losses[0] < losses[1] < losses[2]


def test_likeness_is_one_for_equal_pictures_and_falls_with_the_change(images):
    noise = np.random.default_rng(0).integers(-1, 2, images.shape)
    alike = [structural_similarity(images, np.clip(images + k * noise, 0, 255).astype(np.uint8)) for k in (0, 4, 40)]
    np.testing.assert_allclose(alike[0], 1)
    assert (alike[0] > alike[1]).all()
    assert (alike[1] > alike[2]).all()


def test_what_makes_no_sense_is_told(images):
    with pytest.raises(UnknownNameError, match="JPEG 75"):
        distort(images, "JPEG 70")
    with pytest.raises(TypeError, match="round them to 8 bits"):
        distort(images / 255, "PNG")
    with pytest.raises(ValueError, match="two equal shapes"):
        structural_similarity(images, images[:2])
