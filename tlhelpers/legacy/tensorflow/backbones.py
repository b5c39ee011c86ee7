"""Backbones in Keras: a network without its classifier, together with its preprocessing and its weights' origin."""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tlhelpers.errors import UnknownNameError, WeightsError
from tlhelpers.legacy.backbones import (
    AS_IS,
    CAFFE,
    EMBEDDED_WIDTHS,
    IMAGENET,
    MINUS_ONE_TO_ONE,
    Preprocessing,
    Provenance,
    embedded_weights,
    pack_weights,
)
from tlhelpers.legacy.tensorflow.mini_resnet import LAYER_NAMES, load_shared_weights, mini_resnet
from tlhelpers.legacy.tensorflow.precision import building_policy, check_precision
from tlhelpers.legacy.tensorflow.vision_transformer import vision_transformer
from tlhelpers.legacy.weights_files import WEIGHTS


def _application(name: str) -> Callable[[int], keras.Model]:
    def build(size: int) -> keras.Model:
        return getattr(keras.applications, name)(include_top=False, weights=None, input_shape=(size, size, 3))

    return build


@dataclass(frozen=True)
class _Recipe:
    build: Callable[[int], keras.Model]
    input_size: int
    preprocessing: Preprocessing


BACKBONES = {
    **{name: _Recipe(partial(mini_resnet, width=width), 64, IMAGENET) for name, width in EMBEDDED_WIDTHS.items()},
    "mobilenet": _Recipe(_application("MobileNet"), 224, MINUS_ONE_TO_ONE),
    "vgg16": _Recipe(_application("VGG16"), 224, CAFFE),
    "resnet50": _Recipe(_application("ResNet50"), 224, CAFFE),
    "mobilenet_v2": _Recipe(_application("MobileNetV2"), 224, MINUS_ONE_TO_ONE),
    "efficientnet_b0": _Recipe(_application("EfficientNetB0"), 224, AS_IS),
    "vit_b_16": _Recipe(vision_transformer, 224, IMAGENET),  # no application of Keras, so without its weights
}
PYTORCH_ONLY = {"resnet18": "resnet50"}  # and what comes nearest in Keras


class Backbone(keras.Model):
    """A network without its classifier.

    Called with a tensor of shape `(n, h, w, 3)`, 0 to 255, it gives pooled features `(n, feature_size)`.

    Attributes:
        name: as given to `load_backbone`.
        input_size: side of the images, in pixels.
        feature_size: length of a feature vector.
        preprocessing: applied inside.
        provenance: where the weights come from.
        layer: the named layer after which the network ends; None for its whole depth.
        precision: "auto" or "float32".
        layer_names: layers whose outputs `feature_maps` can show, from the image inwards.
    """

    def __init__(self, name, network, input_size, preprocessing, provenance, layer=None, precision="auto"):
        super().__init__(name=name)
        self.network, self.input_size, self.preprocessing = network, input_size, preprocessing
        self.provenance, self.layer, self.precision = provenance, layer, check_precision(precision)
        self.layer_names = LAYER_NAMES if name in EMBEDDED_WIDTHS else tuple(x.name for x in network.layers[1:])
        self.feature_size = int(network.output_shape[-1])

    def maps(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The last feature maps, `(n, h', w', feature_size)`; a transformer's class token, `(n, feature_size)`."""
        return self.network(self.scale(images), training=training)

    def scale(self, images: tf.Tensor) -> tf.Tensor:
        """Apply the preprocessing to images of 0 to 255."""
        x = tf.cast(images, tf.float32)
        x = tf.reverse(x, [-1]) if self.preprocessing.bgr else x
        return (x - tf.constant(self.preprocessing.mean)) / tf.constant(self.preprocessing.std)

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Pooled features, `(n, feature_size)` float32."""
        maps = tf.cast(self.maps(images, training), tf.float32)
        return tf.reduce_mean(maps, (1, 2)) if len(maps.shape) == 4 else maps

    def fingerprint(self) -> str:
        """A digest of everything that features depend on besides the images: also after fine-tuning."""
        state = hashlib.blake2b(digest_size=16)
        state.update(repr((self.name, self.layer, self.input_size, self.preprocessing)).encode())
        for weight in self.network.get_weights():
            state.update(np.ascontiguousarray(weight).data)
        return state.hexdigest()

    def __repr__(self) -> str:
        return (
            f"Backbone {self.name}: images of {self.input_size} px, {self.feature_size} features, "
            f"weights: {self.provenance}"
        )


def load_backbone(
    name: str,
    *,
    weights: str | Path | None = "auto",
    layer: str | None = None,
    image_size: int | None = None,
    precision: str = "auto",
) -> Backbone:
    """Load a backbone with its preprocessing.

    Args:
        name: one of `BACKBONES`.
        weights: "auto" takes the embedded weights, those of the classroom pack, or downloads ImageNet's, in this
            order; None or "random" starts untrained; else a file of weights (.weights.h5 or .h5).
        layer: name of the layer after which the network is cut; None for its whole depth (or as far as the file goes).
        image_size: side of the images, in pixels; None for the size that the weights were trained at.
        precision: "auto" for what is fastest on this machine, "float32" for what can be compared to the last digit.

    Raises:
        UnknownNameError: for a name that is not known.
        WeightsError: for a file of another architecture.
        DataNotFoundError: where weights can neither be found nor downloaded.
    """
    check_precision(precision)
    if name in PYTORCH_ONLY:
        raise UnknownNameError(f"backbone in Keras (the nearest is {PYTORCH_ONLY[name]!r})", name, BACKBONES)
    if name not in BACKBONES:
        raise UnknownNameError("backbone", name, BACKBONES)
    recipe = BACKBONES[name]
    size = image_size or recipe.input_size
    with building_policy(precision):
        network = recipe.build(size)
    file, provenance, pack_layer = None, Provenance("random", ""), None
    if weights == "auto" and name in EMBEDDED_WIDTHS:
        tensors, metadata = embedded_weights(name)
        load_shared_weights(network, tensors)
        provenance = Provenance("embedded", f"Tiny ImageNet, top-1 {metadata['val_top1']:.1%}")
    elif weights == "auto":
        if (found := pack_weights(name, "tensorflow")) is not None:
            file, pack_layer = found
            provenance = Provenance("pack", file.name)
        else:
            from tlhelpers.legacy.weights_files import fetch_weights

            file = fetch_weights(name, "tensorflow")
            provenance = Provenance("download", file.name)
    elif weights not in (None, "random"):
        file, provenance = Path(weights), Provenance("file", Path(weights).name)
    layer = layer or pack_layer
    if layer is not None:
        network = cut(network, layer)
    if file is not None:
        load_weights_file(network, file, name, layer)
    return Backbone(name, network, size, recipe.preprocessing, provenance, layer, precision)


def weights_at_hand(name: str) -> bool:
    """Whether `load_backbone(name)` has pretrained weights on this machine, without a download."""
    if name in EMBEDDED_WIDTHS or pack_weights(name, "tensorflow") is not None:
        return True
    from tlhelpers.data.fetch import find_local

    return (name, "tensorflow") in WEIGHTS and find_local(WEIGHTS[name, "tensorflow"]) is not None


def cut(network: keras.Model, layer: str) -> keras.Model:
    """The network up to a named layer; weights are shared.

    Raises:
        UnknownNameError: where the network has no such layer.
    """
    names = [x.name for x in network.layers]
    if layer not in names:
        raise UnknownNameError("layer", layer, names)
    return keras.Model(network.input, network.get_layer(layer).output, name=network.name)


def load_weights_file(network: keras.Model, file: Path, name: str, layer: str | None) -> None:
    """Set a network's weights from a file; `name` and `layer`, where it is cut, are for the message.

    Raises:
        WeightsError: for a file that is not there, is broken or belongs to another architecture.
    """
    if not file.exists():
        raise WeightsError(f"expected a file of weights, found nothing at {file}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # Keras only warns of layers that it found no weights for
            network.load_weights(file)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{file} does not hold the weights of {name}{f' up to {layer}' if layer else ''}: {reason} "
            "Name the architecture that the file was saved from, or the layer where it was cut (layer=...)."
        ) from error
