"""Classifiers in PyTorch: a backbone and a head, what of them is trained, and how they are saved."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from tlhelpers.errors import UnknownNameError, WeightsError
from tlhelpers.legacy.classifiers import ParameterCount, read_classifier_metadata, write_classifier_metadata
from tlhelpers.legacy.pytorch.backbones import Backbone, load_backbone
from tlhelpers.legacy.pytorch.precision import default_device
from tlhelpers.legacy.training import check_weights, resolve_layer_rates
from tlhelpers.paths import atomic_path


class Head(nn.Module):
    """Dropout and a linear layer: logits of shape `(n, num_classes)` from features of shape `(n, feature_size)`."""

    def __init__(self, feature_size: int, num_classes: int, dropout: float = 0.0):
        super().__init__()
        self.feature_size, self.num_classes, self.precision = feature_size, num_classes, "float32"
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(feature_size, num_classes)
        nn.init.xavier_uniform_(self.linear.weight)  # as Keras's Dense starts, so that both may be compared
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits, float32."""
        return self.linear(self.dropout(features))


class Classifier(nn.Module):
    """A backbone and a head: logits `(n, num_classes)` from images `(n, h, w, 3)`, float, 0 to 255."""

    def __init__(self, backbone: Backbone, head: Head):
        super().__init__()
        self.backbone, self.head = backbone, head
        self.input_size, self.num_classes, self.precision = backbone.input_size, head.num_classes, backbone.precision

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits, float32."""
        return self.head(self.backbone(images)).float()

    def train(self, mode: bool = True) -> "Classifier":
        """As usual, but frozen BatchNorm layers keep their statistics, which `requires_grad = False` would not do."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and not module.weight.requires_grad:
                module.eval()
        return self


def build_head(feature_size: int, num_classes: int, *, dropout: float = 0.0) -> Head:
    """A linear classifier for features, to be trained with `fit` on what `extract_features` gave."""
    return Head(feature_size, num_classes, dropout).to(default_device())


def build_classifier(
    backbone: Backbone, num_classes: int | None = None, *, head: Head | None = None, dropout: float = 0.0
) -> Classifier:
    """A backbone and a head in one model for images.

    Args:
        backbone: from `load_backbone`; it is used, not copied.
        num_classes: number of classes of a new head.
        head: a head that was trained already, instead of a new one.
        dropout: fraction of features dropped in training, for a new head.

    Raises:
        ValueError: where neither or both of `num_classes` and `head` are given, or the head does not fit.
    """
    if (num_classes is None) == (head is None):
        raise ValueError("expected either num_classes, for a new head, or head, one that was trained already")
    if head is None:
        head = build_head(backbone.feature_size, num_classes, dropout=dropout)
    if head.feature_size != backbone.feature_size:
        raise ValueError(
            f"expected a head for {backbone.feature_size} features of {backbone.name}, got one for {head.feature_size}"
        )
    return Classifier(backbone, head).to(default_device())


def freeze(classifier: Classifier) -> None:
    """Freeze the whole backbone: neither its weights nor its BatchNorm statistics change in training."""
    classifier.backbone.requires_grad_(False)
    classifier.train(classifier.training)


def unfreeze(classifier: Classifier, *, from_layer: str | None = None, batch_norm: bool = False) -> None:
    """Let the backbone train, from a layer to its end; what lies before stays frozen.

    Args:
        classifier: from `build_classifier`.
        from_layer: the first layer that trains, one of `backbone.layer_names`; None for all.
        batch_norm: train BatchNorm's weights and statistics too. A small data set moves the statistics more than it
            helps them, so they stay frozen unless asked for.

    Raises:
        UnknownNameError: where the backbone has no such layer.
    """
    names = classifier.backbone.layer_names
    if from_layer is not None and from_layer not in names:
        raise UnknownNameError("layer", from_layer, names)
    first = 0 if from_layer is None else names.index(from_layer)
    classifier.backbone.requires_grad_(False)
    for name in names[first:]:
        for module in classifier.backbone.network.get_submodule(name).modules():
            if batch_norm or not isinstance(module, nn.modules.batchnorm._BatchNorm):
                for parameter in module.parameters(recurse=False):
                    parameter.requires_grad_(True)
    classifier.train(classifier.training)


def count_parameters(model: nn.Module) -> ParameterCount:
    """Numbers that training changes and numbers that it leaves alone (BatchNorm's statistics are not counted)."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return ParameterCount(sum(n for n, trains in sizes if trains), sum(n for n, trains in sizes if not trains))


def rate_groups(model: nn.Module, layer_rates: Mapping[str, float] | None) -> list[tuple[float, list[nn.Parameter]]]:
    """What trains, in groups that share a factor on the learning rate; see `fit` for `layer_rates`."""
    backbone = getattr(model, "backbone", None)
    rates = resolve_layer_rates(layer_rates, backbone.layer_names if backbone is not None else ())
    if not layer_rates:
        return [(1.0, [p for p in model.parameters() if p.requires_grad])]
    factors = {}
    if backbone is not None:
        for name in backbone.layer_names:
            factors |= {id(p): rates[name] for p in backbone.network.get_submodule(name).parameters()}
    groups, factor = {}, next(iter(rates.values()))  # what belongs to no layer, such as an embedding, comes first
    head = {id(p) for p in (model if backbone is None else model.head).parameters()}
    for parameter in model.parameters():
        if parameter.requires_grad:
            own = rates["head"] if id(parameter) in head else factors.get(id(parameter), factor)
            groups.setdefault(own, []).append(parameter)
    return list(groups.items())


def get_weights(classifier: nn.Module) -> list[np.ndarray]:
    """A copy of all weights and BatchNorm statistics, in an order that `set_weights` knows."""
    return [tensor.detach().cpu().numpy().copy() for tensor in classifier.state_dict().values()]


def set_weights(classifier: nn.Module, weights: list[np.ndarray]) -> None:
    """Put back what `get_weights` gave, of this classifier or of another of the same architecture.

    Raises:
        ValueError: where number or shapes differ.
    """
    names = list(classifier.state_dict())
    check_weights(weights, [tuple(tensor.shape) for tensor in classifier.state_dict().values()])
    classifier.load_state_dict({name: torch.from_numpy(array) for name, array in zip(names, weights, strict=True)})


def save_classifier(classifier: Classifier, path: str | Path, class_names: tuple[str, ...]) -> Path:
    """Write weights, class names and all that `load_classifier` needs into one safetensors file; return its path."""
    metadata = write_classifier_metadata("pytorch", classifier, class_names)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in classifier.state_dict().items()}
    with atomic_path(Path(path)) as temporary:
        save_file(tensors, temporary, metadata=metadata)
    return Path(path)


def load_classifier(path: str | Path) -> tuple[Classifier, tuple[str, ...]]:
    """Read what `save_classifier` wrote.

    Returns:
        The classifier, frozen, and the names of its classes.

    Raises:
        WeightsError: where the file is none of ours, or of the other framework.
    """
    settings = read_classifier_metadata(Path(path), "pytorch")
    backbone = load_backbone(
        settings["backbone"], weights=None, layer=settings["layer"], image_size=settings["input_size"]
    )
    classifier = build_classifier(backbone, len(settings["class_names"]))
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    try:
        classifier.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not hold the weights that it announces: {json.dumps(str(error))}") from error
    freeze(classifier)
    return classifier.eval(), tuple(settings["class_names"])
