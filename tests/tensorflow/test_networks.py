"""The course's networks in Keras, as the users of `keras.applications` know networks."""

import inspect

import keras
import numpy as np
import pytest
import skimage.data
from PIL import Image

from tlhelpers.drawn_pets import draw_pets
from tlhelpers.tensorflow import efficientnet_lite0, mini_resnet
from tlhelpers.tensorflow.efficientnet_lite0 import EfficientNetLite0
from tlhelpers.tensorflow.mini_resnet import MiniResNet

NETWORKS = {MiniResNet: (mini_resnet, 64, 202), EfficientNetLite0: (efficientnet_lite0, 224, 1000)}
BOTH = pytest.mark.parametrize("build", NETWORKS, ids=lambda build: build.__name__)


@BOTH
def test_called_as_keras_applications_are(build):
    ours, theirs = (inspect.signature(f).parameters for f in (build, keras.applications.ResNet50))
    assert set(theirs) - set(ours) == {"input_tensor"}
    for name in ("include_top", "pooling", "classifier_activation"):
        assert ours[name].default == theirs[name].default
    module, _, classes = NETWORKS[build]
    assert ours["classes"].default == classes
    assert list(inspect.signature(module.decode_predictions).parameters) == ["preds", "top"]


@BOTH
def test_the_three_ends_of_a_network(build):
    _, size, classes = NETWORKS[build]
    channels = {MiniResNet: 256, EfficientNetLite0: 1280}[build]
    maps = {MiniResNet: 4, EfficientNetLite0: 7}[build]
    assert build(weights=None).output_shape == (None, classes)
    assert build(weights=None, include_top=False).output_shape == (None, maps, maps, channels)
    for pooling in ("avg", "max"):
        assert build(weights=None, include_top=False, pooling=pooling).output_shape == (None, channels)
    assert build(weights=None, input_shape=(2 * size, size, 3), include_top=False).output_shape[1] == 2 * maps
    assert build(weights=None, classes=2).output_shape == (None, 2)


@BOTH
def test_weights_with_another_number_of_classes_are_refused(build):
    with pytest.raises(ValueError, match=r"classes=2 .*weights=None"):
        build(classes=2)
    with pytest.raises(ValueError, match="no_such_weights"):
        build(weights="no_such_weights")


def test_width_without_trained_weights_is_refused():
    with pytest.raises(ValueError, match="width of 32, 16"):
        MiniResNet(width=8)
    assert MiniResNet(width=8, weights=None).get_layer("layer4").output.shape == (None, 4, 4, 64)


@BOTH
def test_head_of_ones_own_on_a_frozen_network_trains_and_survives_a_file(build, tmp_path):
    module, size, _ = NETWORKS[build]
    keras.utils.set_random_seed(0)
    pets = draw_pets(16, seed=3, size=size)
    base = build(include_top=False, pooling="avg")
    base.trainable = False
    inputs = keras.Input((size, size, 3))
    outputs = keras.layers.Dense(2)(base(module.preprocess_input(inputs), training=False))
    model = keras.Model(inputs, outputs)
    before = base.get_weights()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss, metrics=["accuracy"], jit_compile=False)
    history = model.fit(pets.images, pets.species, epochs=8, batch_size=16, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert all(np.array_equal(a, b) for a, b in zip(before, base.get_weights(), strict=True))
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again(pets.images[:2]), model(pets.images[:2]), atol=1e-5)


def test_layers_have_the_names_of_pytorchs_modules():
    names = [layer.name for layer in MiniResNet(weights=None).layers]
    for name in ("conv1", "bn1", "relu", "layer1", "layer2.0.downsample.0", "layer4.0.conv2", "avgpool", "fc"):
        assert name in names
    names = [layer.name for layer in EfficientNetLite0(weights=None).layers]
    for name in (
        "conv_stem",
        "bn1",
        "blocks.0.0.conv_pw",
        "blocks.6.0.conv_pwl",
        "blocks.6",
        "conv_head",
        "classifier",
    ):
        assert name in names


def test_weights_of_ones_own_are_read_from_a_file(tmp_path):
    model = MiniResNet(weights=None, classes=2)
    model.save_weights(tmp_path / "m.weights.h5")
    again = MiniResNet(weights=str(tmp_path / "m.weights.h5"), classes=2)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), again.get_weights(), strict=True))


@BOTH
def test_preprocessing_of_arrays_tensors_and_inputs_is_one(build):
    module, size, _ = NETWORKS[build]
    images = draw_pets(2, seed=0, size=size).images
    expected = module.preprocess_input(images)
    assert expected.dtype == np.float32
    np.testing.assert_allclose(module.preprocess_input(keras.ops.convert_to_tensor(images)), expected, atol=1e-6)
    inputs = keras.Input((size, size, 3), dtype="uint8")
    model = keras.Model(inputs, module.preprocess_input(inputs))
    np.testing.assert_allclose(model(images), expected, atol=1e-6)
    white = {MiniResNet: (1 - 0.485) / 0.229, EfficientNetLite0: 1.0}[build]
    assert module.preprocess_input(np.full((1, 1, 1, 3), 255, np.uint8))[0, 0, 0, 0] == pytest.approx(white)


def test_a_real_cat_is_a_cat_to_imagenet():
    square = (
        Image.fromarray(skimage.data.chelsea()).crop((75, 0, 375, 300)).resize((224, 224), Image.Resampling.BICUBIC)
    )
    x = efficientnet_lite0.preprocess_input(np.asarray(square)[None])
    (answers,) = efficientnet_lite0.decode_predictions(EfficientNetLite0()(x, training=False), top=3)
    assert [name for _, name, _ in answers] == ["Egyptian cat", "tiger cat", "tabby"]
    np.testing.assert_allclose([p for *_, p in answers], [0.385, 0.332, 0.163], atol=0.002)


def test_predictions_of_another_shape_cannot_be_decoded():
    with pytest.raises(ValueError, match=r"\(n, 1000\).*\(2, 202\)"):
        efficientnet_lite0.decode_predictions(np.zeros((2, 202)))
