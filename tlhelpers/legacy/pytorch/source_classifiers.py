"""Whole networks in PyTorch: a backbone with the head that it was pretrained with, and the names of its classes."""

import torch
from torch import nn

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.backbones import EMBEDDED_WIDTHS, Provenance, embedded_weights, first_names
from tlhelpers.legacy.pytorch.backbones import load_backbone, read_weights
from tlhelpers.legacy.pytorch.classifiers import Classifier, build_classifier, build_head, freeze
from tlhelpers.legacy.pytorch.precision import default_device


class MapsHead(nn.Sequential):
    """A head that takes the last feature maps, `(n, feature_size, h', w')`, such as VGG's three layers."""

    def __init__(self, *layers: nn.Module):
        super().__init__(*layers)
        self.num_classes = layers[-1].out_features


class MapsClassifier(Classifier):
    """A backbone and a head for its feature maps: logits `(n, num_classes)` from images `(n, h, w, 3)`, 0 to 255."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits, float32."""
        return self.head(self.backbone.maps(images)).float()


# Every layer between the feature maps and the class scores, in torchvision's networks.
_TOPS = {
    "vgg16": lambda network: (network.avgpool, nn.Flatten(), *network.classifier),
    "resnet18": lambda network: (network.avgpool, nn.Flatten(), network.fc),
    "resnet50": lambda network: (network.avgpool, nn.Flatten(), network.fc),
    "mobilenet_v2": lambda network: (nn.AdaptiveAvgPool2d(1), nn.Flatten(), *network.classifier),
    "efficientnet_b0": lambda network: (network.avgpool, nn.Flatten(), *network.classifier),
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
    if name in EMBEDDED_WIDTHS:
        classifier = _embedded(name, precision)
    elif name in _TOPS:
        classifier = _imagenet(name, precision)
    else:
        raise UnknownNameError("network with a head", name, [*EMBEDDED_WIDTHS, *_TOPS])
    freeze(classifier)
    return classifier.to(default_device()).requires_grad_(False).eval()


def _embedded(name: str, precision: str) -> Classifier:
    tensors, metadata = embedded_weights(name)
    backbone = load_backbone(name, precision=precision)
    head = build_head(backbone.feature_size, len(metadata["classes"]))
    head.linear.load_state_dict({key: torch.from_numpy(tensors[f"head.{key}"]) for key in ("weight", "bias")})
    classifier = build_classifier(backbone, head=head)
    classifier.class_names = first_names(metadata)
    return classifier


def _imagenet(name: str, precision: str) -> Classifier:
    from torchvision import models

    from tlhelpers.legacy.weights_files import fetch_weights

    file = fetch_weights(name, "pytorch")
    network = models.get_model(name)
    network.load_state_dict(read_weights(file))
    backbone = load_backbone(name, weights=file, precision=precision)
    backbone.provenance = Provenance("download", file.name)
    classifier = MapsClassifier(backbone, MapsHead(*_TOPS[name](network)))
    classifier.class_names = tuple(models.get_model_weights(name).DEFAULT.meta["categories"])
    return classifier
