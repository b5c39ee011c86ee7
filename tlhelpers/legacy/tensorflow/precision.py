"""Which arithmetic is fastest on this machine."""

import contextlib

import keras
import tensorflow as tf

PRECISIONS = ("auto", "float32")


def check_precision(precision: str) -> str:
    """Refuse what is not in `PRECISIONS`."""
    if precision not in PRECISIONS:
        raise ValueError(f"expected precision in {PRECISIONS}, got {precision!r}")
    return precision


def dtype_policy(precision: str) -> str:
    """Keras's policy that helps here: bfloat16 on a GPU that has it, else float32."""
    if precision == "float32":
        return "float32"
    for gpu in tf.config.list_physical_devices("GPU"):
        capability = tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
        if capability >= (8, 0):
            return "mixed_bfloat16"
    return "float32"


@contextlib.contextmanager
def building_policy(precision: str):
    """Layers that are made inside follow `dtype_policy`; the global policy is put back afterwards."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype_policy(precision))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
