"""What both mirrors promise of layers' features, filters and class activation maps."""

import numpy as np
import pytest

from tlhelpers.drawn_pets import draw_pets
from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.activation_maps import cover_places, strongest_place
from tlhelpers.legacy.similarity import linear_cka

LAYERS = ("stem", "stage1", "stage2", "stage3", "stage4")


@pytest.fixture(scope="session")
def network(mirror):
    return mirror.load_source_classifier("mini_resnet")


@pytest.fixture(scope="session")
def images():
    return draw_pets(7, seed=3, size=64).images


class TestLayerFeatures:
    def test_each_is_the_mean_of_its_maps(self, mirror, inspection, images):
        network = mirror.load_source_classifier("mini_resnet", precision="float32")
        features = inspection.layer_features(network.backbone, images, batch_size=3)
        assert tuple(features) == LAYERS
        for layer, values in features.items():
            expected = mirror.feature_maps(network.backbone, images, layer).mean((1, 2))
            assert values.dtype == np.float32
            np.testing.assert_allclose(values, expected, rtol=1e-2, atol=1e-2)

    def test_the_last_is_what_extract_features_gives(self, mirror, inspection, network, images):
        expected = mirror.extract_features(network.backbone, images, cache=False, progress=False)
        found = inspection.layer_features(network.backbone, images)["stage4"]
        np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)

    def test_a_classifier_floats_and_some_layers(self, inspection, network, images):
        found = inspection.layer_features(network, (images / 255).astype(np.float32), ["stage2", "stem"])
        expected = inspection.layer_features(network, images, ["stem", "stage2"])
        assert tuple(found) == ("stage2", "stem")
        for layer, values in found.items():
            np.testing.assert_allclose(values, expected[layer], rtol=1e-2, atol=1e-2)

    def test_it_follows_training_and_leaves_the_model_as_it_was(self, mirror, inspection, images):
        mirror.set_seed(0)
        model = mirror.build_classifier(mirror.load_backbone("mini_resnet_narrow"), 2)
        before = inspection.layer_features(model, images)
        mirror.unfreeze(model, from_layer="stage4")
        fingerprint = model.backbone.fingerprint()
        inspection.layer_features(model, images)
        assert model.backbone.fingerprint() == fingerprint
        mirror.fit(model, images, np.arange(7) % 2, epochs=2, lr=1e-2, progress=False)
        after = inspection.layer_features(model, images)
        np.testing.assert_array_equal(after["stage3"], before["stage3"])
        assert linear_cka(after["stage4"], before["stage4"]) < 0.9999

    def test_errors(self, inspection, network, images):
        with pytest.raises(UnknownNameError, match="Did you mean 'stage4'"):
            inspection.layer_features(network, images, ["stage44"])
        with pytest.raises(ValueError, match="64, 64, 3"):
            inspection.layer_features(network, images[:, :32, :32])


class TestFirstLayerFilters:
    def test_they_are_those_of_the_weights_file(self, inspection, network):
        from tlhelpers.legacy.backbones import embedded_weights

        filters = inspection.first_layer_filters(network.backbone)
        assert filters.dtype == np.float32
        np.testing.assert_array_equal(filters, embedded_weights()[0]["stem.conv.weight"].transpose(0, 2, 3, 1))


class TestClassActivationMap:
    def test_before_pooling_and_a_linear_head_it_is_the_weighted_sum(self, mirror, inspection, network, images):
        """There Grad-CAM is the class activation map of Zhou et al. (CVPR 2016): the head's weights times the maps."""
        from tlhelpers.legacy.backbones import embedded_weights

        maps = mirror.feature_maps(network.backbone, images)
        expected = np.maximum(maps @ embedded_weights()[0]["head.weight"][30], 0)
        expected /= expected.max((1, 2), keepdims=True)
        found = inspection.class_activation_map(network, images, 30, batch_size=3)
        assert found.shape == (7, 64, 64)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found[:, 8::16, 8::16], expected, atol=0.15)  # enlarging blurs the pixels a little

    def test_covering_what_it_marks_costs_more_than_covering_what_it_does_not(self, mirror, inspection, network):
        pictures = draw_pets(24, seed=4, size=64).images
        before = mirror.predict_proba(network, pictures)
        answers = before.argmax(1)
        found = inspection.class_activation_map(network, pictures, answers)
        lost = []
        for places in (strongest_place(found), strongest_place(-found)):
            after = mirror.predict_proba(network, cover_places(pictures, places, 20))
            lost.append((before - after)[np.arange(24), answers].mean())
        assert lost[0] > 2 * abs(lost[1])

    @pytest.mark.parametrize("layer", ["stem", "stage2", "stage3"])
    def test_other_layers(self, inspection, network, images, layer):
        found = inspection.class_activation_map(network, images, np.arange(7), layer=layer)
        assert found.shape == (7, 64, 64)
        assert ((found >= 0) & (found <= 1)).all()
        assert found.any((1, 2)).sum() >= 4

    def test_names_and_numbers_are_the_same_class(self, inspection, network, images):
        by_name = inspection.class_activation_map(network, images[:2], "tabby")
        by_number = inspection.class_activation_map(network, images[:2], network.class_names.index("tabby"))
        np.testing.assert_array_equal(by_name, by_number)

    def test_a_model_in_training_is_left_as_it_was(self, mirror, inspection, images):
        mirror.set_seed(0)
        model = mirror.build_classifier(mirror.load_backbone("mini_resnet_narrow"), 2)
        mirror.unfreeze(model, batch_norm=True)
        before = model.backbone.fingerprint()
        inspection.class_activation_map(model, images, 1)
        assert model.backbone.fingerprint() == before
        assert mirror.count_parameters(model).frozen == 0

    def test_errors(self, mirror, inspection, network, images):
        with pytest.raises(UnknownNameError, match="layer"):
            inspection.class_activation_map(network, images, 0, layer="stage9")
        with pytest.raises(UnknownNameError, match="tabby"):
            inspection.class_activation_map(network, images, "tabbi")
        with pytest.raises(ValueError, match="0 to 201"):
            inspection.class_activation_map(network, images, 202)
        with pytest.raises(TypeError, match="head"):
            inspection.class_activation_map(network.backbone, images, 0)
