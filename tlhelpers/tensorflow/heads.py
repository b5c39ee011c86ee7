"""A new head on a network without one, and how much of it learns."""

from collections.abc import Callable

import keras
from keras import layers


def add_head(
    base: keras.Model, prepare: Callable, num_classes: int, augment: layers.Layer | None = None
) -> keras.Model:
    """A classifier of pixels: preprocessing, the base, and one new linear layer.

    Args:
        base: Made with `include_top=False, pooling="avg"`.
        prepare: The base's `preprocess_input`.
        num_classes: Outputs, as logits.
        augment: Changes the images in training, such as flips; None for nothing.
    """
    inputs = keras.Input(base.input_shape[1:])
    x = inputs if augment is None else augment(inputs)
    return keras.Model(inputs, layers.Dense(num_classes)(base(prepare(x))))


def count_parameters(model: keras.Model) -> dict[str, int]:
    """How many numbers of the model training may change, and how many not."""
    return {
        "trainable": sum(int(keras.ops.size(weight)) for weight in model.trainable_weights),
        "frozen": sum(int(keras.ops.size(weight)) for weight in model.non_trainable_weights),
    }
