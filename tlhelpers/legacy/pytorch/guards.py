"""Guards that look into a model, in PyTorch: what moved, what the optimizer does not know, mistakes made on purpose."""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from tlhelpers.legacy.backbones import Preprocessing, check_images
from tlhelpers.legacy.guards import Movement, Snapshot, compare_snapshots
from tlhelpers.legacy.pytorch.backbones import Backbone
from tlhelpers.legacy.pytorch.precision import compute_context


def snapshot(model: nn.Module) -> Snapshot:
    """A copy of all weights and BatchNorm statistics of a classifier, a backbone or a head, for `what_moved`."""
    kept: Snapshot = {"weights": {}, "statistics": {}}
    for layer, name, tensor in _named_tensors(model):
        kind = "weights" if isinstance(tensor, nn.Parameter) else "statistics"
        kept[kind][f"{layer}/{name}"] = tensor.detach().float().cpu().numpy().copy()
    return kept


def what_moved(before: Snapshot, model: nn.Module) -> Movement:
    """Which layers' weights and BatchNorm statistics have changed since `snapshot`, and by how much.

    Raises:
        ValueError: where the snapshot is of another model.
    """
    return compare_snapshots(before, snapshot(model))


def unknown_layers(optimizer: torch.optim.Optimizer, model: nn.Module) -> tuple[str, ...]:
    """Layers that are meant to train, but have weights that the optimizer was not given; empty is good."""
    known = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    unknown = [
        layer
        for layer, _, tensor in _named_tensors(model)
        if isinstance(tensor, nn.Parameter) and tensor.requires_grad and id(tensor) not in known
    ]
    return tuple(dict.fromkeys(unknown))


def with_preprocessing(backbone: Backbone, preprocessing: Preprocessing) -> Backbone:
    """The same network, weights shared, behind another preprocessing: to measure what a wrong one costs."""
    other = copy.copy(backbone)
    other._buffers = dict(backbone._buffers)  # of its own, so that the first one keeps its mean and std
    other.__dict__.pop("_traced", None)
    other.preprocessing = preprocessing
    for name in ("mean", "std"):
        values = torch.tensor(getattr(preprocessing, name), dtype=torch.float32, device=backbone.mean.device)
        setattr(other, name, values.view(1, 3, 1, 1))
    return other


def features_in_training_mode(
    backbone: Backbone, images: np.ndarray, *, batch_size: int = 32, keep_statistics: bool = True
) -> np.ndarray:
    """Features as they come where BatchNorm was left in training mode: a mistake, made to be measured.

    Each batch is scaled by its own mean and variance, so a picture's features depend on its neighbours. Meanwhile the
    running statistics move, though no weight does.

    Args:
        backbone: from `load_backbone`.
        images: as for `extract_features`.
        batch_size: images at a time, in the order given; here it does change the result.
        keep_statistics: put the running statistics back afterwards, so that the backbone stays as it was.

    Returns:
        Shape `(n, feature_size)`, float32.
    """
    images = check_images(images, backbone.input_size)
    was_training, out = backbone.training, []
    before = {name: buffer.clone() for name, buffer in backbone.network.named_buffers()} if keep_statistics else {}
    backbone.train()
    try:
        with torch.no_grad(), compute_context(backbone.precision, backbone.mean.device):
            for start in range(0, len(images), batch_size):
                batch = torch.from_numpy(np.array(images[start : start + batch_size]))
                out.append(backbone(batch.to(backbone.mean.device).float()).float().cpu().numpy())
    finally:
        backbone.train(was_training)
        backbone.network.load_state_dict(before, strict=False)
    return np.concatenate(out) if out else np.empty((0, backbone.feature_size), np.float32)


def _named_tensors(model: nn.Module) -> Iterator[tuple[str, str, torch.Tensor]]:
    """Layer, name and tensor of all parameters and floating-point buffers that a file of weights holds."""
    backbone = getattr(model, "backbone", model if isinstance(model, Backbone) else None)
    if backbone is not None:
        for name, tensor in backbone.network.state_dict(keep_vars=True).items():
            if tensor.is_floating_point():
                yield _layer_of(name, backbone.layer_names), name, tensor
    head = None if model is backbone else getattr(model, "head", model)
    for name, tensor in ({} if head is None else head.state_dict(keep_vars=True)).items():
        yield "head", name, tensor


def _layer_of(name: str, layers: tuple[str, ...]) -> str:
    inside = [layer for layer in layers if name.startswith(f"{layer}.")]
    return max(inside, key=len) if inside else name.partition(".")[0]
