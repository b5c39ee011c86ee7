"""What both mirrors promise of guards that look into a model; run by `tests/pytorch` and `tests/tensorflow`."""

import importlib

import numpy as np
import pytest

from tlhelpers.drawn_pets import draw_pets
from tlhelpers.legacy.backbones import IMAGENET, MINUS_ONE_TO_ONE, Preprocessing

LAYERS = ("stem", "stage1", "stage2", "stage3", "stage4")


@pytest.fixture(scope="session")
def own(mirror):
    """The module under test."""
    return importlib.import_module(f"{mirror.__name__}.guards")


@pytest.fixture(scope="session")
def pets():
    return draw_pets(32, seed=1, size=64)


@pytest.fixture(scope="session")
def backbone(mirror):
    """A backbone that no test trains."""
    return mirror.load_backbone("mini_resnet_narrow", precision="float32")


@pytest.fixture
def classifier(mirror):
    mirror.set_seed(0)
    return mirror.build_classifier(mirror.load_backbone("mini_resnet_narrow", precision="float32"), 2)


def train(mirror, classifier, pets):
    mirror.fit(classifier, pets.images, pets.species, epochs=1, lr=1e-3, batch_size=16, progress=False)


class TestWhatMoved:
    def test_nothing_without_training(self, own, classifier):
        movement = own.what_moved(own.snapshot(classifier), classifier)
        assert tuple(movement.weights) == (*LAYERS, "head")
        assert tuple(movement.statistics) == LAYERS
        assert (movement.moved, movement.drifted) == ((), ())

    def test_a_frozen_backbone_stays_as_it_is(self, mirror, own, classifier, pets):
        mirror.freeze(classifier)
        before = own.snapshot(classifier)
        train(mirror, classifier, pets)
        movement = own.what_moved(before, classifier)
        assert (movement.moved, movement.drifted) == (("head",), ())

    def test_unfrozen_layers_move_and_their_statistics_where_asked(self, mirror, own, classifier, pets):
        mirror.unfreeze(classifier, from_layer="stage4", batch_norm=True)
        before = own.snapshot(classifier)
        train(mirror, classifier, pets)
        movement = own.what_moved(before, classifier)
        assert (movement.moved, movement.drifted) == (("stage4", "head"), ("stage4",))
        assert 0 < movement.weights["stage4"] < 1

    def test_a_backbone_or_a_head_alone(self, mirror, own, backbone):
        assert tuple(own.what_moved(own.snapshot(backbone), backbone).weights) == LAYERS
        head = mirror.build_head(4, 2)
        before = own.snapshot(head)
        x = np.eye(4, dtype=np.float32)
        mirror.fit(head, x, np.array([0, 1, 0, 1]), epochs=1, progress=False)
        assert own.what_moved(before, head).moved == ("head",)

    def test_a_snapshot_is_a_copy(self, mirror, own, classifier, pets):
        before = own.snapshot(classifier)
        kept = {name: value.copy() for name, value in before["weights"].items()}
        mirror.unfreeze(classifier)
        train(mirror, classifier, pets)
        for name, value in before["weights"].items():
            np.testing.assert_array_equal(value, kept[name])

    def test_every_parameter_is_in_it(self, mirror, own, classifier):
        counts = mirror.count_parameters(classifier)
        weights = own.snapshot(classifier)["weights"]
        assert sum(value.size for value in weights.values()) == counts.trainable + counts.frozen


class TestWithPreprocessing:
    def test_the_same_recipe_gives_the_same_features(self, mirror, own, backbone, pets):
        same = own.with_preprocessing(
            backbone, Preprocessing(*(tuple(map(float, v)) for v in (IMAGENET.mean, IMAGENET.std)))
        )
        np.testing.assert_allclose(
            mirror.extract_features(same, pets.images, cache=False),
            mirror.extract_features(backbone, pets.images, cache=False),
            atol=1e-4,
        )  # fmt: skip

    def test_another_recipe_changes_them_and_leaves_the_first_one_alone(self, mirror, own, backbone, pets):
        before = mirror.extract_features(backbone, pets.images, cache=False)
        other = own.with_preprocessing(backbone, MINUS_ONE_TO_ONE)
        changed = mirror.extract_features(other, pets.images, cache=False)
        assert np.abs(changed - before).max() > 0.1
        np.testing.assert_array_equal(mirror.extract_features(backbone, pets.images, cache=False), before)
        assert (other.preprocessing, backbone.preprocessing) == (MINUS_ONE_TO_ONE, IMAGENET)
        assert other.fingerprint() != backbone.fingerprint()

    def test_swapped_channels_are_swapped_pixels(self, mirror, own, backbone, pets):
        swapped = own.with_preprocessing(backbone, Preprocessing(IMAGENET.mean, IMAGENET.std, bgr=True))
        np.testing.assert_allclose(
            mirror.extract_features(swapped, pets.images, cache=False),
            mirror.extract_features(backbone, pets.images[..., ::-1], cache=False),
            atol=1e-4,
        )


class TestTrainingMode:
    def test_features_depend_on_the_neighbours(self, own, backbone, pets):
        together = own.features_in_training_mode(backbone, pets.images, batch_size=16)
        apart = own.features_in_training_mode(backbone, pets.images[::-1], batch_size=8)[::-1]
        assert together.shape == (32, backbone.feature_size)
        assert np.abs(together - apart).max() > 0.1

    def test_the_backbone_is_left_as_it_was(self, mirror, own, backbone, pets):
        before = own.snapshot(backbone)
        own.features_in_training_mode(backbone, pets.images)
        movement = own.what_moved(before, backbone)
        assert (movement.moved, movement.drifted) == ((), ())

    def test_statistics_drift_though_weights_are_frozen(self, mirror, own, classifier, pets):
        mirror.freeze(classifier)
        before = own.snapshot(classifier)
        own.features_in_training_mode(classifier.backbone, pets.images, keep_statistics=False)
        movement = own.what_moved(before, classifier)
        assert (movement.moved, movement.drifted) == ((), LAYERS)
        assert mirror.count_parameters(classifier).trainable == 2 * 128 + 2  # still frozen

    def test_no_images(self, own, backbone, pets):
        assert own.features_in_training_mode(backbone, pets.images[:0]).shape == (0, backbone.feature_size)


class TestUnknownLayers:
    def test_layers_unfrozen_after_the_optimizer_was_built(self, mirror, own, classifier, optimizer_for):
        mirror.freeze(classifier)
        optimizer = optimizer_for(classifier)
        assert own.unknown_layers(optimizer, classifier) == ()
        mirror.unfreeze(classifier, from_layer="stage3")
        assert own.unknown_layers(optimizer, classifier) == ("stage3", "stage4")
        assert own.unknown_layers(optimizer_for(classifier), classifier) == ()
