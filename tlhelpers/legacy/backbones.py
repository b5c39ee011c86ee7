"""What the two frameworks must agree on about backbones: preprocessing, provenance of weights, the embedded weights."""

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlhelpers.paths import data_folder
from tlhelpers.weights import mini_resnet_file


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its pixels: `(image - mean) / std` on values of 0 to 255, channel by channel.

    Attributes:
        mean: one value per channel, in the order in which the network takes the channels.
        std: likewise.
        bgr: whether the network takes blue first. Images always come as red, green, blue.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool = False


# Mean and spread of ImageNet's training photos, as torchvision states them, times 255.
IMAGENET = Preprocessing((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
MINUS_ONE_TO_ONE = Preprocessing((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
CAFFE = Preprocessing((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), bgr=True)  # Keras's VGG and ResNet
AS_IS = Preprocessing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))  # networks that scale inside

# Weights that a classroom pack may hold although no server offers them: file, and the layer after which they end.
PACK_WEIGHTS = {
    ("mobilenet", "pytorch"): ("mobilenetv1_100_conv_pw_12.safetensors", "blocks.4.0"),
    ("mobilenet", "tensorflow"): ("mobilenet_conv_pw_12.weights.h5", "conv_pw_12_relu"),
}


# The residual networks whose weights travel with the package, and the channels of their first stage.
EMBEDDED_WIDTHS = {"mini_resnet": 32, "mini_resnet_narrow": 16}


@dataclass(frozen=True)
class Provenance:
    """Where a backbone's weights come from: `kind` is embedded, pack, file, download or random."""

    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind} ({self.detail})" if self.detail else self.kind


def pack_weights(name: str, framework: str) -> tuple[Path, str] | None:
    """The file of the classroom pack for a backbone and the layer where it ends; None where there is none."""
    folder = data_folder()
    if folder is None or (name, framework) not in PACK_WEIGHTS:
        return None
    file, layer = PACK_WEIGHTS[name, framework]
    path = folder / "weights" / file
    return (path, layer) if path.exists() else None


@functools.cache
def embedded_weights(name: str = "mini_resnet") -> tuple[dict[str, np.ndarray], dict]:
    """Weights of one of `EMBEDDED_WIDTHS`, float32 under PyTorch's names and layouts, and what the file says of itself.

    Returns:
        The tensors by name (convolutions of shape `(out, in, height, width)`), and a dictionary with `val_top1`
        (fraction) and `classes` (pairs of WordNet id and names, in label order).
    """
    from safetensors import safe_open

    with safe_open(mini_resnet_file(name), "numpy") as file:
        tensors = {_old_name(name): file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    return tensors, {"val_top1": float(metadata["val_top1"]), "classes": json.loads(metadata["classes"])}


def _old_name(name: str) -> str:
    """The name that the old mirrors have for a tensor, from torchvision's, which the file has."""
    new = (r"^conv1", r"^bn1", r"^layer(\d)\.0", r"downsample\.0", r"downsample\.1", r"^fc")
    old = ("stem.conv", "stem.bn", r"stage\1", "shortcut.conv", "shortcut.bn", "head")
    for pattern, replacement in zip(new, old, strict=True):
        name = re.sub(pattern, replacement, name)
    return name


def first_names(metadata: dict) -> tuple[str, ...]:
    """The first of the names of each class, in label order, from what `embedded_weights` says of its file."""
    return tuple(names.split(",")[0] for _, names in metadata["classes"])


def source_classes(features: np.ndarray, top: int = 3) -> list[list[tuple[str, float]]]:
    """What the embedded backbone's own classifier, of 202 classes of photos, says to features of shape `(n, 256)`.

    Returns:
        For each image the `top` most probable classes as (name, probability), the most probable first.
    """
    tensors, metadata = embedded_weights()
    weight, bias = tensors["head.weight"], tensors["head.bias"]
    if features.ndim != 2 or features.shape[1] != weight.shape[1]:
        raise ValueError(f"expected features of mini_resnet, shape (n, {weight.shape[1]}); got shape {features.shape}")
    logits = features @ weight.T + bias
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    names = first_names(metadata)
    return [[(names[k], float(row[k])) for k in np.argsort(-row)[:top]] for row in probabilities]


def check_images(images: np.ndarray, size: int) -> np.ndarray:
    """Refuse what is not a batch of images of `size` pixels; return uint8, or float32 scaled from 0..1 to 0..255.

    Raises:
        ValueError: for another shape, type or range.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1:] != (size, size, 3):
        raise ValueError(
            f"expected images of shape (n, {size}, {size}, 3), got {images.shape}; "
            f"prepare them at image_size={size}, or load the backbone with image_size=..."
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise ValueError(f"expected images as uint8 (0 to 255) or float (0 to 1), got {images.dtype}")
    if len(images) and (images.min() < 0 or images.max() > 1 or np.isnan(images).any()):
        raise ValueError(
            f"expected float images within 0 and 1, got {images.min():.4g} to {images.max():.4g}; "
            "give raw pixels as uint8: the backbone scales them itself"
        )
    return images.astype(np.float32) * np.float32(255)
