"""The embedded data set: the same on every run, balanced, and neither too easy nor a matter of colour."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tlhelpers.drawn_pets import BREEDS, SPECIES, STYLES, draw, draw_pets, sample_factors
from tlhelpers.errors import UnknownNameError

SIZES = st.integers(32, 128)


@pytest.fixture(scope="module")
def pets():
    return draw_pets(640, seed=5)


def test_another_process_draws_the_same_bytes():
    program = (
        "import hashlib; from tlhelpers.drawn_pets import STYLES, draw_pets\n"
        "print(hashlib.sha256(b''.join(draw_pets(6, seed=3, style=s).images.tobytes() for s in STYLES)).hexdigest())"
    )
    runs = {subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1


def test_an_image_does_not_depend_on_how_many_are_drawn():
    few, many = draw_pets(5, seed=9), draw_pets(21, seed=9)
    np.testing.assert_array_equal(few.images, many.images[:5])
    assert few.factors == many.factors[:5]


def test_another_seed_draws_other_animals():
    assert not np.array_equal(draw_pets(1, seed=0).images, draw_pets(1, seed=1).images)


def test_there_are_six_breeds_or_more_of_each_species_with_names_of_their_own():
    species = [breed.species for breed in BREEDS]
    assert min(species.count(name) for name in SPECIES) >= 6
    assert len({breed.name for breed in BREEDS}) == len(BREEDS)


@given(n=st.integers(1, 40))
@settings(max_examples=8, deadline=None)
def test_any_number_of_images_is_balanced(n):
    drawn = draw_pets(n, size=32)
    assert abs(int((drawn.species == 0).sum()) - int((drawn.species == 1).sum())) <= 1
    counts = np.bincount(drawn.breeds, minlength=len(BREEDS))
    assert counts.max() - counts.min() <= 1


def test_labels_say_what_was_drawn(pets):
    for species, breed, factors in zip(pets.species, pets.breeds, pets.factors, strict=True):
        assert (BREEDS[breed].name, SPECIES[species]) == (factors.breed, factors.species)


def test_breeds_can_be_chosen():
    drawn = draw_pets(6, size=32, breeds=["siamese", "beagle"])
    assert [BREEDS[k].name for k in drawn.breeds] == ["siamese", "beagle"] * 3


@given(seed=st.integers(0, 2**63), size=SIZES, style=st.sampled_from(STYLES), first=st.integers(0, len(BREEDS) - 1))
@settings(max_examples=60, deadline=None)
def test_every_seed_and_size_gives_a_picture(seed, size, style, first):
    drawn = draw_pets(2, seed=seed, size=size, style=style, breeds=[BREEDS[first].name])
    assert drawn.images.shape == (2, size, size, 3)
    assert drawn.images.dtype == np.uint8
    assert drawn.images.std(axis=(1, 2, 3)).min() > 5  # something is seen, even by night
    assert drawn.species.dtype == drawn.breeds.dtype == np.int64


def test_styles_show_the_same_animals_in_their_own_way():
    photo, sketch, night = (draw_pets(32, seed=2, style=style) for style in STYLES)
    assert photo.factors == sketch.factors == night.factors

    def colourfulness(pets):
        return np.ptp(pets.images.astype(float).mean((1, 2)), axis=1).mean()

    assert sketch.images.mean() > photo.images.mean() + 40 > night.images.mean() + 80
    assert colourfulness(photo) > colourfulness(sketch)
    red, _, blue = night.images.mean((0, 1, 2))
    assert blue > 1.5 * red
    assert night.images.std() < 0.6 * photo.images.std()


def test_sizes_show_the_same_picture():
    small, large = draw_pets(16, seed=4, size=48), draw_pets(16, seed=4, size=96)
    halved = large.images.reshape(16, 48, 2, 48, 2, 3).mean((2, 4))
    for a, b in zip(small.images, halved, strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.8


def test_one_factor_changes_one_thing():
    factors = dataclasses.replace(
        sample_factors("tabby", np.random.default_rng(0)), pose="head", noise=0.0, occlusion=0.0
    )
    before = draw(factors, 64).astype(int)
    other_eyes = np.abs(draw(dataclasses.replace(factors, eye_colour=(20, 20, 250)), 64) - before).sum(2) > 30
    assert 4 < other_eyes.sum() < 0.1 * other_eyes.size
    darker = draw(dataclasses.replace(factors, light=factors.light / 2), 64)
    assert abs(darker.mean() / before.mean() - 0.5) < 0.05


def test_factors_can_be_held_fixed():
    drawn = draw_pets(12, size=32, factors={"pose": "sitting", "occlusion": 0.0})
    assert {(f.pose, f.occlusion) for f in drawn.factors} == {("sitting", 0.0)}
    assert len({f.x for f in drawn.factors}) == 12


PLAIN = {"occlusion": 0.0, "noise": 0.0, "blur": 0.0}  # nothing in front, and the camera adds nothing


def test_truth_is_given_when_asked_for_and_changes_no_picture():
    without, pets = draw_pets(12, seed=6, size=48), draw_pets(12, seed=6, size=48, truth=True)
    np.testing.assert_array_equal(without.images, pets.images)
    assert without.masks is None
    assert without.boxes is None
    assert (pets.masks.shape, pets.masks.dtype) == ((12, 48, 48), bool)
    assert (pets.boxes.shape, pets.boxes.dtype) == ((12, 4), np.float32)


def test_a_mask_is_where_another_background_changes_nothing():
    meadow, sky = (draw_pets(16, seed=7, truth=True, factors={**PLAIN, "background": b, "upper": u, "lower": u})
                   for b, u in (("grass", (20, 40, 20)), ("sky", (240, 240, 250))))  # fmt: skip
    np.testing.assert_array_equal(meadow.masks, sky.masks)
    changed = np.abs(meadow.images.astype(int) - sky.images).max(-1)
    inside = np.stack([mask[1:-1, 1:-1] for mask in meadow.masks])  # less its edge, where both colours mix
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        inside &= meadow.masks[:, dy : dy + 62, dx : dx + 62]
    assert np.mean(changed[:, 1:-1, 1:-1][inside] > 8) < 0.01
    assert np.mean(changed[~meadow.masks] > 60) > 0.85  # whiskers and their like are left


def test_a_box_encloses_the_head_and_no_more():
    pets = draw_pets(48, seed=8, size=96, truth=True, factors={**PLAIN, "pose": "sitting", "y": 0.4, "scale": 0.2})
    for mask, (left, top, right, bottom), f in zip(pets.masks, pets.boxes, pets.factors, strict=True):
        assert left < f.x - 0.7 * f.scale < f.x + 0.7 * f.scale < right
        assert top < f.y - 0.8 * f.scale < f.y + 0.7 * f.scale < bottom
        rows, columns = np.nonzero(mask)
        assert abs(rows.min() / 96 - top) < 0.02  # above the ears there is nothing of the animal
        assert columns.min() / 96 < left + 0.02
        assert (columns.max() + 1) / 96 > right - 0.02
        assert (right - left) * (bottom - top) < 0.42


def test_truth_of_another_size_is_the_same():
    small, large = (draw_pets(12, seed=9, size=size, truth=True) for size in (48, 96))
    np.testing.assert_allclose(small.boxes, large.boxes, atol=0.02)
    assert np.abs(small.masks.mean((1, 2)) - large.masks.mean((1, 2))).max() < 0.02


def test_an_animal_outside_of_its_picture_has_no_truth():
    pets = draw_pets(4, truth=True, factors={"x": -5.0, "pose": "head"})
    assert not pets.masks.any()
    assert not pets.boxes.any()


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [({"breeds": ["siamesse"]}, "siamese"), ({"style": "scetch"}, "sketch"), ({"factors": {"poze": "head"}}, "pose")],
)
def test_a_misspelled_name_is_refused_with_a_proposal(arguments, meant):
    with pytest.raises(UnknownNameError, match=f"Did you mean '{meant}'"):
        draw_pets(1, **arguments)


@pytest.mark.parametrize("arguments", [{"n": -1}, {"n": 1, "size": 4}, {"n": 1, "breeds": []}])
def test_impossible_numbers_are_refused(arguments):
    with pytest.raises(ValueError, match="expected"):
        draw_pets(**arguments)


def _accuracy(x, y, c) -> float:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=500))
    return model.fit(x[:200], y[:200]).score(x[200:], y[200:])


def test_colours_do_not_give_the_species_away(pets):
    cells = pets.images // 64 @ np.array((16, 4, 1))
    histograms = np.stack([np.bincount(image.ravel(), minlength=64) for image in cells]) / 64**2
    assert _accuracy(histograms, pets.species, 1.0) < 0.7


def test_raw_pixels_tell_species_apart_only_in_part(pets):
    pixels = pets.images[:, ::2, ::2].reshape(len(pets), -1).astype(float)
    assert 0.5 < _accuracy(pixels, pets.species, 0.01) < 0.8
