"""What the lessons show and later lessons import: heads, freezing, training."""

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from tlhelpers.tensorflow.heads import add_head, count_parameters  # noqa: E402
from tlhelpers.tensorflow.mini_resnet import MiniResNet, preprocess_input  # noqa: E402
from tlhelpers.tensorflow.networks import load_network  # noqa: E402
from tlhelpers.tensorflow.training import fit  # noqa: E402


def make_batches(n=48, seed=0, labels=None):
    """Batches of small noise, bright in class 1, so that a network can learn them."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2 if labels is None else labels
    x = np.clip(rng.normal(90, 30, (n, 32, 32, 3)) + 60 * y[:, None, None, None], 0, 255).astype("float32")
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(16)


def make_classifier(trainable):
    base = MiniResNet(include_top=False, pooling="avg", input_shape=(32, 32, 3))
    base.trainable = trainable
    return base, add_head(base, preprocess_input, 2)


def moved(weights, action):
    before = [weight.numpy() for weight in weights]
    action()
    return [weight.path for weight, old in zip(weights, before, strict=True) if not np.array_equal(weight.numpy(), old)]


@pytest.mark.parametrize("name", ["mini_resnet", "mobilenet_v2"])
def test_a_network_comes_with_its_preprocessing(name):
    network, prepare = load_network(name, 64, pretrained=False, include_top=False, pooling="avg")
    pixels = np.full((1, 64, 64, 3), 255, "float32")
    assert network.output_shape == (None, {"mini_resnet": 256, "mobilenet_v2": 1280}[name])
    assert np.asarray(prepare(pixels.copy())).max() == pytest.approx({"mini_resnet": 2.64, "mobilenet_v2": 1.0}[name])


def test_an_unknown_network_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="mini_resnet, efficientnet_lite0"):
        load_network("resnet_of_my_own", 64)


def test_what_is_frozen_does_not_move_and_the_head_does():
    base, model = make_classifier(trainable=False)
    assert count_parameters(model)["trainable"] == 2 * 257
    found = moved(base.weights, lambda: fit(
        model, keras.optimizers.AdamW(0.01), make_batches(), make_batches(seed=1), patience=2, epochs=2
    ))  # fmt: skip
    assert found == []
    assert np.abs(model.layers[-1].bias.numpy()).max() > 0


def test_batch_norm_learns_where_it_is_not_frozen_whatever_the_call_says():
    # Keras 3 hands `training=True` of `fit` to every layer of a functional model, also where it was called with False.
    base = MiniResNet(include_top=False, pooling="avg", input_shape=(32, 32, 3))
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, keras.layers.Dense(2)(base(preprocess_input(inputs), training=False)))
    norms = [layer for layer in base.layers if isinstance(layer, keras.layers.BatchNormalization)]
    statistics = [weight for weight in base.weights if "moving" in weight.path]

    def train():
        fit(model, keras.optimizers.SGD(0.0), make_batches(), make_batches(seed=1), patience=1, epochs=1)

    assert len(moved(statistics, train)) == len(statistics)
    for layer in norms:
        layer.trainable = False
    assert moved(statistics, train) == []


def test_fit_stops_when_patience_ends_and_puts_the_best_weights_back():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(1)
    _, model = make_classifier(trainable=True)
    val = make_batches(seed=2, labels=rng.integers(0, 2, 48))  # labels without sense: the loss on them can only rise
    history = fit(model, keras.optimizers.AdamW(3e-3), make_batches(), val, patience=3, epochs=40)
    best = int(np.argmin(history["val_loss"]))
    assert len(history["loss"]) == best + 3 + 1 < 40
    loss, accuracy = model.evaluate(val, verbose=0)
    assert (loss, accuracy) == pytest.approx((history["val_loss"][best], history["val_accuracy"][best]), abs=1e-4)
