"""What both mirrors promise of fine-tuning: rates by layer, warm-up, L2-SP, the range test, weights put back.

Run by `tests/pytorch` and `tests/tensorflow`; each takes the mirror as the fixture `mirror`.
"""

import importlib

import numpy as np
import pytest

from tlhelpers.drawn_pets import draw_pets
from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.training import discriminative_rates

SIZE = 16
LAYERS = ("stem", "stage1", "stage2", "stage3", "stage4")


@pytest.fixture(scope="session")
def parts(mirror):
    """The modules that hold what `mirror` itself does not export."""
    return {name: importlib.import_module(f"{mirror.__name__}.{name}") for name in ("classifiers", "rate_test")}


@pytest.fixture(scope="session")
def pets():
    return draw_pets(24, seed=2, size=SIZE)


@pytest.fixture(scope="session")
def shared(mirror):
    """One small network for all tests: they put its weights back instead of building others."""
    mirror.set_seed(0)
    backbone = mirror.load_backbone("mini_resnet_narrow", image_size=SIZE, precision="float32")
    return mirror.build_classifier(backbone, 2)


@pytest.fixture(scope="session")
def start(parts, shared):
    return parts["classifiers"].get_weights(shared)


@pytest.fixture
def classifier(mirror, parts, shared, start):
    parts["classifiers"].set_weights(shared, start)
    mirror.unfreeze(shared)
    return shared


def fit(mirror, classifier, pets, **options):
    usual = {"epochs": 1, "lr": 1e-3, "batch_size": 8, "progress": False}
    return mirror.fit(classifier, pets.images, pets.species, **(usual | options))


def distance(mirror, classifier, pets, before):
    """How far each layer's features moved."""
    return {layer: np.abs(mirror.feature_maps(classifier.backbone, pets.images[:4], layer) - before[layer]).max()
            for layer in LAYERS}  # fmt: skip


def maps(mirror, classifier, pets):
    return {layer: mirror.feature_maps(classifier.backbone, pets.images[:4], layer) for layer in LAYERS}


class TestWeights:
    def test_what_was_got_can_be_set(self, mirror, parts, classifier, start, pets):
        before = mirror.predict_proba(classifier, pets.images)
        fit(mirror, classifier, pets, lr=1e-2)
        assert np.abs(mirror.predict_proba(classifier, pets.images) - before).max() > 1e-3
        parts["classifiers"].set_weights(classifier, start)
        np.testing.assert_allclose(mirror.predict_proba(classifier, pets.images), before, atol=1e-6)

    def test_the_copy_does_not_follow_the_training(self, mirror, parts, classifier, pets):
        copied = parts["classifiers"].get_weights(classifier)
        kept = [array.copy() for array in copied]
        fit(mirror, classifier, pets, lr=1e-2)
        for array, other in zip(copied, kept, strict=True):
            np.testing.assert_array_equal(array, other)

    def test_the_head_comes_last(self, mirror, parts, start):
        head = parts["classifiers"].get_weights(mirror.build_head(128, 2))
        assert [array.shape for array in start[-2:]] == [array.shape for array in head]

    def test_weights_of_another_architecture(self, parts, classifier, start):
        with pytest.raises(ValueError, match="same architecture"):
            parts["classifiers"].set_weights(classifier, start[1:])

    def test_training_starts_anew_each_time(self, mirror, parts, classifier, start, pets):
        results = []
        for _ in range(2):  # the optimizer's moments of the first run must not reach into the second
            parts["classifiers"].set_weights(classifier, start)
            results.append(fit(mirror, classifier, pets, epochs=2, seed=1).loss)
        np.testing.assert_allclose(results[0], results[1], rtol=1e-4)

    def test_freezing_between_two_runs_is_seen(self, mirror, classifier, pets):
        fit(mirror, classifier, pets)
        before = maps(mirror, classifier, pets)
        mirror.unfreeze(classifier, from_layer="stage4")
        fit(mirror, classifier, pets)
        moved = distance(mirror, classifier, pets, before)
        assert moved["stage3"] == 0
        assert moved["stage4"] > 0
        mirror.unfreeze(classifier)
        fit(mirror, classifier, pets)
        assert distance(mirror, classifier, pets, before)["stem"] > 0


class TestLayerRates:
    def test_a_factor_of_zero_keeps_a_layer(self, mirror, classifier, pets):
        before = maps(mirror, classifier, pets)
        fit(mirror, classifier, pets, layer_rates={"stem": 0.0, "stage3": 1.0})
        moved = distance(mirror, classifier, pets, before)
        assert moved["stage2"] == 0
        assert moved["stage3"] > 1e-4

    def test_small_factors_move_early_layers_less(self, mirror, parts, classifier, start, pets):
        before = maps(mirror, classifier, pets)
        fit(mirror, classifier, pets)
        plain = distance(mirror, classifier, pets, before)
        parts["classifiers"].set_weights(classifier, start)
        fit(mirror, classifier, pets, layer_rates=discriminative_rates(LAYERS))
        slow = distance(mirror, classifier, pets, before)
        assert 0 < slow["stem"] < 0.2 * plain["stem"]

    def test_factors_of_one_change_nothing(self, mirror, parts, classifier, start, pets):
        plain = fit(mirror, classifier, pets, epochs=2).loss
        parts["classifiers"].set_weights(classifier, start)
        grouped = fit(mirror, classifier, pets, epochs=2, layer_rates=dict.fromkeys((*LAYERS, "head"), 1.0)).loss
        np.testing.assert_allclose(plain, grouped, rtol=1e-4)

    def test_other_factors_for_the_same_groups(self, mirror, parts, classifier, start, pets):
        fit(mirror, classifier, pets, layer_rates={"stem": 0.5})
        parts["classifiers"].set_weights(classifier, start)
        before = maps(mirror, classifier, pets)
        fit(mirror, classifier, pets, layer_rates={"stem": 0.0})
        assert distance(mirror, classifier, pets, before)["stage4"] == 0

    def test_the_head_alone(self, mirror, parts, classifier, start, pets):
        fit(mirror, classifier, pets, layer_rates={"head": 0.0})
        after = parts["classifiers"].get_weights(classifier)
        np.testing.assert_array_equal(after[-2], start[-2])
        assert np.abs(after[0] - start[0]).max() > 0

    def test_an_unknown_layer(self, mirror, classifier, pets):
        with pytest.raises(UnknownNameError, match="stage4"):
            fit(mirror, classifier, pets, layer_rates={"stage44": 1.0})
        with pytest.raises(UnknownNameError, match="head"):  # features have no layers
            mirror.fit(mirror.build_head(4, 2), np.zeros((4, 4), np.float32), np.arange(4) % 2, progress=False,
                       layer_rates={"stem": 1.0})  # fmt: skip


class TestPull:
    def test_a_pull_keeps_weights_near_their_start_and_the_head_free(self, mirror, parts, classifier, start, pets):
        moved, heads = {}, {}
        for strength in (0.0, 100.0):
            parts["classifiers"].set_weights(classifier, start)
            fit(mirror, classifier, pets, epochs=4, l2_sp=strength, seed=1)
            after = parts["classifiers"].get_weights(classifier)
            moved[strength] = sum(float(np.square(a - b).sum()) for a, b in zip(after[:-2], start[:-2], strict=True))
            heads[strength] = float(np.square(after[-2] - start[-2]).sum())
        assert moved[100.0] < 0.5 * moved[0.0]
        assert heads[100.0] > 0.5 * heads[0.0]

    def test_it_pulls_to_the_weights_of_now(self, mirror, parts, classifier, start, pets):
        fit(mirror, classifier, pets, l2_sp=100.0)
        shifted = [array + np.float32(0.01) if array.ndim == 4 else array for array in start]
        parts["classifiers"].set_weights(classifier, shifted)
        fit(mirror, classifier, pets, epochs=4, l2_sp=100.0)
        after = parts["classifiers"].get_weights(classifier)
        kernels = [k for k, array in enumerate(start) if array.ndim == 4]
        near = np.mean([np.abs(after[k] - shifted[k]).mean() for k in kernels])
        far = np.mean([np.abs(after[k] - start[k]).mean() for k in kernels])
        assert near < 0.5 * far

    @pytest.mark.parametrize("strength", [-1.0, float("nan")])
    def test_a_pull_that_cannot_be(self, mirror, classifier, pets, strength):
        with pytest.raises(ValueError, match="l2_sp of 0 or more"):
            fit(mirror, classifier, pets, l2_sp=strength)


class TestRateTest:
    def test_it_leaves_the_network_as_it_was(self, mirror, parts, classifier, start, pets):
        test = parts["rate_test"].rate_range_test(classifier, pets.images, pets.species, steps=12, batch_size=8)
        assert len(test.rates) == len(test.losses) <= 12
        assert test.rates[0] == pytest.approx(1e-5)
        for array, other in zip(parts["classifiers"].get_weights(classifier), start, strict=True):
            np.testing.assert_array_equal(array, other)

    def test_everything_frozen_is_told(self, mirror, parts):
        head = mirror.build_head(4, 2)
        if hasattr(head, "requires_grad_"):
            head.requires_grad_(False)
        else:
            head.trainable = False
        with pytest.raises(ValueError, match="every parameter is frozen"):
            parts["rate_test"].rate_range_test(head, np.zeros((8, 4), np.float32), np.arange(8) % 2)


def test_warmup_takes_small_first_steps(mirror, parts, classifier, start, pets):
    moved = {}
    for warmup in (0.0, 1.0):
        parts["classifiers"].set_weights(classifier, start)
        fit(mirror, classifier, pets, warmup=warmup)
        moved[warmup] = np.abs(parts["classifiers"].get_weights(classifier)[0] - start[0]).mean()
    assert 0 < moved[1.0] < moved[0.0]
