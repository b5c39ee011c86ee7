"""A pretrained network by its name, with the preprocessing that belongs to its weights."""

from collections.abc import Callable

import keras

from tlhelpers.tensorflow import efficientnet_lite0, mini_resnet


def load_network(name: str, image_size: int, pretrained: bool = True, **options) -> tuple[keras.Model, Callable]:
    """A network by its name, and the function that turns pixels of 0 to 255 into what the network takes.

    Args:
        name: One of the table below. The weights of Keras's own are downloaded once.
        image_size: Side of the images in pixels.
        pretrained: False for random weights.
        **options: As in `keras.applications`: `include_top`, `pooling`, `classes`, ...
    """
    applications = keras.applications
    table = {  # module, network in it, name of its weights
        "mini_resnet": (mini_resnet, "MiniResNet", "tiny_imagenet"),
        "efficientnet_lite0": (efficientnet_lite0, "EfficientNetLite0", "imagenet"),
        "vgg16": (applications.vgg16, "VGG16", "imagenet"),
        "resnet50": (applications.resnet, "ResNet50", "imagenet"),
        "mobilenet_v2": (applications.mobilenet_v2, "MobileNetV2", "imagenet"),
        "efficientnet_b0": (applications.efficientnet, "EfficientNetB0", "imagenet"),
    }
    if name not in table:
        raise ValueError(f"expected a network among {', '.join(table)}, got {name!r}; add it to the table")
    module, build, weights = table[name]
    shape = (image_size, image_size, 3)
    network = getattr(module, build)(weights=weights if pretrained else None, input_shape=shape, **options)
    return network, module.preprocess_input
