"""A pretrained network by its name, with the preprocessing that belongs to its weights."""

import timm
from torch import nn
from torchvision import models
from torchvision.transforms import v2

from tlhelpers.pytorch.efficientnet_lite0 import EfficientNetLite0_Weights, efficientnet_lite0
from tlhelpers.pytorch.mini_resnet import MiniResNet_Weights, mini_resnet


def load_network(name: str, pretrained: bool = True, **options) -> tuple[nn.Module, v2.Transform]:
    """A network by its name, and the transform that turns a picture into what the network takes.

    Args:
        name: "mini_resnet" or "efficientnet_lite0" of this course, one of `torchvision.models.list_models()`, or one
            of `timm.list_models()`. The weights of torchvision's and timm's are downloaded once.
        pretrained: False for random weights.
        **options: For the network, such as `num_classes`.
    """
    ours = {
        "mini_resnet": (mini_resnet, MiniResNet_Weights),
        "efficientnet_lite0": (efficientnet_lite0, EfficientNetLite0_Weights),
    }
    weights = "DEFAULT" if pretrained else None
    if name in ours:
        build, known = ours[name]
        return build(weights=weights, **options), known.DEFAULT.transforms()
    if name in models.list_models():
        known = models.get_model_weights(name)
        return models.get_model(name, weights=weights, **options), known.DEFAULT.transforms()
    network = timm.create_model(name, pretrained=pretrained, **options)
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    return network, v2.Compose([v2.ToPILImage(), prepare])
