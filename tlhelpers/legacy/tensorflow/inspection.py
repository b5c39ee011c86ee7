"""What the layers of a network hold, in TensorFlow: pooled features of each, filters, and where it looked."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.activation_maps import combine_maps
from tlhelpers.legacy.backbones import check_images
from tlhelpers.legacy.perturbations import check_gradient_arguments
from tlhelpers.legacy.tensorflow.backbones import Backbone
from tlhelpers.legacy.tensorflow.classifiers import Classifier
from tlhelpers.legacy.tensorflow.source_classifiers import MapsClassifier


def layer_features(
    model: Backbone | Classifier, images: np.ndarray, layers: Sequence[str] | None = None, *, batch_size: int = 64
) -> dict[str, np.ndarray]:
    """Features of several layers in one pass: the mean of each channel over the pixels of its map.

    Args:
        model: a backbone, or a classifier, of which the backbone is taken.
        images: shape `(n, size, size, 3)`, uint8, or float in 0 to 1.
        layers: names of layers, also of inner ones; None for all of `backbone.layer_names`.
        batch_size: images at a time; it changes speed and memory, not the result.

    Returns:
        By layer, in the order of `layers`: shape `(n, channels)`, float32.

    Raises:
        UnknownNameError: where the network has no such layer.
        ValueError: for images of another shape, type or range.
    """
    backbone = getattr(model, "backbone", model)
    images = check_images(images, backbone.input_size)
    if not len(images):  # a graph may fail on an empty batch
        one = layer_features(model, np.zeros((1, *images.shape[1:]), images.dtype), layers)
        return {name: values[:0] for name, values in one.items()}
    names = tuple(backbone.layer_names if layers is None else dict.fromkeys(layers))
    forward = _pooled_graph(backbone, names, images.dtype)
    parts = {name: [] for name in names}
    for start in range(0, max(1, len(images)), batch_size):
        batch = tf.convert_to_tensor(np.ascontiguousarray(images[start : start + batch_size]))
        for name, pooled in zip(names, forward(batch), strict=True):
            parts[name].append(pooled.numpy())
    return {name: np.concatenate(found) for name, found in parts.items()}


def _pooled_graph(backbone: Backbone, names: tuple[str, ...], dtype: np.dtype) -> Callable:
    """One graph for all layers, traced once a backbone: it reads the weights anew at each call."""
    if not hasattr(backbone, "_pooled_graphs"):
        backbone._pooled_graphs = {}
    key = (names, dtype.name)
    if key not in backbone._pooled_graphs:
        network = keras.Model(backbone.network.input, [_output(backbone, name) for name in names])
        size = backbone.input_size

        def forward(batch: tf.Tensor) -> list[tf.Tensor]:
            outputs = network(backbone.scale(batch), training=False)
            outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
            return [_pool(tf.cast(output, tf.float32)) for output in outputs]

        signature = [tf.TensorSpec([None, size, size, 3], dtype)]
        backbone._pooled_graphs[key] = tf.function(forward, input_signature=signature)
    return backbone._pooled_graphs[key]


def _output(backbone: Backbone, name: str):
    names = [layer.name for layer in backbone.network.layers]
    if name not in names:
        raise UnknownNameError("layer", name, names)
    return backbone.network.get_layer(name).output


def _pool(output: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(output, list(range(1, len(output.shape) - 1))) if len(output.shape) > 2 else output


def first_layer_filters(backbone: Backbone) -> np.ndarray:
    """The filters of the first convolution, the only ones that look at colours.

    Returns:
        Shape `(n, h, w, 3)`, float32: n filters of `h` by `w` pixels; red, green, blue. They may be negative: they are
        applied to scaled images, whose mean is about 0.

    Raises:
        ValueError: where the network has no convolution that takes three colours.
    """
    for layer in backbone.network.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel.shape[2] == 3:
            filters = layer.kernel.numpy().astype(np.float32).transpose(3, 0, 1, 2)
            return np.ascontiguousarray(filters[..., ::-1] if backbone.preprocessing.bgr else filters)
    raise ValueError(f"expected a network whose first convolution takes three colours, got {backbone.name}")


def class_activation_map(
    classifier: Classifier,
    images: np.ndarray,
    classes: Sequence[int | str] | np.ndarray | int | str,
    *,
    layer: str | None = None,
    batch_size: int = 32,
) -> np.ndarray:
    """Which parts of an image speak for a class: Grad-CAM.

    Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, "Grad-CAM: Visual Explanations from Deep Networks via
    Gradient-Based Localization" (ICCV 2017), eq. 1 and 2: the maps of a layer are added up, each weighed by how much
    the score of the class grows with it on average; what is below 0 is cut off.

    Args:
        classifier: from `build_classifier` or `load_source_classifier`.
        images: shape `(n, size, size, 3)`, uint8, or float in 0 to 1.
        classes: numbers or (where the model has them) names; one, or one an image.
        layer: name of the layer; None for the last feature maps.
        batch_size: images at a time.

    Returns:
        Shape `(n, size, size)`, float32: 1 at the strongest place of each image, 0 where nothing speaks for the class
        (everywhere, if nothing does). Enlarged from the layer's own few pixels, so its edges are not sharp.

    Raises:
        UnknownNameError: for a class or a layer that does not exist.
        ValueError: for images or classes that make no sense, or a layer that has no maps.
        TypeError: for a model without a head.
    """
    images, classes = check_gradient_arguments(classifier, images, classes)
    backbone = classifier.backbone
    output = backbone.network.output if layer is None else _output(backbone, layer)
    network = keras.Model(backbone.network.input, [output, backbone.network.output])

    @tf.function(
        input_signature=[tf.TensorSpec([None, *images.shape[1:]], tf.float32), tf.TensorSpec([None], tf.int64)]
    )
    def maps_and_gradient(batch: tf.Tensor, chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = backbone.scale(batch)
        with tf.GradientTape() as tape:
            tape.watch(x)  # so that the layer's output is recorded, also where no weight trains
            maps, last = network(x, training=False)
            if not isinstance(classifier, MapsClassifier):
                last = tf.reduce_mean(tf.cast(last, tf.float32), (1, 2))
            score = tf.reduce_sum(tf.gather(classifier.head(last, training=False), chosen, batch_dims=1))
        return tf.cast(maps, tf.float32), tf.cast(tape.gradient(score, maps), tf.float32)

    found = []
    for start in range(0, max(1, len(images)), batch_size):
        part = slice(start, start + batch_size)
        found += [x.numpy() for x in maps_and_gradient(tf.constant(images[part]), tf.constant(classes[part]))]
    return combine_maps(np.concatenate(found[::2]), np.concatenate(found[1::2]), classifier.input_size)
