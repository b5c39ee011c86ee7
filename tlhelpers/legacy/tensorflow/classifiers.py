"""Classifiers in Keras: a backbone and a head, what of them is trained, and how they are saved."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from safetensors import safe_open
from safetensors.numpy import save_file

from tlhelpers.errors import UnknownNameError, WeightsError
from tlhelpers.legacy.classifiers import ParameterCount, read_classifier_metadata, write_classifier_metadata
from tlhelpers.legacy.tensorflow.backbones import Backbone, load_backbone
from tlhelpers.legacy.training import check_weights, resolve_layer_rates
from tlhelpers.paths import atomic_path


class Head(keras.Model):
    """Dropout and a dense layer: logits of shape `(n, num_classes)` from features of shape `(n, feature_size)`."""

    def __init__(self, feature_size: int, num_classes: int, dropout: float = 0.0):
        super().__init__()
        self.feature_size, self.num_classes, self.precision = feature_size, num_classes, "float32"
        self.dropout = keras.layers.Dropout(dropout)
        self.linear = keras.layers.Dense(num_classes, dtype="float32")
        self(tf.zeros((1, feature_size)))  # makes the weights

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits, float32."""
        return self.linear(self.dropout(features, training=training))


class Classifier(keras.Model):
    """A backbone and a head: logits `(n, num_classes)` from images `(n, h, w, 3)`, 0 to 255.

    Frozen BatchNorm layers keep their statistics: Keras runs a layer with `trainable = False` in inference mode.
    """

    def __init__(self, backbone: Backbone, head: Head):
        super().__init__()
        self.backbone, self.head = backbone, head
        self.input_size, self.num_classes, self.precision = backbone.input_size, head.num_classes, backbone.precision

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits, float32."""
        return self.head(self.backbone(images, training=training), training=training)


def build_head(feature_size: int, num_classes: int, *, dropout: float = 0.0) -> Head:
    """A linear classifier for features, to be trained with `fit` on what `extract_features` gave."""
    return Head(feature_size, num_classes, dropout)


def build_classifier(
    backbone: Backbone, num_classes: int | None = None, *, head: Head | None = None, dropout: float = 0.0
) -> Classifier:
    """A backbone and a head in one model for images.

    Args:
        backbone: from `load_backbone`; it is used, not copied.
        num_classes: number of classes of a new head.
        head: a head that was trained already, instead of a new one.
        dropout: fraction of features dropped in training, for a new head.

    Raises:
        ValueError: where neither or both of `num_classes` and `head` are given, or the head does not fit.
    """
    if (num_classes is None) == (head is None):
        raise ValueError("expected either num_classes, for a new head, or head, one that was trained already")
    if head is None:
        head = build_head(backbone.feature_size, num_classes, dropout=dropout)
    if head.feature_size != backbone.feature_size:
        raise ValueError(
            f"expected a head for {backbone.feature_size} features of {backbone.name}, got one for {head.feature_size}"
        )
    return Classifier(backbone, head)


def freeze(classifier: Classifier) -> None:
    """Freeze the whole backbone: neither its weights nor its BatchNorm statistics change in training."""
    classifier.backbone.trainable = False


def unfreeze(classifier: Classifier, *, from_layer: str | None = None, batch_norm: bool = False) -> None:
    """Let the backbone train, from a layer to its end; what lies before stays frozen.

    Args:
        classifier: from `build_classifier`.
        from_layer: the first layer that trains, one of `backbone.layer_names`; None for all.
        batch_norm: train BatchNorm's weights and statistics too. A small data set moves the statistics more than it
            helps them, so they stay frozen unless asked for.

    Raises:
        UnknownNameError: where the backbone has no such layer.
    """
    backbone = classifier.backbone
    if from_layer is not None and from_layer not in backbone.layer_names:
        raise UnknownNameError("layer", from_layer, backbone.layer_names)
    backbone.trainable = True
    started = from_layer is None
    for layer in backbone.network.layers:
        started = started or layer.name == from_layer or layer.name.startswith(f"{from_layer}_")
        layer.trainable = started and (batch_norm or not isinstance(layer, keras.layers.BatchNormalization))


def count_parameters(model: keras.Model) -> ParameterCount:
    """Numbers that training changes and numbers that it leaves alone (BatchNorm's statistics are not counted)."""
    statistics = {
        id(variable)
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
        for variable in (layer.moving_mean, layer.moving_variance)
    }
    trainable = sum(int(np.prod(v.shape)) for v in model.trainable_weights)
    frozen = sum(int(np.prod(v.shape)) for v in model.non_trainable_weights if id(v) not in statistics)
    return ParameterCount(trainable, frozen)


def rate_groups(
    model: keras.Model, layer_rates: Mapping[str, float] | None
) -> list[tuple[float, list[keras.Variable]]]:
    """What trains, in groups that share a factor on the learning rate; see `fit` for `layer_rates`."""
    backbone = getattr(model, "backbone", None)
    rates = resolve_layer_rates(layer_rates, backbone.layer_names if backbone is not None else ())
    if not layer_rates:
        return [(1.0, model.trainable_variables)]
    factors = {}
    for layer in () if backbone is None else backbone.network.layers:
        names = [n for n in backbone.layer_names if layer.name == n or layer.name.startswith(f"{n}_")]
        if names:
            factors |= {id(v): rates[max(names, key=len)] for v in layer.trainable_variables}
    groups, factor = {}, next(iter(rates.values()))  # what belongs to no layer, such as an embedding, comes first
    head = {id(v) for v in (model if backbone is None else model.head).trainable_variables}
    for variable in model.trainable_variables:
        own = rates["head"] if id(variable) in head else factors.get(id(variable), factor)
        groups.setdefault(own, []).append(variable)
    return list(groups.items())


def get_weights(classifier: keras.Model) -> list[np.ndarray]:
    """A copy of all weights and BatchNorm statistics, in an order that `set_weights` knows."""
    return [np.array(variable.numpy()) for variable in _ordered_weights(classifier)]


def set_weights(classifier: keras.Model, weights: list[np.ndarray]) -> None:
    """Put back what `get_weights` gave, of this classifier or of another of the same architecture.

    Raises:
        ValueError: where number or shapes differ.
    """
    variables = _ordered_weights(classifier)
    check_weights(weights, [tuple(variable.shape) for variable in variables])
    for variable, array in zip(variables, weights, strict=True):
        variable.assign(array)


def _ordered_weights(model: keras.Model) -> list[keras.Variable]:
    return [*model.backbone.network.weights, *model.head.weights] if hasattr(model, "backbone") else model.weights


def save_classifier(classifier: Classifier, path: str | Path, class_names: tuple[str, ...]) -> Path:
    """Write weights, class names and all that `load_classifier` needs into one safetensors file; return its path."""
    metadata = write_classifier_metadata("tensorflow", classifier, class_names)
    with atomic_path(Path(path)) as temporary:
        save_file(_named_weights(classifier), temporary, metadata=metadata)
    return Path(path)


def _named_weights(classifier: Classifier) -> dict[str, np.ndarray]:
    """Weights under names that do not depend on how many models the process made before."""
    weights = _ordered_weights(classifier)
    return {f"{i:04d}.{variable.name}": np.ascontiguousarray(variable.numpy()) for i, variable in enumerate(weights)}


def load_classifier(path: str | Path) -> tuple[Classifier, tuple[str, ...]]:
    """Read what `save_classifier` wrote.

    Returns:
        The classifier, frozen, and the names of its classes.

    Raises:
        WeightsError: where the file is none of ours, or of the other framework.
    """
    settings = read_classifier_metadata(Path(path), "tensorflow")
    backbone = load_backbone(
        settings["backbone"], weights=None, layer=settings["layer"], image_size=settings["input_size"]
    )
    classifier = build_classifier(backbone, len(settings["class_names"]))
    with safe_open(path, "numpy") as file:
        tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    expected = {name: value.shape for name, value in _named_weights(classifier).items()}
    if expected != {name: value.shape for name, value in tensors.items()}:
        raise WeightsError(f"{path} does not hold the weights that it announces: {backbone.name}")
    for variable, value in zip(_ordered_weights(classifier), tensors.values(), strict=True):
        variable.assign(value)
    freeze(classifier)
    return classifier, tuple(settings["class_names"])
