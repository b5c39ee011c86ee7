"""Weights that both frameworks share, into Keras models, and the answers of their classifiers in words."""

from pathlib import Path

import keras
import numpy as np

# Keras's names of variables, and PyTorch's.
PYTORCH_NAMES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "bias": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def copy_tensors(model: keras.Model, tensors: dict[str, np.ndarray]) -> None:
    """Sets a model's weights from tensors with PyTorch's names and layouts; the layers have the names of its modules.

    PyTorch keeps a convolution's kernel as `(out, in, height, width)`, Keras as `(height, width, in, out)`, or as
    `(height, width, channels, 1)` where it is depthwise.
    """
    for layer in model.layers:
        for variable in layer.weights:
            tensor = tensors[f"{layer.name}.{PYTORCH_NAMES[variable.name]}"].astype("float32")
            if isinstance(layer, keras.layers.DepthwiseConv2D):
                tensor = tensor.transpose(2, 3, 0, 1)
            elif isinstance(layer, keras.layers.Conv2D):
                tensor = tensor.transpose(2, 3, 1, 0)
            elif isinstance(layer, keras.layers.Dense) and tensor.ndim == 2:
                tensor = tensor.T
            variable.assign(tensor)


def check_weights(weights: str | None, name: str, include_top: bool, classes: int, trained_classes: int) -> None:
    """Refuses arguments that do not fit together, as `keras.applications` does.

    Raises:
        ValueError: `weights` is neither `name`, None nor a file; or `classes` is not what `name` was trained for.
    """
    if weights not in (name, None) and not Path(weights).exists():
        raise ValueError(f"expected weights={name!r}, None or the path of a file of weights; got {weights!r}")
    if weights == name and include_top and classes != trained_classes:
        raise ValueError(
            f"The weights {name!r} have {trained_classes} classes, and classes={classes} was asked for. Take "
            "include_top=False and add a Dense layer of your own, or start untrained with weights=None."
        )


def add_top(x, include_top: bool, pooling: str | None, classes: int, activation: str | None, names: tuple[str, str]):
    """What stands after the last feature maps in `keras.applications`: a classifier, a pooling, or nothing.

    Args:
        x: The last feature maps.
        include_top: Whether to add the classifier.
        pooling: Without it: `"avg"`, `"max"`, or None for the feature maps.
        classes: Of the classifier.
        activation: Of the classifier: `"softmax"` for probabilities, None for logits.
        names: Of the pooling's layer and of the classifier's.
    """
    if include_top or pooling == "avg":
        x = keras.layers.GlobalAveragePooling2D(name=names[0])(x)
    elif pooling == "max":
        x = keras.layers.GlobalMaxPooling2D(name=names[0])(x)
    if include_top:
        x = keras.layers.Dense(classes, activation=activation, name=names[1])(x)
    return x


def decode(preds: np.ndarray, class_index: tuple[tuple[str, str], ...], top: int) -> list[list[tuple]]:
    """The most probable classes of each image.

    Args:
        preds: Probabilities of shape `(n, classes)`.
        class_index: WordNet id and name of each class.
        top: How many classes to name.

    Returns:
        For each image `top` tuples (WordNet id, name, probability), the most probable first.

    Raises:
        ValueError: `preds` has another shape.
    """
    preds = np.asarray(preds)
    if preds.ndim != 2 or preds.shape[1] != len(class_index):
        raise ValueError(
            f"expected predictions of shape (n, {len(class_index)}), of a network with its classifier "
            f"(include_top=True); got {preds.shape}"
        )
    return [[(*class_index[k], float(row[k])) for k in np.argsort(-row)[:top]] for row in preds]
