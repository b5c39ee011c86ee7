"""EfficientNet-Lite0 with ImageNet's weights, in the manner of torchvision's models. The network is timm's.

The weights come from a package of the Python registry, so that no other server is needed.
`tlhelpers.tensorflow.efficientnet_lite0` is the same network with the same weights.
"""

from functools import partial

import timm
import torch
from torch import nn
from torchvision.models import Weights, WeightsEnum
from torchvision.transforms import InterpolationMode

from tlhelpers.pytorch.pretrained import build_model, classification_preset
from tlhelpers.weights import imagenet_classes
from tlhelpers.weights.efficientnet_lite0 import PACKAGE, efficientnet_lite0_tensors


class EfficientNetLite0_Weights(WeightsEnum):
    """Weights of `efficientnet_lite0`, with their preprocessing and the names of their classes."""

    IMAGENET1K_V1 = Weights(
        url=PACKAGE,
        transforms=partial(
            classification_preset,
            size=224,
            mean=(127 / 255,) * 3,
            std=(128 / 255,) * 3,
            interpolation=InterpolationMode.BICUBIC,
        ),
        meta={"categories": [name for _, name in imagenet_classes()], "num_params": 4_652_008},
    )
    DEFAULT = IMAGENET1K_V1

    def get_state_dict(self, *args, **kwargs) -> dict[str, torch.Tensor]:
        """The tensors by timm's names. It takes torchvision's arguments, and needs none.

        Raises:
            WeightsError: the package that holds them is not installed, or its file has been changed.
        """
        return {name: torch.from_numpy(tensor) for name, tensor in efficientnet_lite0_tensors().items()}


def efficientnet_lite0(
    *, weights: EfficientNetLite0_Weights | None = None, progress: bool = True, **kwargs
) -> nn.Module:
    """EfficientNet-Lite0, called as `torchvision.models.efficientnet_b0` is; its layers have timm's names.

    Args:
        weights: None for an untrained network; `EfficientNetLite0_Weights.DEFAULT` or `"DEFAULT"` for the trained one.
        progress: As in torchvision, though nothing is downloaded.
        **kwargs: For timm's model, such as `num_classes` or `drop_rate`.

    Raises:
        ValueError: `num_classes` is not what the weights were trained for.
        WeightsError: the package that holds the weights is not installed, or its file has been changed.
    """
    constructor = partial(timm.create_model, "tf_efficientnet_lite0", pretrained=False)
    return build_model(constructor, EfficientNetLite0_Weights.verify(weights), progress, **kwargs)
