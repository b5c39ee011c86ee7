"""What belongs to pretrained weights in torchvision's manner: their preprocessing, and a model that takes them."""

from collections.abc import Callable

import torch
from torch import nn
from torchvision.models import WeightsEnum
from torchvision.transforms import InterpolationMode, v2


def classification_preset(
    *,
    size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
) -> v2.Compose:
    """Transforms a PIL image, or a uint8 tensor `(..., 3, h, w)`, to the float32 tensor that a network takes.

    Args:
        size: Side of the result in pixels: the shorter side is scaled to it, and the middle is cut out.
        mean: Of each channel, on a scale of 0 to 1; it is subtracted.
        std: Of each channel, on a scale of 0 to 1; the rest is divided by it.
        interpolation: How the image is scaled.
    """
    return v2.Compose(
        [
            v2.Resize(size, interpolation=interpolation),
            v2.CenterCrop(size),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),  # 0 to 255 becomes 0 to 1
            v2.Normalize(mean=list(mean), std=list(std)),
            v2.ToPureTensor(),
        ]
    )


def build_model(constructor: Callable[..., nn.Module], weights: WeightsEnum | None, progress: bool, **kwargs):
    """The model that `constructor(**kwargs)` makes, with the weights if there are any.

    Raises:
        ValueError: `num_classes` is not what the weights were trained for.
    """
    if weights is not None:
        trained = len(weights.meta["categories"])
        if kwargs.setdefault("num_classes", trained) != trained:
            raise ValueError(
                f"The weights have {trained} classes, and num_classes={kwargs['num_classes']} was asked for. Leave "
                "num_classes away and replace the last layer afterwards, or start untrained with weights=None."
            )
    model = constructor(**kwargs)
    if weights is not None:
        model.load_state_dict(weights.get_state_dict(progress=progress))
    return model
