"""The small residual network that travels with the course, in the manner of `keras.applications`.

It is ResNet-10 for images of 64 pixels: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition"
(CVPR 2016), with one block a stage. `tlhelpers.pytorch.mini_resnet` is the same network with the same weights, and the
layers here have the names that its modules have there.
"""

import keras
import numpy as np
from keras import layers
from safetensors.numpy import load_file

from tlhelpers.tensorflow.pretrained import add_top, check_weights, copy_tensors, decode
from tlhelpers.weights import MINI_RESNET_WIDTHS, mini_resnet_file, tiny_imagenet_classes

MEAN = np.array([0.485, 0.456, 0.406], "float32")  # of ImageNet's photos, red, green and blue, on a scale of 0 to 1
STD = np.array([0.229, 0.224, 0.225], "float32")
FILES = {width: name for name, width in MINI_RESNET_WIDTHS.items()}


def MiniResNet(
    include_top=True,
    weights="tiny_imagenet",
    input_shape=(64, 64, 3),
    pooling=None,
    classes=202,
    classifier_activation="softmax",
    name="mini_resnet",
    width=32,
):
    """ResNet-10 as a `keras.Model`, with the arguments of `keras.applications`.

    Its inputs are images after `preprocess_input`.

    Args:
        include_top: Whether to end in the classifier, `fc`; without it the network gives features.
        weights: `"tiny_imagenet"`, None for an untrained network, or the path of a file of weights.
        input_shape: (height, width, 3).
        pooling: Without the top: `"avg"` or `"max"` for a vector, None for feature maps.
        classes: Of the classifier; those of Tiny ImageNet are 202.
        classifier_activation: `"softmax"` for probabilities, None for logits.
        name: Of the model.
        width: Channels of the first stage; each later stage has twice those of the one before. There are trained
            weights for 32 and, of a narrower network, for 16.

    Raises:
        ValueError: no such weights, or `classes` or `width` are not those that they were trained for.
    """
    check_weights(weights, "tiny_imagenet", include_top, classes, 202)
    if weights == "tiny_imagenet" and width not in FILES:
        raise ValueError(f"expected a width of {', '.join(map(str, FILES))} for trained weights; got {width}")
    inputs = keras.Input(input_shape)
    x = conv(inputs, width, 3, strides=2, name="conv1")
    x = batch_norm(x, name="bn1")
    x = layers.ReLU(name="relu")(x)
    for i in range(4):
        x = stage(x, width * 2**i, strides=1 if i == 0 else 2, name=f"layer{i + 1}")
    x = add_top(x, include_top, pooling, classes, classifier_activation, names=("avgpool", "fc"))
    model = keras.Model(inputs, x, name=name)
    if weights == "tiny_imagenet":
        copy_tensors(model, load_file(mini_resnet_file(FILES[width])))
    elif weights is not None:
        model.load_weights(weights)
    return model


def stage(x, filters, strides, name):
    """One block: two 3x3 convolutions beside a shortcut, which is a 1x1 convolution where the shape changes."""
    shortcut = x
    y = conv(x, filters, 3, strides, name=f"{name}.0.conv1")
    y = batch_norm(y, name=f"{name}.0.bn1")
    y = layers.ReLU(name=f"{name}.0.relu")(y)
    y = conv(y, filters, 3, strides=1, name=f"{name}.0.conv2")
    y = batch_norm(y, name=f"{name}.0.bn2")
    if strides != 1 or x.shape[-1] != filters:
        shortcut = conv(x, filters, 1, strides, name=f"{name}.0.downsample.0")
        shortcut = batch_norm(shortcut, name=f"{name}.0.downsample.1")
    y = layers.Add(name=f"{name}.0.add")([y, shortcut])
    return layers.ReLU(name=name)(y)


def conv(x, filters, kernel_size, strides, name):
    """A convolution that divides the side of its maps by `strides`, and pads them as PyTorch does."""
    padding = "same"
    if strides == 2 and kernel_size == 3:  # here "same" would pad on the right and below only
        x, padding = layers.ZeroPadding2D(1, name=f"{name}.pad")(x), "valid"
    # He et al., "Delving Deep into Rectifiers" (ICCV 2015), eq. 10
    init = keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal")
    return layers.Conv2D(filters, kernel_size, strides, padding, use_bias=False, kernel_initializer=init, name=name)(x)


def batch_norm(x, name):
    """Batch normalization with PyTorch's defaults."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def preprocess_input(x):
    """Images of 0 to 255 as the network takes them: each channel less ImageNet's mean, divided by its spread.

    Args:
        x: `(..., 3)`, red, green, blue; an array, a tensor, or the input of a Keras model.
    """
    x = x.astype("float32") if isinstance(x, np.ndarray) else keras.ops.cast(x, "float32")
    return (x / 255.0 - MEAN) / STD


def decode_predictions(preds, top=5):
    """The `top` classes of each row of probabilities `(n, 202)`: tuples (WordNet id, name, probability)."""
    return decode(preds, tiny_imagenet_classes(), top)
