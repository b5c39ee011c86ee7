"""What both mirrors promise of measured costs and published facts. Each test takes the mirror as the fixture `mirror`.

The published figures are for whole networks; without its head a network has a little less, VGG-16 0.12 of 15.5.
"""

import importlib

import numpy as np
import pytest

from tlhelpers.errors import DataNotFoundError
from tlhelpers.legacy.costs import convolution_multiply_adds

SIZES = ((3, 32, 2), (32, 32, 1), (32, 64, 2), (64, 128, 2), (128, 256, 2))


@pytest.fixture(scope="session")
def costs(mirror):
    return importlib.import_module(f"{mirror.__name__}.costs")


def mini_resnet_by_hand(size: int = 64) -> tuple[int, int]:
    """Multiply-adds and parameters: a stem, and four stages of two 3x3 convolutions, each with its BatchNorm.

    Where the shape changes the shortcut is a 1x1 convolution.
    """
    side = size // 2
    work, parameters = convolution_multiply_adds(3, 32, 3, side, side), 3 * 32 * 9 + 2 * 32
    for ins, outs, stride in SIZES[1:]:
        side //= stride
        shortcut = [(ins, 1)] if ins != outs else []
        for channels, kernel in ((ins, 3), (outs, 3), *shortcut):
            work += convolution_multiply_adds(channels, outs, kernel, side, side)
            parameters += channels * outs * kernel**2 + 2 * outs
    return work, parameters


class TestMeasureCost:
    def test_counts_are_those_of_the_formula(self, mirror, costs):
        backbone = mirror.load_backbone("mini_resnet")
        cost = costs.measure_cost(backbone, batch_size=4, repeats=2)
        assert (cost.multiply_adds, cost.parameters) == mini_resnet_by_hand()
        assert cost.latency_ms > 0
        assert cost.images_per_second > 0

    def test_size_is_that_of_the_saved_file(self, mirror, costs, tmp_path):
        classifier = mirror.build_classifier(mirror.load_backbone("mini_resnet"), 2)
        path = mirror.save_classifier(classifier, tmp_path / "model.safetensors", ("cat", "dog"))
        cost = costs.measure_cost(classifier, batch_size=1, repeats=1)
        assert cost.size_bytes == pytest.approx(path.stat().st_size, rel=0.02)

    def test_a_head_adds_its_products(self, mirror, costs):
        backbone = mirror.load_backbone("mini_resnet_narrow")
        alone = costs.measure_cost(backbone, batch_size=1, repeats=1)
        whole = costs.measure_cost(mirror.build_classifier(backbone, 10), batch_size=1, repeats=1)
        assert whole.multiply_adds - alone.multiply_adds == backbone.feature_size * 10
        assert whole.parameters - alone.parameters == backbone.feature_size * 10 + 10

    def test_weights_do_not_matter_for_the_counts_and_the_model_is_left_as_it_was(self, mirror, costs):
        trained = mirror.load_backbone("mini_resnet_narrow")
        before = trained.fingerprint()
        counts = [
            (cost.parameters, cost.multiply_adds, cost.size_bytes)
            for cost in (
                costs.measure_cost(backbone, batch_size=1, repeats=1)
                for backbone in (trained, mirror.load_backbone("mini_resnet_narrow", weights="random"))
            )
        ]
        assert counts[0] == counts[1]
        assert trained.fingerprint() == before

    def test_twice_the_side_is_four_times_the_work(self, mirror, costs):
        small, large = (
            costs.count_multiply_adds(mirror.load_backbone("mini_resnet", image_size=size)) for size in (64, 128)
        )
        assert large == 4 * small

    def test_counts_are_the_published_ones(self, mirror, costs):
        # Of the whole network: Sandler et al., "MobileNetV2" (CVPR 2018). Lesson 04 counts the other networks.
        backbone = mirror.load_backbone("mobilenet_v2", weights="random")
        assert costs.count_multiply_adds(backbone) / 1e9 == pytest.approx(0.300, rel=0.02)
        counted = mirror.count_parameters(backbone)
        assert counted.trainable + counted.frozen == pytest.approx(2.22e6, rel=0.002)

    @pytest.mark.parametrize("arguments", [{"batch_size": 0}, {"repeats": 0}])
    def test_nothing_to_measure_is_refused(self, mirror, costs, arguments):
        with pytest.raises(ValueError, match="expected batch_size >= 1 and repeats >= 1"):
            costs.measure_cost(mirror.load_backbone("mini_resnet_narrow"), **arguments)


class TestTransformer:
    def test_features_are_the_class_token(self, mirror):
        mirror.set_seed(0)
        backbone = mirror.load_backbone("vit_b_16", weights="random", image_size=32)
        images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
        features = mirror.extract_features(backbone, images, cache=False)
        assert features.shape == (3, 768)
        np.testing.assert_allclose(features.mean(1), 0, atol=0.02)  # a layer norm ends it
        assert np.abs(features[0] - features[1]).max() > 1e-4


class TestPublishedFacts:
    def test_a_known_network_has_accuracy_and_source(self, costs):
        facts = costs.published_facts("resnet50")
        assert 0.74 < facts.top1 < 0.77
        assert facts.top1_source
        assert facts.licence

    @pytest.mark.parametrize("name", ["mini_resnet", "no_such_network"])
    def test_what_nobody_states_is_blank(self, costs, name):
        assert costs.published_facts(name).top1 is None


class TestWeightsAtHand:
    def test_only_what_needs_no_download(self, mirror, tmp_path, monkeypatch):
        backbones = importlib.import_module(f"{mirror.__name__}.backbones")
        monkeypatch.delenv("TLHELPERS_DATA", raising=False)
        monkeypatch.setenv("TLHELPERS_CACHE", str(tmp_path))
        assert backbones.weights_at_hand("mini_resnet")
        assert not backbones.weights_at_hand("resnet50")
        assert not backbones.weights_at_hand("mobilenet")
        assert not backbones.weights_at_hand("vit_b_16")

    def test_without_network_the_error_names_the_weights(self, mirror, tmp_path, monkeypatch):
        monkeypatch.delenv("TLHELPERS_DATA", raising=False)
        monkeypatch.setenv("TLHELPERS_CACHE", str(tmp_path))
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        with pytest.raises(DataNotFoundError, match="vit_b_16"):
            mirror.load_backbone("vit_b_16")
