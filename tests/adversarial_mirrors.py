"""What both mirrors promise of attacks and ideal images; run by `tests/pytorch` and `tests/tensorflow`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlhelpers.drawn_pets import draw_pets
from tlhelpers.errors import GradientError, UnknownNameError
from tlhelpers.legacy.perturbations import perturbation_size


@pytest.fixture(scope="session")
def network(mirror):
    return mirror.load_source_classifier("mini_resnet")


@pytest.fixture(scope="session")
def images():
    return draw_pets(6, seed=3, size=64).images


@pytest.fixture(scope="session")
def answers(mirror, network, images):
    """What the network says of the images: an attack changes that."""
    return mirror.predict_proba(network, images).argmax(1)


@pytest.fixture(scope="session")
def small(mirror):
    """Untrained classifiers of several sizes; what an attack may return does not depend on the weights."""
    mirror.set_seed(0)
    sizes = (16, 32)
    return {
        size: mirror.build_classifier(
            mirror.load_backbone("mini_resnet_narrow", weights="random", image_size=size, precision="float32"), 3
        )
        for size in sizes
    }


class TestSourceClassifier:
    def test_it_says_what_the_weights_file_says(self, mirror, network, images):
        from tlhelpers.legacy.backbones import source_classes

        features = mirror.extract_features(mirror.load_backbone("mini_resnet"), images, cache=False)
        expected = [rows[0][0] for rows in source_classes(features, top=1)]
        found = mirror.predict_proba(network, images).argmax(1)
        assert [network.class_names[k] for k in found] == expected
        assert len(network.class_names) == network.num_classes == 202

    def test_nothing_of_it_is_trained(self, mirror, network):
        assert mirror.count_parameters(network).trainable == 0

    def test_a_network_without_a_known_head(self, mirror):
        with pytest.raises(UnknownNameError, match="mini_resnet_narrow"):
            mirror.load_source_classifier("mini_resnet_narow")


class TestAttack:
    @settings(max_examples=12, deadline=None)
    @given(
        norm=st.sampled_from(["linf", "l2"]),
        levels=st.floats(1, 64),
        size=st.sampled_from([16, 32]),
        n=st.integers(1, 5),
        kind=st.sampled_from(["uint8", "float", "black and white"]),
        targeted=st.booleans(),
        early_stop=st.booleans(),
        steps=st.integers(1, 4),
        step_size=st.none() | st.floats(0.001, 1),
        seed=st.integers(0, 1000),
    )
    def test_every_image_stays_in_range_and_budget_on_eight_bits(
        self, mirror, small, norm, levels, size, n, kind, targeted, early_stop, steps, step_size, seed
    ):
        rng = np.random.default_rng(seed)
        images = rng.integers(0, 256, (n, size, size, 3)).astype(np.uint8)
        if kind == "black and white":  # at the ends of the range
            images = np.where(images > 127, 255, 0).astype(np.uint8)
        elif kind == "float":
            images = (images / 255).astype(np.float32)
        epsilon = levels / 255
        result = mirror.attack(
            small[size], images, np.arange(n) % 3, targeted=targeted, norm=norm, epsilon=epsilon, steps=steps,
            step_size=step_size, early_stop=early_stop, seed=seed, batch_size=3,
        )  # fmt: skip
        assert result.images.dtype == images.dtype
        assert result.images.shape == images.shape
        as_float = result.images / 255 if images.dtype == np.uint8 else result.images.astype(float)
        assert as_float.min() >= 0
        assert as_float.max() <= 1
        eight_bit = np.rint(as_float * 255) / 255
        np.testing.assert_allclose(eight_bit, as_float, atol=1e-6)  # what is returned is what a file holds
        original = images / 255 if images.dtype == np.uint8 else images.astype(float)
        assert (perturbation_size(eight_bit - original, norm) <= epsilon + 1e-5).all()

    def test_floats_between_the_levels_keep_their_budget_too(self, mirror, small):
        images = np.random.default_rng(0).random((3, 16, 16, 3)).astype(np.float32)
        result = mirror.attack(small[16], images, 0, epsilon=2 / 255, steps=3, early_stop=False)
        assert np.abs(np.rint(result.images * 255) / 255 - images).max() <= 2 / 255 + 1e-5

    def test_the_result_says_what_the_network_says_of_the_returned_images(self, mirror, network, images, answers):
        result = mirror.attack(network, images, answers, epsilon=4 / 255, steps=10)
        said = mirror.predict_proba(network, result.images).argmax(1)
        np.testing.assert_array_equal(said, result.predicted)
        np.testing.assert_array_equal(result.success, said != answers)
        assert result.success.mean() >= 0.8

    def test_a_target_by_name(self, mirror, network, images, answers):
        result = mirror.attack(network, images, answers, targets="goldfish", epsilon=16 / 255, steps=30)
        said = mirror.predict_proba(network, result.images).argmax(1)
        assert (said == network.class_names.index("goldfish")).mean() >= 0.8

    def test_images_already_fooled_are_left_alone(self, mirror, network, images, answers):
        result = mirror.attack(network, images, (answers + 1) % 202, steps=5)
        np.testing.assert_array_equal(result.images, images)
        assert result.steps.sum() == 0

    def test_early_stop_saves_steps_and_loses_no_success(self, mirror, network, images, answers):
        early = mirror.attack(network, images, answers, epsilon=4 / 255, steps=10)
        late = mirror.attack(network, images, answers, epsilon=4 / 255, steps=10, early_stop=False)
        assert early.steps.sum() < late.steps.sum() == 10 * len(images)
        np.testing.assert_array_equal(early.success, late.success)

    def test_one_step_without_a_random_start_is_the_sign_of_the_gradient(self, mirror, network, images, answers):
        result = mirror.attack(network, images, answers, epsilon=4 / 255, steps=1, random_start=False, early_stop=False)
        change = np.rint(255 * result.perturbation)
        inside = (images >= 4) & (images <= 251)
        moved = result.steps.astype(bool) & (np.abs(change).max((1, 2, 3)) > 0)  # where the step made it worse
        assert moved.any()
        assert set(np.unique(np.abs(change[moved][inside[moved]]))) <= {0.0, 4.0}

    def test_the_same_seed_gives_the_same_images(self, mirror, network, images, answers):
        a, b, c = (
            mirror.attack(network, images, answers, epsilon=2 / 255, steps=2, early_stop=False, seed=seed).images
            for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()

    def test_batch_size_does_not_change_what_is_possible(self, mirror, network, images, answers):
        whole, parts = (
            mirror.attack(network, images, answers, epsilon=8 / 255, steps=10, batch_size=size) for size in (6, 4)
        )
        np.testing.assert_array_equal(whole.success, parts.success)

    def test_the_model_is_left_as_it_was(self, mirror):
        mirror.set_seed(0)
        model = mirror.build_classifier(mirror.load_backbone("mini_resnet_narrow"), 2)
        mirror.unfreeze(model, batch_norm=True)
        pets = draw_pets(4, seed=0, size=64)
        before = model.backbone.fingerprint()
        mirror.attack(model, pets.images, pets.species, steps=2, early_stop=False)
        assert model.backbone.fingerprint() == before
        assert mirror.count_parameters(model).frozen == 0

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"epsilon": 0.5 / 255}, "one 8-bit step"),
            ({"epsilon": 0.0}, "one 8-bit step"),
            ({"epsilon": float("nan")}, "one 8-bit step"),
            ({"epsilon": 8}, "8 / 255"),
            ({"epsilon": 200, "norm": "l2"}, "200 / 255"),
            ({"steps": 0}, "steps as a whole number"),
            ({"steps": 2.5}, "steps as a whole number"),
            ({"step_size": 0.0}, "step_size above 0"),
            ({"norm": "l1"}, "linf"),
            ({"labels": "tabbi"}, "Did you mean 'tabby'"),
            ({"targets": "golden retreiver"}, "Did you mean 'golden retriever'"),
            ({"labels": 202}, "0 to 201"),
            ({"labels": [1, 2]}, "labels for 6 images, got 2"),
            ({"labels": "tabby", "targets": "tabby"}, "other than the label.*tabby"),
            ({"targets": 3, "targeted": False}, "no targets"),
            ({"images": np.zeros((2, 32, 32, 3), np.uint8)}, "64, 64, 3"),
            ({"images": np.zeros((64, 64, 3), np.uint8)}, "64, 64, 3"),
            ({"images": np.zeros((0, 64, 64, 3), np.uint8)}, "at least one image"),
            ({"images": np.zeros((2, 64, 64, 3), np.int32)}, "uint8"),
            ({"images": np.full((2, 64, 64, 3), 255, np.float32)}, "within 0 and 1"),
            ({"images": np.full((2, 64, 64, 3), np.nan, np.float32)}, "within 0 and 1"),
        ],
    )
    def test_bad_arguments_are_told_before_any_work(self, mirror, network, images, change, message):
        arguments = {"images": images, "labels": 30} | change
        with pytest.raises(ValueError, match=message):
            mirror.attack(network, arguments.pop("images"), arguments.pop("labels"), **arguments)

    @pytest.mark.parametrize("call", ["attack", "ideal_image", "logit_gradient"])
    def test_a_backbone_without_a_head(self, mirror, images, call):
        backbone = mirror.load_backbone("mini_resnet")
        arguments = (0,) if call == "ideal_image" else (images, 0)
        with pytest.raises(TypeError, match=r"a backbone with a head.*build_classifier"):
            getattr(mirror, call)(backbone, *arguments)

    def test_a_gradient_that_is_not_finite_stops_with_the_last_good_images(self, mirror, images):
        model = mirror.load_source_classifier("mini_resnet_narrow")
        answers = mirror.predict_proba(model, images).argmax(1)
        _spoil(model.head.linear)
        with pytest.raises(GradientError, match=r"step 1 for image \d") as caught:
            mirror.attack(model, images, answers, steps=3, early_stop=False)
        np.testing.assert_array_equal(caught.value.last_good.images, images)


def _spoil(head) -> None:
    """Make one weight of a linear layer NaN, in either framework."""
    if hasattr(head, "kernel"):
        kernel, bias = head.get_weights()
        kernel[0, :] = np.nan
        head.set_weights([kernel, bias])
    else:
        head.weight.data[:, 0] = float("nan")


class TestLogitGradient:
    def test_it_predicts_a_tiny_change(self, mirror, network, images):
        image = images[:1].astype(np.float32) / 255 * 0.9 + 0.05
        gradient = mirror.logit_gradient(network, image, "tabby")
        assert gradient.shape == image.shape
        step = 0.1 / 255 * np.sign(gradient)

        def odds(x):  # of two classes: the difference of their logits
            p = mirror.predict_proba(network, x)[0].astype(float)
            return np.log(p[network.class_names.index("tabby")] / p[0])

        gradient -= mirror.logit_gradient(network, image, 0)
        step = 0.1 / 255 * np.sign(gradient)
        assert odds(image + step) - odds(image) == pytest.approx(float((gradient * step).sum()), rel=0.1)


class TestIdealImage:
    def test_what_it_returns_is_what_the_network_says(self, mirror, network):
        ideal = mirror.ideal_image(network, "monarch", steps=12, frames=4)
        said = mirror.predict_proba(network, ideal.image[None])[0, network.class_names.index("monarch")]
        assert ideal.probability == pytest.approx(float(said), abs=1e-5)
        assert (ideal.class_name, ideal.image.shape, ideal.image.dtype) == ("monarch", (64, 64, 3), np.uint8)
        assert all(values.shape == (12,) for values in ideal.history.values())
        assert len(ideal.frames) == len(ideal.frame_steps)
        assert (ideal.frame_steps[0], ideal.frame_steps[-1]) == (0, 12)
        np.testing.assert_array_equal(ideal.frames[-1], ideal.image)
        np.testing.assert_allclose(
            ideal.history["loss"], 50 * ideal.history["total_variation"] - ideal.history["score"], rtol=1e-4, atol=1e-3
        )

    def test_the_same_seed_gives_the_same_image(self, mirror, network):
        a, b, c = (mirror.ideal_image(network, 30, steps=3, seed=seed).image.astype(int) for seed in (1, 1, 2))
        assert np.abs(a - b).max() <= 1
        assert np.abs(a - c).max() > 1

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"target": "tabbi"}, "Did you mean 'tabby'"),
            ({"target": -1}, "0 to 201"),
            ({"steps": 0}, "steps as a whole number"),
            ({"lr": 0}, "lr above 0"),
            ({"lr": float("nan")}, "lr above 0"),
            ({"objective": "logits"}, "Did you mean 'logit'"),
            ({"total_variation": -1}, "total_variation"),
            ({"jitter": 64}, "0 to 63"),
            ({"frames": 1}, "two frames"),
        ],
    )
    def test_bad_arguments_are_told_before_any_work(self, mirror, network, change, message):
        arguments = {"target": "tabby"} | change
        with pytest.raises(ValueError, match=message):
            mirror.ideal_image(network, **arguments)

    def test_a_gradient_that_is_not_finite_stops_with_the_step(self, mirror):
        model = mirror.load_source_classifier("mini_resnet_narrow")
        _spoil(model.head.linear)
        with pytest.raises(GradientError, match="step 1"):
            mirror.ideal_image(model, "tabby", steps=3)
