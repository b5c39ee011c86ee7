"""`compile` and `fit` of Keras, with early stopping."""

import keras
import tensorflow as tf


def fit(
    model: keras.Model, optimizer, train: tf.data.Dataset, val: tf.data.Dataset, *, patience: int, epochs: int
) -> dict[str, list[float]]:
    """Trains until the validation loss has not fallen for some epochs, and puts the best weights back.

    Args:
        model: Trained in place; it gives logits.
        optimizer: One of `keras.optimizers`. Its rate falls where the loss does not, three times at most before the
            end of patience.
        train: Batches to learn from.
        val: Batches to stop by.
        patience: Epochs without a lower validation loss after which training ends.
        epochs: At most so many.

    Returns:
        For each epoch `loss`, `accuracy`, `val_loss` and `val_accuracy`.
    """
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=bool(tf.config.list_physical_devices("GPU")),  # on a processor XLA makes convolutions slow
    )
    callbacks = [
        keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.3, patience=patience // 3),
        keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True),
    ]
    history = model.fit(
        train, validation_data=val, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=0
    ).history  # `train` is shuffled already
    return {key: history[key] for key in ("loss", "accuracy", "val_loss", "val_accuracy")}
