"""Behaviour that both mirrors promise, written once; `tests/pytorch` and `tests/tensorflow` each run it in a process.

Each test takes the mirror as the fixture `mirror`. Nothing here imports a framework.
"""

import inspect
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tlhelpers.drawn_pets import draw_pets
from tlhelpers.errors import UnknownNameError, WeightsError
from tlhelpers.legacy.backbones import PACK_WEIGHTS

SUMMARIES = Path(__file__).parent / "summaries.json"


@pytest.fixture(scope="session")
def pets():
    return draw_pets(48, seed=1, size=64)


@pytest.fixture(scope="session")
def backbone(mirror):
    """A backbone that no test trains."""
    return mirror.load_backbone("mini_resnet", precision="float32")


@pytest.fixture
def classifier(mirror):
    mirror.set_seed(0)
    return mirror.build_classifier(mirror.load_backbone("mini_resnet"), 2)


class TestBackbones:
    def test_embedded_backbone_knows_its_origin(self, backbone):
        assert (backbone.name, backbone.input_size, backbone.feature_size) == ("mini_resnet", 64, 256)
        assert backbone.provenance.kind == "embedded"
        assert "Tiny ImageNet" in repr(backbone)

    @pytest.mark.parametrize("name", ["mini_resnet", "mobilenet_v2"])  # lesson 04 runs the others
    def test_a_backbone_runs_with_random_weights(self, mirror, name):
        backbone = mirror.load_backbone(name, weights="random", image_size=64)
        features = mirror.extract_features(backbone, np.zeros((2, 64, 64, 3), np.uint8), cache=False)
        assert features.shape == (2, backbone.feature_size)
        assert np.isfinite(features).all()

    def test_unknown_backbone_gets_a_proposal(self, mirror):
        with pytest.raises(UnknownNameError, match="Did you mean 'mini_resnet'"):
            mirror.load_backbone("mini_resnt")

    def test_unknown_layer_gets_a_proposal(self, mirror):
        with pytest.raises(UnknownNameError, match="stage4"):
            mirror.load_backbone("mini_resnet", layer="stage5")

    def test_cut_backbone_ends_at_the_layer(self, mirror, pets):
        cut = mirror.load_backbone("mini_resnet", layer="stage3", precision="float32")
        whole = mirror.load_backbone("mini_resnet", precision="float32")
        assert cut.feature_size == 128
        expected = mirror.feature_maps(whole, pets.images[:2], "stage3").mean((1, 2))
        found = mirror.extract_features(cut, pets.images[:2], cache=False)
        np.testing.assert_allclose(found, expected, atol=1e-4)

    def test_missing_weights_file(self, mirror, tmp_path):
        with pytest.raises(WeightsError, match="found nothing at"):
            mirror.load_backbone("mobilenet", weights=tmp_path / "none.weights.h5")

    def test_weights_of_another_architecture(self, mirror):
        data = os.environ.get("TLHELPERS_DATA")
        if not data:
            pytest.skip("needs the weights in TLHELPERS_DATA")
        framework = mirror.__name__.rpartition(".")[2]
        file = Path(data) / "weights" / PACK_WEIGHTS["mobilenet", framework][0]
        with pytest.raises(WeightsError, match="does not hold the weights of resnet50"):
            mirror.load_backbone("resnet50", weights=file)

    @pytest.mark.parametrize("broken", [b"", b"not weights at all", b"\x89HDF\r\n\x1a\n" + bytes(200)])
    @pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".weights.h5"])
    def test_broken_weights_file(self, mirror, tmp_path, broken, suffix):
        file = tmp_path / f"broken{suffix}"
        file.write_bytes(broken)
        with pytest.raises(WeightsError):
            mirror.load_backbone("mini_resnet", weights=file)

    def test_unknown_precision(self, mirror):
        with pytest.raises(ValueError, match="float32"):
            mirror.load_backbone("mini_resnet", precision="bf16")


class TestFeatures:
    def test_batch_size_does_not_change_features(self, mirror, backbone, pets):
        one = mirror.extract_features(backbone, pets.images, batch_size=7, cache=False)
        other = mirror.extract_features(backbone, pets.images, batch_size=48, cache=False)
        np.testing.assert_allclose(one, other, atol=1e-4)

    def test_float_images_equal_uint8_images(self, mirror, backbone, pets):
        as_float = pets.images[:4].astype(np.float32) / 255
        np.testing.assert_allclose(
            mirror.extract_features(backbone, as_float, cache=False),
            mirror.extract_features(backbone, pets.images[:4], cache=False),
            atol=1e-3,
        )

    @pytest.mark.filterwarnings("error::UserWarning")
    def test_read_only_images_are_taken_without_a_warning(self, mirror, classifier, pets):
        images = pets.images.copy()
        images.flags.writeable = False
        mirror.extract_features(classifier.backbone, images, cache=False)
        mirror.freeze(classifier)
        mirror.fit(classifier, images, pets.species, images, pets.species, epochs=1, progress=False)

    def test_fast_precision_stays_near_float32(self, mirror, backbone, pets):
        many = np.concatenate([pets.images] * 6)  # enough for the traced graph
        fast = mirror.extract_features(mirror.load_backbone("mini_resnet"), many, batch_size=16, cache=False)
        exact = mirror.extract_features(backbone, many, cache=False)
        assert np.abs(fast - exact).max() <= 0.05 * np.abs(exact).max()

    def test_cache_serves_the_same_and_notices_changes(self, mirror, pets, tmp_path, monkeypatch):
        monkeypatch.setenv("TLHELPERS_CACHE", str(tmp_path))
        backbone = mirror.load_backbone("mini_resnet")
        first = mirror.extract_features(backbone, pets.images)
        assert len(list(tmp_path.rglob("*.npy"))) == 1
        np.testing.assert_array_equal(mirror.extract_features(backbone, pets.images), first)
        mirror.extract_features(backbone, pets.images[:5])  # other images
        mirror.extract_features(mirror.load_backbone("mini_resnet", weights="random"), pets.images)  # other weights
        assert len(list(tmp_path.rglob("*.npy"))) == 3

    def test_broken_cache_file_is_made_again(self, mirror, backbone, pets, tmp_path, monkeypatch):
        monkeypatch.setenv("TLHELPERS_CACHE", str(tmp_path))
        first = mirror.extract_features(backbone, pets.images)
        (file,) = tmp_path.rglob("*.npy")
        file.write_bytes(file.read_bytes()[:100])
        np.testing.assert_array_equal(mirror.extract_features(backbone, pets.images), first)

    def test_feature_maps_are_channels_last(self, mirror, backbone, pets):
        shapes = {name: mirror.feature_maps(backbone, pets.images[:2], name).shape for name in backbone.layer_names}
        assert shapes == {
            "stem": (2, 32, 32, 32), "stage1": (2, 32, 32, 32), "stage2": (2, 16, 16, 64),
            "stage3": (2, 8, 8, 128), "stage4": (2, 4, 4, 256),
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (np.zeros((2, 32, 32, 3), np.uint8), r"expected images of shape \(n, 64, 64, 3\)"),
            (np.zeros((64, 64, 3), np.uint8), "expected images of shape"),
            (np.zeros((2, 64, 64, 3), np.int64), "uint8"),
            (np.full((2, 64, 64, 3), 255.0), "within 0 and 1"),
            (np.full((2, 64, 64, 3), np.nan), "within 0 and 1"),
        ],
    )
    def test_wrong_images_are_refused(self, mirror, backbone, images, message):
        with pytest.raises(ValueError, match=message):
            mirror.extract_features(backbone, images)


class TestFreezing:
    def test_frozen_backbone_keeps_weights_and_statistics(self, mirror, classifier, pets):
        mirror.freeze(classifier)
        before = classifier.backbone.fingerprint()
        mirror.fit(classifier, pets.images, pets.species, epochs=1, progress=False)
        assert classifier.backbone.fingerprint() == before

    def test_unfreezing_a_layer_leaves_the_earlier_ones(self, mirror, classifier, pets):
        def maps(layer):
            return mirror.feature_maps(classifier.backbone, pets.images[:4], layer)

        mirror.unfreeze(classifier, from_layer="stage4")
        before = {layer: maps(layer) for layer in ("stage3", "stage4")}
        mirror.fit(classifier, pets.images, pets.species, epochs=1, lr=1e-3, progress=False)
        np.testing.assert_array_equal(maps("stage3"), before["stage3"])
        assert np.abs(maps("stage4") - before["stage4"]).max() > 1e-4

    def test_batch_norm_moves_only_when_asked(self, mirror, classifier):
        mirror.unfreeze(classifier)
        without = mirror.count_parameters(classifier).trainable
        mirror.unfreeze(classifier, batch_norm=True)
        count = mirror.count_parameters(classifier)
        assert count.frozen == 0
        assert count.trainable > without

    def test_everything_frozen_is_told(self, mirror, classifier, pets):
        mirror.freeze(classifier)
        head = classifier.head
        if hasattr(head, "requires_grad_"):
            head.requires_grad_(False)
        else:
            head.trainable = False
        with pytest.raises(ValueError, match="every parameter is frozen"):
            mirror.fit(classifier, pets.images, pets.species, epochs=1, progress=False)

    def test_unknown_layer(self, mirror, classifier):
        with pytest.raises(UnknownNameError, match="stage4"):
            mirror.unfreeze(classifier, from_layer="stage44")


class TestTraining:
    def test_head_learns_separable_features_and_stops_early(self, mirror):
        rng = np.random.default_rng(0)
        y = np.arange(60) % 3
        x = (np.eye(3)[y] * 4 + rng.normal(size=(60, 3))).astype(np.float32)
        mirror.set_seed(0)
        head = mirror.build_head(3, 3)
        history = mirror.fit(head, x, y, x, y, epochs=60, lr=0.1, patience=5, progress=False)
        assert (mirror.predict_proba(head, x).argmax(1) == y).mean() > 0.9
        assert len(history) <= 60
        assert history.best_epoch == int(np.argmin(history.val_loss))

    def test_best_weights_are_kept(self, mirror):
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(40, 5)).astype(np.float32), np.arange(40) % 2
        head = mirror.build_head(5, 2)
        history = mirror.fit(head, x, y, x[:20], 1 - y[:20], epochs=8, lr=0.5, progress=False)  # can only get worse
        probabilities = mirror.predict_proba(head, x[:20])
        loss = -np.log(probabilities[np.arange(20), 1 - y[:20]]).mean()
        assert loss == pytest.approx(min(history.val_loss), rel=1e-3)

    def test_same_seed_same_result(self, mirror, pets):
        results = []
        for _ in range(2):
            mirror.set_seed(3)
            model = mirror.build_classifier(mirror.load_backbone("mini_resnet"), 2)
            mirror.freeze(model)
            history = mirror.fit(model, pets.images, pets.species, epochs=2, augment=True, seed=3, progress=False)
            results.append(history.loss)
        np.testing.assert_allclose(results[0], results[1], rtol=1e-4)

    def test_whole_network_learns(self, mirror, classifier, pets):
        mirror.unfreeze(classifier, batch_norm=True)
        history = mirror.fit(classifier, pets.images, pets.species, epochs=6, lr=1e-3, progress=False)
        assert history.loss[-1] < history.loss[0]
        assert history.total_seconds > 0

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"y": np.zeros(3, int)}, "as many labels as inputs"),
            ({"y": np.full(48, 2)}, "expected labels of 0 to 1"),
            ({"epochs": 0}, "epochs >= 1"),
            ({"schedule": "linear"}, "cosine"),
            ({"optimizer": "adm"}, "Did you mean 'adam'"),
            ({"x_val": np.zeros((2, 64, 64, 3), np.uint8)}, "no labels"),
        ],
    )
    def test_wrong_arguments_are_told(self, mirror, classifier, pets, changes, message):
        arguments = {"x": pets.images, "y": pets.species, "epochs": 1, "progress": False} | changes
        with pytest.raises(ValueError, match=message):
            mirror.fit(classifier, **arguments)

    def test_diverging_loss_is_told(self, mirror):
        x = np.full((8, 4), 1e30, np.float32)
        x[::2] *= -1
        with pytest.raises(ValueError, match="lower the learning rate"):
            mirror.fit(
                mirror.build_head(4, 2), x, np.arange(8) // 4, epochs=30, lr=1e30, optimizer="sgd", progress=False
            )

    @settings(max_examples=8, deadline=None)
    @given(n=st.integers(1, 9), classes=st.integers(2, 5))
    def test_probabilities_sum_to_one(self, mirror, n, classes):
        head = mirror.build_head(6, classes)
        probabilities = mirror.predict_proba(head, np.random.default_rng(n).normal(size=(n, 6)).astype(np.float32))
        assert probabilities.shape == (n, classes)
        np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)


class TestSaving:
    def test_loaded_classifier_gives_the_same_answers(self, mirror, classifier, pets, tmp_path):
        mirror.unfreeze(classifier, batch_norm=True)
        mirror.fit(classifier, pets.images, pets.species, epochs=1, progress=False)
        path = mirror.save_classifier(classifier, tmp_path / "gatos y perros ñ.safetensors", ("gato", "perro"))
        loaded, names = mirror.load_classifier(path)
        assert names == ("gato", "perro")
        expected = mirror.predict_proba(classifier, pets.images)
        np.testing.assert_allclose(mirror.predict_proba(loaded, pets.images), expected, atol=1e-4)
        assert mirror.count_parameters(loaded).trainable == 514

    def test_file_of_the_other_framework_is_refused(self, mirror, classifier, tmp_path):
        path = mirror.save_classifier(classifier, tmp_path / "a.safetensors", ("cat", "dog"))
        content = path.read_bytes()
        here = mirror.__name__.rpartition(".")[2].encode()
        there = {b"pytorch": b"tensorfl", b"tensorflow": b"pytorch___"}[here]
        path.write_bytes(content.replace(here, there.ljust(len(here), b"_")[: len(here)]))
        with pytest.raises(WeightsError, match="was saved from"):
            mirror.load_classifier(path)

    @pytest.mark.parametrize("content", [b"", b"{}", b"\x08" + bytes(7) + b"{}      "])
    def test_what_is_no_classifier_is_refused(self, mirror, tmp_path, content):
        path = tmp_path / "a.safetensors"
        path.write_bytes(content)
        with pytest.raises(WeightsError):
            mirror.load_classifier(path)

    def test_wrong_number_of_names(self, mirror, classifier, tmp_path):
        with pytest.raises(ValueError, match="expected 2 class names"):
            mirror.save_classifier(classifier, tmp_path / "a.safetensors", ("cat",))
        assert not list(tmp_path.iterdir())

    def test_head_that_does_not_fit(self, mirror, backbone):
        with pytest.raises(ValueError, match="256 features"):
            mirror.build_classifier(backbone, head=mirror.build_head(10, 2))


class TestParity:
    """Both frameworks are held against the same stored summary, so that neither process needs the other."""

    def test_names_parameters_and_counts_agree(self, mirror, classifier):
        signatures = {
            name: [
                str(p.replace(annotation=p.empty)) for p in inspect.signature(getattr(mirror, name)).parameters.values()
            ]
            for name in mirror.__all__
            if inspect.isfunction(getattr(mirror, name))
        }
        found = {
            "signatures": signatures,
            "frozen": _summary(mirror, classifier, lambda: mirror.freeze(classifier)),
            "stage4": _summary(mirror, classifier, lambda: mirror.unfreeze(classifier, from_layer="stage4")),
            "all": _summary(mirror, classifier, lambda: mirror.unfreeze(classifier, batch_norm=True)),
            "backbone": repr(mirror.load_backbone("mini_resnet", weights="random")),
        }
        assert found == json.loads(SUMMARIES.read_text())


def _summary(mirror, classifier, change) -> str:
    change()
    return str(mirror.count_parameters(classifier))
