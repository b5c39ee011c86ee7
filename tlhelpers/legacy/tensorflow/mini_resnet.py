"""The embedded backbones: ResNet-10 of width 32, or of another, for images of 64 pixels, in Keras.

Basic blocks of He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016), one a stage.
`tlhelpers.legacy.pytorch.mini_resnet` defines the same network; both read the same weights files.
"""

import keras
import numpy as np
from keras import layers

LAYER_NAMES = ("stem", "stage1", "stage2", "stage3", "stage4")


def _convolution(x, channels: int, kernel: int, stride: int, name: str):
    """As PyTorch pads: the same on all sides, whatever the stride."""
    if kernel == 3:
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    # He et al., "Delving Deep into Rectifiers" (ICCV 2015), eq. 10
    start = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    return layers.Conv2D(channels, kernel, stride, use_bias=False, kernel_initializer=start, name=name)(x)


def _batch_norm(x, name: str):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)  # PyTorch's defaults


def _basic_block(x, channels: int, stride: int, name: str):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the shape changes."""
    shortcut = x
    y = _batch_norm(_convolution(x, channels, 3, stride, f"{name}_conv1"), f"{name}_bn1")
    y = layers.ReLU(name=f"{name}_relu1")(y)
    y = _batch_norm(_convolution(y, channels, 3, 1, f"{name}_conv2"), f"{name}_bn2")
    if stride != 1 or x.shape[-1] != channels:
        shortcut = _convolution(x, channels, 1, stride, f"{name}_shortcut_conv")
        shortcut = _batch_norm(shortcut, f"{name}_shortcut_bn")
    return layers.ReLU(name=name)(layers.Add(name=f"{name}_add")([y, shortcut]))


def mini_resnet(size: int, width: int = 32) -> keras.Model:
    """Feature maps of shape `(n, size/16, size/16, 8 * width)` from scaled images of shape `(n, size, size, 3)`."""
    inputs = keras.Input((size, size, 3))
    x = _batch_norm(_convolution(inputs, width, 3, 2, "stem_conv"), "stem_bn")
    x = layers.ReLU(name="stem")(x)
    for stage in range(1, 5):
        x = _basic_block(x, width * 2 ** (stage - 1), 1 if stage == 1 else 2, f"stage{stage}")
    return keras.Model(inputs, x, name="mini_resnet")


_SUFFIXES = {"kernel": "weight", "gamma": "weight", "beta": "bias",
             "moving_mean": "running_mean", "moving_variance": "running_var"}  # fmt: skip


def load_shared_weights(network: keras.Model, tensors: dict[str, np.ndarray]) -> None:
    """Set the weights of a `mini_resnet` from tensors under PyTorch's names, `(out, in, height, width)`."""
    for layer in network.layers:
        for variable in layer.weights:
            tensor = tensors[f"{layer.name.replace('_', '.')}.{_SUFFIXES[variable.name]}"]
            variable.assign(tensor.transpose(2, 3, 1, 0) if tensor.ndim == 4 else tensor)
