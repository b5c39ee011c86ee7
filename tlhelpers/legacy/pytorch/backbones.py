"""Backbones in PyTorch: a network without its classifier, together with its preprocessing and its weights' origin."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from tlhelpers.errors import UnknownNameError, WeightsError
from tlhelpers.legacy.backbones import (
    EMBEDDED_WIDTHS,
    IMAGENET,
    MINUS_ONE_TO_ONE,
    Preprocessing,
    Provenance,
    embedded_weights,
    pack_weights,
)
from tlhelpers.legacy.pytorch.mini_resnet import MiniResNet
from tlhelpers.legacy.pytorch.precision import check_precision, default_device, memory_format
from tlhelpers.legacy.weights_files import WEIGHTS


def _resnet(name: str, size: int) -> nn.Sequential:
    from torchvision import models

    children = list(models.get_model(name).named_children())[:-2]  # without the pooling and the classifier
    return nn.Sequential(OrderedDict(children))


def _torchvision_features(name: str, size: int) -> nn.Module:
    from torchvision import models

    return models.get_model(name).features


def _vision_transformer(name: str, size: int) -> nn.Module:
    """Its output is the class token, which is what its own classifier reads; the size is part of the weights."""
    from torchvision import models

    network = models.get_model(name, image_size=size)
    network.heads = nn.Identity()
    return network


def _mini_resnet(width: int, size: int) -> nn.Module:
    return MiniResNet(width)


def _keras_mobilenet(size: int) -> nn.Module:
    """MobileNet v1 with the padding, epsilon and activation of Keras, so that Keras's weights fit."""
    return _timm("mobilenetv1_100", pad_type="same", bn_eps=1e-3, act_layer="relu6")


def _timm(name: str, pretrained: bool = False, **options) -> nn.Module:
    import timm

    return timm.create_model(name, pretrained=pretrained, num_classes=0, global_pool="", **options)


@dataclass(frozen=True)
class _Recipe:
    build: Callable[[int], nn.Module]  # from the side of the images
    input_size: int
    preprocessing: Preprocessing
    prefix: str = ""  # of the names in the weights file that the module does not have


BACKBONES = {
    **{name: _Recipe(partial(_mini_resnet, width), 64, IMAGENET) for name, width in EMBEDDED_WIDTHS.items()},
    "mobilenet": _Recipe(_keras_mobilenet, 224, MINUS_ONE_TO_ONE),
    "vgg16": _Recipe(partial(_torchvision_features, "vgg16"), 224, IMAGENET, "features."),
    "resnet18": _Recipe(partial(_resnet, "resnet18"), 224, IMAGENET),
    "resnet50": _Recipe(partial(_resnet, "resnet50"), 224, IMAGENET),
    "mobilenet_v2": _Recipe(partial(_torchvision_features, "mobilenet_v2"), 224, IMAGENET, "features."),
    "efficientnet_b0": _Recipe(partial(_torchvision_features, "efficientnet_b0"), 224, IMAGENET, "features."),
    "vit_b_16": _Recipe(partial(_vision_transformer, "vit_b_16"), 224, IMAGENET),
}


class Backbone(nn.Module):
    """A network without its classifier.

    Called with a float tensor of shape `(n, h, w, 3)`, 0 to 255, it gives pooled features `(n, feature_size)`.

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
        super().__init__()
        self.name, self.input_size, self.preprocessing = name, input_size, preprocessing
        self.provenance, self.layer, self.precision = provenance, layer, check_precision(precision)
        self.network = network.to(memory_format=memory_format(precision))
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1), persistent=False)
        self.layer_names = tuple(_layer_names(network))
        with torch.inference_mode():
            was_training, _ = network.training, self.eval()
            self.feature_size = int(self(torch.zeros(1, input_size, input_size, 3)).shape[1])
            self.train(was_training)

    def maps(self, images: torch.Tensor) -> torch.Tensor:
        """The last feature maps, `(n, feature_size, h', w')`; a transformer's tokens, `(n, tokens, feature_size)`."""
        x = images.permute(0, 3, 1, 2)
        x = x.flip(1) if self.preprocessing.bgr else x
        x = (x.float() - self.mean) / self.std
        return self.network(x.contiguous(memory_format=memory_format(self.precision)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Pooled features, `(n, feature_size)` float32."""
        maps = self.maps(images)
        pooled = maps.mean((2, 3)) if maps.ndim == 4 else maps.mean(1) if maps.ndim == 3 else maps
        return pooled.float()

    def fingerprint(self) -> str:
        """A digest of everything that features depend on besides the images: also after fine-tuning."""
        state = hashlib.blake2b(digest_size=16)
        state.update(repr((self.name, self.layer, self.input_size, self.preprocessing)).encode())
        for name, tensor in self.network.state_dict().items():
            state.update(name.encode())
            state.update(tensor.detach().cpu().contiguous().view(-1).numpy().data)
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
        name: one of `BACKBONES`, or `timm/NAME` for any model of timm.
        weights: "auto" takes the embedded weights, those of the classroom pack, or downloads ImageNet's, in this
            order; None or "random" starts untrained; else a file of weights (.safetensors or .pth).
        layer: name of the layer after which the network is cut; None for its whole depth (or as far as the file goes).
        image_size: side of the images, in pixels; None for the size that the weights were trained at.
        precision: "auto" for what is fastest on this machine, "float32" for what can be compared to the last digit.

    Raises:
        UnknownNameError: for a name that is not known.
        WeightsError: for a file of another architecture.
        DataNotFoundError: where weights can neither be found nor downloaded.
    """
    pretrained_timm = name.startswith("timm/") and weights == "auto"
    recipe = (
        _timm_recipe(name.removeprefix("timm/"), pretrained_timm) if name.startswith("timm/") else BACKBONES.get(name)
    )
    if recipe is None:
        raise UnknownNameError("backbone", name, [*BACKBONES, "timm/NAME"])
    if weights == "auto" and name == "mobilenet" and pack_weights(name, "pytorch") is None:
        # No server offers Keras's weights for PyTorch; timm's own MobileNet brings its own preprocessing.
        recipe, pretrained_timm = _timm_recipe("mobilenetv1_100.ra4_e3600_r224_in1k", True), True
    size = image_size or recipe.input_size
    network = recipe.build(size)
    file, provenance, pack_layer = None, Provenance("random", ""), None
    if weights == "auto" and name in EMBEDDED_WIDTHS:
        tensors, metadata = embedded_weights(name)
        tensors = {k: torch.from_numpy(v) for k, v in tensors.items() if not k.startswith("head.")}
        _load(network, tensors, name, "the embedded weights", None)
        provenance = Provenance("embedded", f"Tiny ImageNet, top-1 {metadata['val_top1']:.1%}")
    elif pretrained_timm:
        provenance = Provenance("download", "timm, ImageNet")
    elif weights == "auto":
        if (found := pack_weights(name, "pytorch")) is not None:
            file, pack_layer = found
            provenance = Provenance("pack", file.name)
        else:
            from tlhelpers.legacy.weights_files import fetch_weights

            file = fetch_weights(name, "pytorch")
            provenance = Provenance("download", file.name)
    elif weights not in (None, "random"):
        file, provenance = Path(weights), Provenance("file", Path(weights).name)
    layer = layer or pack_layer
    if layer is not None:
        cut(network, layer)
    if file is not None:
        tensors = {k.removeprefix(recipe.prefix): v for k, v in read_weights(file).items()}
        _load(network, tensors, name, file, layer)
    backbone = Backbone(name, network, size, recipe.preprocessing, provenance, layer, precision)
    return backbone.to(default_device())


def weights_at_hand(name: str) -> bool:
    """Whether `load_backbone(name)` has pretrained weights on this machine, without a download."""
    if name in EMBEDDED_WIDTHS or pack_weights(name, "pytorch") is not None:
        return True
    from tlhelpers.data.fetch import find_local

    return (name, "pytorch") in WEIGHTS and find_local(WEIGHTS[name, "pytorch"]) is not None


def _timm_recipe(name: str, pretrained: bool) -> _Recipe:
    try:
        import timm
    except ImportError as error:
        raise WeightsError(f"expected the package timm for {name}: pip install timm") from error
    if not timm.is_model(name):
        raise UnknownNameError("timm model", name, timm.list_models())
    config = timm.get_pretrained_cfg(name)
    mean, std = (tuple(255 * v for v in values) for values in (config.mean, config.std))
    return _Recipe(lambda size: _timm(name, pretrained), config.input_size[-1], Preprocessing(mean, std))


def _layer_names(network: nn.Module) -> Iterator[str]:
    for name, module in network.named_children():
        if name == "blocks":  # where timm keeps nearly the whole network
            yield from (f"blocks.{i}" for i, _ in module.named_children())
        elif not isinstance(module, nn.Identity):
            yield name


def cut(network: nn.Module, layer: str) -> None:
    """End a network after a named layer, in place: what is registered behind it becomes the identity.

    Raises:
        UnknownNameError: where the network has no such layer.
    """
    if layer not in (names := dict(network.named_modules())):
        raise UnknownNameError("layer", layer, [name for name in names if name])
    head, _, rest = layer.partition(".")
    children = [name for name, _ in network.named_children()]
    for name in children[children.index(head) + 1 :]:
        setattr(network, name, nn.Identity())
    if rest:
        cut(getattr(network, head), rest)


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """Tensors by name from a .safetensors or .pth file, which cannot run code when read.

    Raises:
        WeightsError: for a file that is not there or is broken.
    """
    if not file.exists():
        raise WeightsError(f"expected a file of weights, found nothing at {file}")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors and torch have no common error for a broken file
        raise WeightsError(f"expected weights as .safetensors or .pth in {file}, cannot read it: {error}") from error


def _load(network: nn.Module, tensors: dict[str, torch.Tensor], name: str, origin, layer: str | None) -> None:
    expected = network.state_dict()
    counters = {key for key in expected if key.endswith("num_batches_tracked")}
    missing = sorted(set(expected) - set(tensors) - counters)
    wrong = [
        f"{key}: expected {tuple(expected[key].shape)}, got {tuple(value.shape)}"
        for key, value in tensors.items()
        if key in expected and key not in counters and expected[key].shape != value.shape
    ]
    if missing or wrong:
        problem = "; ".join([*wrong[:2], *(f"{key} is missing" for key in missing[:2])])
        raise WeightsError(
            f"{origin} does not hold the weights of {name}{f' up to {layer}' if layer else ''}: {problem}. "
            "Name the architecture that the file was saved from, or the layer where it was cut (layer=...)."
        )
    network.load_state_dict({k: v for k, v in tensors.items() if k in expected}, strict=False)
