"""Whole networks in Keras: a backbone with the head that it was pretrained with, and the names of its classes."""

import keras
import tensorflow as tf

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.backbones import EMBEDDED_WIDTHS, Provenance, embedded_weights, first_names
from tlhelpers.legacy.tensorflow.backbones import BACKBONES, Backbone, load_backbone, load_weights_file
from tlhelpers.legacy.tensorflow.classifiers import Classifier, build_classifier, build_head
from tlhelpers.legacy.tensorflow.precision import building_policy, check_precision


class MapsHead(keras.Model):
    """A head that takes the last feature maps, `(n, h', w', feature_size)`, such as VGG's three layers."""

    def __init__(self, network: keras.Model):
        super().__init__()
        self.network, self.num_classes = network, int(network.output_shape[-1])

    def call(self, maps: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits, float32."""
        return tf.cast(self.network(maps, training=training), tf.float32)


class MapsClassifier(Classifier):
    """A backbone and a head for its feature maps: logits `(n, num_classes)` from images `(n, h, w, 3)`, 0 to 255."""

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Logits, float32."""
        return self.head(self.backbone.maps(images, training), training=training)


# The layer of Keras's networks that holds the last feature maps; what follows is the head.
_TOPS = {
    "vgg16": ("VGG16", "block5_pool"),
    "resnet50": ("ResNet50", "conv5_block3_out"),
    "mobilenet_v2": ("MobileNetV2", "out_relu"),
    "efficientnet_b0": ("EfficientNetB0", "top_activation"),
}


def load_source_classifier(name: str = "mini_resnet", *, precision: str = "auto") -> Classifier:
    """A pretrained network with the head it was pretrained with, frozen.

    Args:
        name: an embedded backbone (202 classes of Tiny ImageNet), or a network of ImageNet's 1,000 classes, whose
            weights are those of the classroom pack or are downloaded.
        precision: as for `load_backbone`.

    Returns:
        A classifier that also has `class_names`, a tuple of the names of its classes.

    Raises:
        UnknownNameError: for a network whose head is not known.
        WeightsError: for a file of another architecture.
        DataNotFoundError: where weights can neither be found nor downloaded.
    """
    check_precision(precision)
    if name in EMBEDDED_WIDTHS:
        classifier = _embedded(name, precision)
    elif name in _TOPS:
        classifier = _imagenet(name, precision)
    else:
        raise UnknownNameError("network with a head", name, [*EMBEDDED_WIDTHS, *_TOPS])
    classifier.trainable = False
    return classifier


def _embedded(name: str, precision: str) -> Classifier:
    tensors, metadata = embedded_weights(name)
    backbone = load_backbone(name, precision=precision)
    head = build_head(backbone.feature_size, len(metadata["classes"]))
    head.linear.set_weights([tensors["head.weight"].T, tensors["head.bias"]])
    classifier = build_classifier(backbone, head=head)
    classifier.class_names = first_names(metadata)
    return classifier


def _imagenet(name: str, precision: str) -> Classifier:
    from tlhelpers.legacy.weights_files import fetch_weights
    from tlhelpers.weights import imagenet_classes

    application, last = _TOPS[name]
    file, class_names = fetch_weights(f"{name}_with_head", "tensorflow"), tuple(n for _, n in imagenet_classes())
    with building_policy(precision):
        network = getattr(keras.applications, application)(weights=None, classifier_activation=None)
    load_weights_file(network, file, name, None)
    body = keras.Model(network.input, network.get_layer(last).output, name=name)
    maps = keras.Input(body.output_shape[1:])
    x = maps
    for layer in network.layers[network.layers.index(network.get_layer(last)) + 1 :]:
        x = layer(x)
    recipe = BACKBONES[name]
    origin = Provenance("download", file.name)
    backbone = Backbone(name, body, recipe.input_size, recipe.preprocessing, origin, None, precision)
    classifier = MapsClassifier(backbone, MapsHead(keras.Model(maps, x)))
    classifier.class_names = class_names
    return classifier
