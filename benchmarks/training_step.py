"""How fast the course's training is against the bare loop of each framework's documentation, same batches, in turns.

python benchmarks/training_step.py pytorch        (or tensorflow)
"""

import json
import statistics
import sys
import time

import numpy as np

BATCHES, BATCH_SIZE, SIDE, TURNS = 10, 16, 64, 9


def ratio_of(course, bare) -> float:
    """Speed of `course` as a multiple of that of `bare`: the median over turns, in which each runs once."""

    def seconds(run) -> float:
        started = time.perf_counter()
        run()
        return time.perf_counter() - started

    seconds(course), seconds(bare)  # the first time of all is another matter
    ratios = []
    for turn in range(TURNS):  # who goes first changes, so that neither has the warmer machine
        pair = (bare, course) if turn % 2 else (course, bare)
        found = {run: seconds(run) for run in pair}
        ratios.append(found[bare] / found[course])
    return statistics.median(ratios)


def measure_pytorch(images: np.ndarray, labels: np.ndarray) -> float:
    """`train_epoch` against the loop of PyTorch's quickstart."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    from tlhelpers.pytorch.mini_resnet import mini_resnet
    from tlhelpers.pytorch.training import train_epoch

    model = mini_resnet(num_classes=2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    loader = DataLoader(TensorDataset(pixels, torch.from_numpy(labels)), batch_size=BATCH_SIZE)
    loss_of = nn.CrossEntropyLoss()

    def bare() -> None:
        model.train()
        for x, y in loader:
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return ratio_of(lambda: train_epoch(model, loader, optimizer), bare)


def measure_tensorflow(images: np.ndarray, labels: np.ndarray) -> float:
    """`fit` of the course against Keras's own, both compiled once."""
    import keras
    import tensorflow as tf

    from tlhelpers.tensorflow.heads import add_head
    from tlhelpers.tensorflow.mini_resnet import MiniResNet
    from tlhelpers.tensorflow.training import fit

    train = tf.data.Dataset.from_tensor_slices((images, labels)).batch(BATCH_SIZE)
    base = MiniResNet(weights=None, include_top=False, pooling="avg")
    model = add_head(base, lambda x: x, 2)
    model.compile(
        keras.optimizers.AdamW(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"], jit_compile=False,
    )  # fmt: skip
    step_of = {}

    def epoch_of_course() -> None:
        if not step_of:  # `fit` compiles; its compiled step is what a step costs
            fit(model, keras.optimizers.AdamW(1e-3), train, train.take(1), patience=1, epochs=1)
            step_of["course"] = model.train_function
        model.train_function = step_of["course"]
        model.fit(train, epochs=1, shuffle=False, verbose=0)

    bare_model = keras.models.clone_model(model)
    bare_optimizer = keras.optimizers.AdamW(1e-3)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def bare_step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, bare_model(x, training=True))
        gradients = tape.gradient(loss, bare_model.trainable_variables)
        bare_optimizer.apply_gradients(zip(gradients, bare_model.trainable_variables, strict=True))

    def bare() -> None:
        for x, y in train:
            bare_step(x, y)

    return ratio_of(epoch_of_course, bare)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(BATCHES * BATCH_SIZE, SIDE, SIDE, 3)).astype(np.float32)
    answers = rng.integers(0, 2, len(pictures))
    measure = {"pytorch": measure_pytorch, "tensorflow": measure_tensorflow}[sys.argv[1]]
    print(json.dumps({"training_step": measure(pictures, answers)}))
