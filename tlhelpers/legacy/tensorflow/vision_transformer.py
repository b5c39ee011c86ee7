"""A vision transformer in Keras layers, with the sizes of ViT-B/16; Keras's applications have none.

Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale" (ICLR 2021). Layers and
sizes are those of torchvision's `vit_b_16`; no weights are published in Keras's format for it, so it serves to measure
what a transformer costs, or to be trained.
"""

import keras
from keras import layers


class Tokens(layers.Layer):
    """Puts a class token before the patches, and adds to each what says where it stood."""

    def build(self, shape) -> None:
        """Two weights: the token, and a vector for each place."""
        _, patches, width = shape
        self.token = self.add_weight(shape=(1, 1, width), initializer="zeros", name="class_token")
        near_zero = keras.initializers.RandomNormal(stddev=0.02)
        self.places = self.add_weight(shape=(1, patches + 1, width), initializer=near_zero, name="places")

    def call(self, patches):
        """Tokens of shape `(n, patches + 1, width)` from patches of shape `(n, patches, width)`."""
        token = keras.ops.cast(self.token, patches.dtype)
        token = keras.ops.broadcast_to(token, (keras.ops.shape(patches)[0], 1, patches.shape[-1]))
        return keras.ops.concatenate([token, patches], axis=1) + keras.ops.cast(self.places, patches.dtype)


def _block(x, heads: int, name: str):
    """Attention among the tokens, then two dense layers for each, both with a shortcut."""
    width = x.shape[-1]
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
    x = layers.Add(name=f"{name}_add1")(
        [x, layers.MultiHeadAttention(heads, width // heads, name=f"{name}_attention")(y, y)]
    )
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")(x)
    y = layers.Dense(4 * width, activation="gelu", name=f"{name}_dense1")(y)
    return layers.Add(name=name)([x, layers.Dense(width, name=f"{name}_dense2")(y)])


def vision_transformer(
    size: int, *, patch: int = 16, width: int = 768, depth: int = 12, heads: int = 12
) -> keras.Model:
    """The class token, `(n, width)`, from scaled images of shape `(n, size, size, 3)`.

    Raises:
        ValueError: where the patches do not fill the image.
    """
    if size % patch:
        raise ValueError(f"expected images whose side is a multiple of {patch} pixels, got {size}")
    inputs = keras.Input((size, size, 3))
    x = layers.Conv2D(width, patch, patch, name="patches")(inputs)
    x = Tokens(name="tokens")(layers.Reshape((-1, width), name="row")(x))
    for i in range(1, depth + 1):
        x = _block(x, heads, f"block{i}")
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    return keras.Model(inputs, x[:, 0], name="vit")
