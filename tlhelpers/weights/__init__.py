"""The weights that travel with the course and the names of their classes, without a framework."""

import functools
import json
from pathlib import Path

FOLDER = Path(__file__).parent
MINI_RESNET_WIDTHS = {"mini_resnet": 32, "mini_resnet_narrow": 16}  # channels of the first stage
CAT_DOG_SIZES = {"mini_resnet": 64, "efficientnet_lite0": 224}  # networks with a head for real photos; side in pixels


def mini_resnet_file(name: str = "mini_resnet") -> Path:
    """The safetensors file of one of `MINI_RESNET_WIDTHS`: tensors with torchvision's names and layouts."""
    return FOLDER / f"{name}.safetensors"


def cat_dog_head_file(network: str) -> Path:
    """The safetensors file of a head for one of `CAT_DOG_SIZES`: a linear layer that scores cat and dog.

    `weight` is `(2, features)` and `bias` `(2,)`, as in PyTorch. The metadata say from how many real photos it has
    learnt (`photos`), and what share of others (`test_photos`) it gets right (`accuracy`, `low`, `high`).
    """
    return FOLDER / f"cat_dog_{network}.safetensors"


@functools.cache
def tiny_imagenet_classes() -> tuple[tuple[str, str], ...]:
    """WordNet id and name of the 202 classes of Tiny ImageNet, in label order."""
    from safetensors import safe_open

    with safe_open(mini_resnet_file(), "numpy") as file:
        classes = json.loads(file.metadata()["classes"])
    return tuple((wordnet_id, names.split(",")[0]) for wordnet_id, names in classes)


@functools.cache
def imagenet_classes() -> tuple[tuple[str, str], ...]:
    """WordNet id and name of ImageNet's 1,000 classes, in label order; the names are those that torchvision gives."""
    lines = (FOLDER / "imagenet_classes.tsv").read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split("\t")) for line in lines)
