"""EfficientNet-Lite0 with ImageNet's weights, in the manner of `keras.applications`.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019), in Google's form for
small devices: no squeeze-and-excitation, and ReLU6. The weights come from a package of the Python registry, so that no
other server is needed. `tlhelpers.pytorch.efficientnet_lite0` is the same network with the same weights, and the layers
here have the names that timm's modules have there.
"""

import keras
import numpy as np
from keras import layers

from tlhelpers.tensorflow.pretrained import add_top, check_weights, copy_tensors, decode
from tlhelpers.weights import imagenet_classes
from tlhelpers.weights.efficientnet_lite0 import efficientnet_lite0_tensors

# Of each stage: channels, blocks, their expansion, side of their kernels, stride of the first block.
STAGES = (
    (16, 1, 1, 3, 1),
    (24, 2, 6, 3, 2),
    (40, 2, 6, 5, 2),
    (80, 3, 6, 3, 2),
    (112, 3, 6, 5, 1),
    (192, 4, 6, 5, 2),
    (320, 1, 6, 3, 1),
)


def EfficientNetLite0(
    include_top=True,
    weights="imagenet",
    input_shape=(224, 224, 3),
    pooling=None,
    classes=1000,
    classifier_activation="softmax",
    name="efficientnet_lite0",
):
    """EfficientNet-Lite0 as a `keras.Model`, with the arguments of `keras.applications`.

    Its inputs are images after `preprocess_input`.

    Args:
        include_top: Whether to end in the classifier; without it the network gives features.
        weights: `"imagenet"`, None for an untrained network, or the path of a file of weights.
        input_shape: (height, width, 3).
        pooling: Without the top: `"avg"` or `"max"` for a vector, None for feature maps.
        classes: Of the classifier; those of ImageNet are 1,000.
        classifier_activation: `"softmax"` for probabilities, None for logits.
        name: Of the model.

    Raises:
        ValueError: no such weights, or `classes` is not what they were trained for.
        WeightsError: the package that holds ImageNet's weights is not installed, or its file has been changed.
    """
    check_weights(weights, "imagenet", include_top, classes, 1000)
    inputs = keras.Input(input_shape)
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="conv_stem")(inputs)
    x = batch_norm(x, name="bn1")
    for i, (filters, blocks, expansion, kernel_size, strides) in enumerate(STAGES):
        for j in range(blocks):
            x = block(x, filters, expansion, kernel_size, strides if j == 0 else 1, name=f"blocks.{i}.{j}")
        x = layers.Identity(name=f"blocks.{i}")(x)  # so that a stage can be named
    x = layers.Conv2D(1280, 1, use_bias=False, name="conv_head")(x)
    x = batch_norm(x, name="bn2")
    x = add_top(x, include_top, pooling, classes, classifier_activation, names=("global_pool", "classifier"))
    model = keras.Model(inputs, x, name=name)
    if weights == "imagenet":
        copy_tensors(model, efficientnet_lite0_tensors())
    elif weights is not None:
        model.load_weights(weights)
    return model


def block(x, filters, expansion, kernel_size, strides, name):
    """More channels, a convolution in each of them, fewer channels; and a shortcut where the shape stays the same."""
    y, n = x, 1
    if expansion > 1:
        y = layers.Conv2D(expansion * x.shape[-1], 1, use_bias=False, name=f"{name}.conv_pw")(y)
        y, n = batch_norm(y, name=f"{name}.bn1"), 2
    y = layers.DepthwiseConv2D(kernel_size, strides, padding="same", use_bias=False, name=f"{name}.conv_dw")(y)
    y = batch_norm(y, name=f"{name}.bn{n}")
    project = f"{name}.conv_pwl" if expansion > 1 else f"{name}.conv_pw"
    y = layers.Conv2D(filters, 1, use_bias=False, name=project)(y)
    y = batch_norm(y, name=f"{name}.bn{n + 1}", relu6=False)
    if strides == 1 and x.shape[-1] == filters:
        y = layers.Add(name=f"{name}.add")([x, y])
    return y


def batch_norm(x, name, relu6=True):
    """Batch normalization as TensorFlow's EfficientNets have it; then values are limited to 0 to 6."""
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-3, name=name)(x)
    return layers.ReLU(max_value=6, name=f"{name}.act")(x) if relu6 else x


def preprocess_input(x):
    """Images of 0 to 255 as the network takes them: from about -1 to 1.

    Args:
        x: `(..., 3)`, red, green, blue; an array, a tensor, or the input of a Keras model.
    """
    x = x.astype("float32") if isinstance(x, np.ndarray) else keras.ops.cast(x, "float32")
    return (x - 127.0) / 128.0


def decode_predictions(preds, top=5):
    """The `top` classes of each row of probabilities `(n, 1000)`: tuples (WordNet id, name, probability)."""
    return decode(preds, imagenet_classes(), top)
