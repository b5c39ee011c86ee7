"""The small residual network that travels with the course, in the manner of `torchvision.models.resnet18`.

It is ResNet-10 for images of 64 pixels: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition"
(CVPR 2016), with one block a stage. `tlhelpers.tensorflow.mini_resnet` is the same network with the same weights.
"""

from functools import partial

import torch
from safetensors.torch import load_file
from torch import nn
from torchvision.models import Weights, WeightsEnum
from torchvision.models.resnet import BasicBlock

from tlhelpers.pytorch.pretrained import build_model, classification_preset
from tlhelpers.weights import mini_resnet_file, tiny_imagenet_classes


class MiniResNet(nn.Module):
    """Class scores `(n, num_classes)` of normalized images `(n, 3, h, w)`, of 64 pixels or another size.

    Args:
        num_classes: Length of the last layer.
        width: Channels of the first stage; each later stage has twice those of the one before.
    """

    def __init__(self, num_classes: int = 202, width: int = 32):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, kernel_size=3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.Identity()  # here resnet18 halves its maps; those of 64 pixels are small enough
        self.layer1 = stage(width, width, stride=1)
        self.layer2 = stage(width, 2 * width, stride=2)
        self.layer3 = stage(2 * width, 4 * width, stride=2)
        self.layer4 = stage(4 * width, 8 * width, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8 * width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # He et al., "Delving Deep into Rectifiers" (ICCV 2015), eq. 10
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Class scores (logits), `(n, num_classes)`."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def stage(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """One block: two 3x3 convolutions beside a shortcut, which is a 1x1 convolution where the shape changes."""
    downsample = None
    if stride != 1 or in_channels != out_channels:
        downsample = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False),
            nn.BatchNorm2d(out_channels),
        )
    return nn.Sequential(BasicBlock(in_channels, out_channels, stride, downsample))


class _ShippedWeights(WeightsEnum):
    """Weights whose `url` is a safetensors file of this package; torchvision's are downloaded."""

    def get_state_dict(self, *args, **kwargs) -> dict[str, torch.Tensor]:
        """The tensors by name. It takes torchvision's arguments, and needs none."""
        return load_file(self.url)


def _shipped(name: str, num_params: int, top1: float) -> Weights:
    return Weights(
        url=str(mini_resnet_file(name)),
        transforms=partial(classification_preset, size=64, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        meta={
            "categories": [name for _, name in tiny_imagenet_classes()],
            "num_params": num_params,
            "_metrics": {"Tiny ImageNet, 202 classes": {"acc@1": top1}},
            "_docs": f"Trained on Tiny ImageNet: tlhelpers/weights/{name}.md",
        },
    )


class MiniResNet_Weights(_ShippedWeights):
    """Weights of `mini_resnet`, with their preprocessing and the names of their classes."""

    TINY_IMAGENET_V1 = _shipped("mini_resnet", 1_278_314, 44.218)
    DEFAULT = TINY_IMAGENET_V1


class MiniResNetNarrow_Weights(_ShippedWeights):
    """Weights of `mini_resnet_narrow`, with their preprocessing and the names of their classes."""

    TINY_IMAGENET_V1 = _shipped("mini_resnet_narrow", 333_594, 34.119)
    DEFAULT = TINY_IMAGENET_V1


def mini_resnet(*, weights: MiniResNet_Weights | None = None, progress: bool = True, **kwargs) -> MiniResNet:
    """ResNet-10 of width 32, called as `torchvision.models.resnet18` is.

    Args:
        weights: None for an untrained network; `MiniResNet_Weights.DEFAULT`, or `"DEFAULT"`, for the trained one.
        progress: As in torchvision, though nothing is downloaded.
        **kwargs: For `MiniResNet`, such as `num_classes`.

    Raises:
        ValueError: `num_classes` is not what the weights were trained for.
    """
    return build_model(MiniResNet, MiniResNet_Weights.verify(weights), progress, **kwargs)


def mini_resnet_narrow(
    *, weights: MiniResNetNarrow_Weights | None = None, progress: bool = True, **kwargs
) -> MiniResNet:
    """ResNet-10 of width 16: a quarter of the parameters of `mini_resnet`; called in the same way."""
    return build_model(MiniResNet, MiniResNetNarrow_Weights.verify(weights), progress, **{"width": 16, **kwargs})
