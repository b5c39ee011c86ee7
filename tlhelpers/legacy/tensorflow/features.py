"""Features, feature maps and probabilities: numpy in, numpy out, in TensorFlow."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from tqdm.auto import tqdm

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.backbones import check_images
from tlhelpers.legacy.feature_cache import cached_array, digest
from tlhelpers.legacy.tensorflow.backbones import Backbone


def extract_features(
    backbone: Backbone, images: np.ndarray, *, batch_size: int = 32, cache: bool = True, progress: bool = True
) -> np.ndarray:
    """Pooled features of all images, from the disk where the same were computed before.

    Args:
        backbone: from `load_backbone`.
        images: shape `(n, size, size, 3)`, uint8, or float in 0 to 1, with `size = backbone.input_size`.
        batch_size: images at a time; it changes speed and memory, not the result.
        cache: keep the features on disk, keyed by images, weights, preprocessing and precision.
        progress: show a bar.

    Returns:
        Shape `(n, feature_size)`, float32.
    """
    images = check_images(images, backbone.input_size)

    def compute() -> np.ndarray:
        return _run(backbone, images, batch_size, backbone.feature_size, progress)

    if not cache:
        return compute()
    key = digest("tensorflow", tf.__version__, backbone.fingerprint(), backbone.precision, images)
    return cached_array(key, compute)


def compiled_forward(model: keras.Model, x: np.ndarray) -> Callable:
    """The model without training as one graph for inputs like `x`, far faster than Keras's eager calls.

    It is traced once a model and type of input, for batches of any length.
    """
    if not hasattr(model, "_graphs"):
        model._graphs = {}
    key = (x.shape[1:], x.dtype.name)
    if key not in model._graphs:
        signature = [tf.TensorSpec([None, *x.shape[1:]], x.dtype)]
        model._graphs[key] = tf.function(lambda batch: model(batch, training=False), input_signature=signature)
    return model._graphs[key]


def _run(model, images, batch_size, width, progress) -> np.ndarray:
    forward = compiled_forward(model, images)
    out = np.empty((len(images), width), np.float32)
    starts = range(0, len(images), batch_size)
    for start in tqdm(starts, unit="batch", disable=not progress or len(starts) < 2, leave=False):
        batch = tf.convert_to_tensor(np.ascontiguousarray(images[start : start + batch_size]))
        out[start : start + len(batch)] = forward(batch).numpy()
    return out


def feature_maps(backbone: Backbone, images: np.ndarray, layer: str | None = None) -> np.ndarray:
    """Outputs of a layer for a few images.

    Args:
        backbone: from `load_backbone`.
        images: as for `extract_features`.
        layer: one of `backbone.layer_names` or any layer's name; None for the last.

    Returns:
        Shape `(n, h, w, channels)`, float32.
    """
    images = check_images(images, backbone.input_size)
    names = [x.name for x in backbone.network.layers]
    if layer is not None and layer not in names:
        raise UnknownNameError("layer", layer, names)
    output = backbone.network.output if layer is None else backbone.network.get_layer(layer).output
    network = keras.Model(backbone.network.input, output)
    return tf.cast(network(backbone.scale(tf.convert_to_tensor(images)), training=False), tf.float32).numpy()


def predict_proba(model: keras.Model, x: np.ndarray, *, batch_size: int = 64, progress: bool = False) -> np.ndarray:
    """Probabilities of the classes.

    Args:
        model: a classifier for images, or a head for features.
        x: images as for `extract_features`, or features of shape `(n, feature_size)`.
        batch_size: inputs at a time.
        progress: show a bar.

    Returns:
        Shape `(n, num_classes)`, float32; each row sums to 1.
    """
    x = check_images(x, model.input_size) if hasattr(model, "input_size") else np.asarray(x, np.float32)
    logits = _run(model, x, batch_size, model.num_classes, progress)
    return tf.nn.softmax(logits).numpy()
