"""What a network costs on this machine, in TensorFlow."""

import math

import keras
import numpy as np
import tensorflow as tf

from tlhelpers.legacy.backbones import EMBEDDED_WIDTHS
from tlhelpers.legacy.costs import Cost, check_measure, measure_with
from tlhelpers.legacy.tensorflow.classifiers import count_parameters
from tlhelpers.legacy.tensorflow.features import compiled_forward
from tlhelpers.legacy.weights_files import EMBEDDED_LICENCE, PUBLISHED, UNPUBLISHED, Published


def measure_cost(model: keras.Model, *, batch_size: int = 16, repeats: int = 5) -> Cost:
    """Count and time a network on this machine, as the package runs it for prediction.

    The weights' values do not matter: an untrained network costs what a trained one does.

    Args:
        model: a backbone, or a classifier for images.
        batch_size: images at a time for the throughput; the latency is that of one image.
        repeats: calls timed, after one that is not; fewer where they take seconds. The median counts.

    Raises:
        ValueError: for a batch of no images, or no repeats.
    """
    check_measure(batch_size, repeats)
    images = np.random.default_rng(0).integers(0, 256, (batch_size, model.input_size, model.input_size, 3), np.uint8)
    graph = compiled_forward(model, images)

    def forward(batch: np.ndarray) -> np.ndarray:
        return graph(tf.convert_to_tensor(batch)).numpy()

    latency_ms, images_per_second = measure_with(forward, images, batch_size=batch_size, repeats=repeats)
    counts = count_parameters(model)
    return Cost(
        parameters=counts.trainable + counts.frozen,
        multiply_adds=count_multiply_adds(model),
        size_bytes=sum(math.prod(weight.shape) * tf.as_dtype(weight.dtype).size for weight in model.weights),
        latency_ms=latency_ms,
        images_per_second=images_per_second,
    )


def count_multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of convolutions and matrix products for one image, from the shapes in the network's graph.

    TensorFlow's profiler counts floating-point operations, a multiplication and an addition as two, and adds those of
    activations and biases; here only what multiplies weights (or, in attention, tokens) counts, as in PyTorch.
    """
    signature = tf.TensorSpec([1, model.input_size, model.input_size, 3], tf.float32)
    function = tf.function(lambda images: model(images, training=False)).get_concrete_function(signature)
    return sum(_COUNTS[node.type](node) for node in function.graph.get_operations() if node.type in _COUNTS)


def _outputs(node: tf.Operation) -> int:
    return math.prod(node.outputs[0].shape)


def _convolution(node: tf.Operation) -> int:
    height, width, channels, _ = node.inputs[1].shape  # of the kernel; the channels that one output sees
    return _outputs(node) * height * width * channels


def _depthwise(node: tf.Operation) -> int:
    height, width, *_ = node.inputs[1].shape
    return _outputs(node) * height * width


def _matrix_product(node: tf.Operation) -> int:
    transposed = any(node.get_attr(name) for name in ("transpose_a", "adj_x") if name in node.node_def.attr)
    return _outputs(node) * node.inputs[0].shape[-2 if transposed else -1]


def _einsum(node: tf.Operation) -> int:
    equation = node.get_attr("equation").decode()
    letters = equation.split("->")[0].split(",")
    sizes = {k: n for names, x in zip(letters, node.inputs, strict=True) for k, n in zip(names, x.shape, strict=True)}
    return math.prod(sizes.values())


_COUNTS = {
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "MatMul": _matrix_product,
    "BatchMatMulV2": _matrix_product,
    "Einsum": _einsum,
}


def published_facts(name: str) -> Published:
    """ImageNet top-1 and licence of the weights that `load_backbone(name)` takes, from Keras's documentation.

    What the publisher does not state is None, as for a name that is not known.
    """
    return EMBEDDED_LICENCE if name in EMBEDDED_WIDTHS else PUBLISHED.get((name, "tensorflow"), UNPUBLISHED)
