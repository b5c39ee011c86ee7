"""Guards that look into a model, in Keras: what moved, what the optimizer does not know, mistakes made on purpose."""

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from tlhelpers.legacy.backbones import Preprocessing, check_images
from tlhelpers.legacy.guards import Movement, Snapshot, compare_snapshots
from tlhelpers.legacy.tensorflow.backbones import Backbone

STATISTICS = ("moving_mean", "moving_variance")


def snapshot(model: keras.Model) -> Snapshot:
    """A copy of all weights and BatchNorm statistics of a classifier, a backbone or a head, for `what_moved`."""
    kept: Snapshot = {"weights": {}, "statistics": {}}
    for layer, name, variable in _named_variables(model):
        kind = "statistics" if variable.name in STATISTICS else "weights"
        kept[kind][f"{layer}/{name}"] = np.array(variable.numpy(), np.float32)
    return kept


def what_moved(before: Snapshot, model: keras.Model) -> Movement:
    """Which layers' weights and BatchNorm statistics have changed since `snapshot`, and by how much.

    Raises:
        ValueError: where the snapshot is of another model.
    """
    return compare_snapshots(before, snapshot(model))


def unknown_layers(optimizer: keras.optimizers.Optimizer, model: keras.Model) -> tuple[str, ...]:
    """Layers that are meant to train, but have weights that the optimizer was not given; empty is good.

    An optimizer that has not been built yet, before the first `fit`, will take what it is given: it lacks nothing.
    """
    if not optimizer.built:
        return ()
    known = {id(variable) for variable in optimizer._trainable_variables}
    trains = {id(variable) for variable in model.trainable_variables}
    unknown = [layer for layer, _, variable in _named_variables(model) if id(variable) in trains - known]
    return tuple(dict.fromkeys(unknown))


def with_preprocessing(backbone: Backbone, preprocessing: Preprocessing) -> Backbone:
    """The same network, weights shared, behind another preprocessing: to measure what a wrong one costs."""
    return Backbone(
        backbone.name,
        backbone.network,
        backbone.input_size,
        preprocessing,
        backbone.provenance,
        backbone.layer,
        backbone.precision,
    )


def features_in_training_mode(
    backbone: Backbone, images: np.ndarray, *, batch_size: int = 32, keep_statistics: bool = True
) -> np.ndarray:
    """Features as they come where BatchNorm was left in training mode: a mistake, made to be measured.

    Each batch is scaled by its own mean and variance, so a picture's features depend on its neighbours. Meanwhile the
    running statistics move, though no weight does.

    Args:
        backbone: from `load_backbone`.
        images: as for `extract_features`.
        batch_size: images at a time, in the order given; here it does change the result.
        keep_statistics: put the running statistics back afterwards, so that the backbone stays as it was.

    Returns:
        Shape `(n, feature_size)`, float32.
    """
    images = check_images(images, backbone.input_size)
    layers = backbone._flatten_layers()
    were_trainable, out = [layer.trainable for layer in layers], []
    before = backbone.get_weights() if keep_statistics else None
    backbone.trainable = True  # Keras runs a frozen BatchNorm layer in inference mode, even with training=True
    try:
        forward = _training_forward(backbone, images)
        for start in range(0, len(images), batch_size):
            batch = tf.convert_to_tensor(np.ascontiguousarray(images[start : start + batch_size]))
            out.append(forward(batch).numpy())
    finally:
        for layer, trainable in zip(layers, were_trainable, strict=True):  # outer layers first: they set inner ones
            layer.trainable = trainable
        if before is not None:
            backbone.set_weights(before)
    return np.concatenate(out) if out else np.empty((0, backbone.feature_size), np.float32)


def _training_forward(backbone: Backbone, images: np.ndarray) -> Callable:
    """The backbone in training mode as one graph for images of this size and type, traced once a backbone."""
    key = ("training", images.shape[1:], images.dtype.name)
    graphs = backbone.__dict__.setdefault("_training_graphs", {})
    if key not in graphs:
        signature = [tf.TensorSpec([None, *images.shape[1:]], images.dtype)]
        graphs[key] = tf.function(lambda batch: backbone(batch, training=True), input_signature=signature)
    return graphs[key]


def _named_variables(model: keras.Model) -> Iterator[tuple[str, str, keras.Variable]]:
    """Layer, name and variable of all that a file of weights holds."""
    backbone = getattr(model, "backbone", model if isinstance(model, Backbone) else None)
    for layer in () if backbone is None else backbone.network.layers:
        for variable in layer.weights:
            yield _layer_of(layer.name, backbone.layer_names), variable.path.replace("/", "."), variable
    head = None if model is backbone else getattr(model, "head", model)
    for variable in () if head is None else head.weights:
        yield "head", variable.path.replace("/", "."), variable


def _layer_of(name: str, layers: tuple[str, ...]) -> str:
    inside = [layer for layer in layers if name == layer or name.startswith(f"{layer}_")]
    return max(inside, key=len) if inside else name
