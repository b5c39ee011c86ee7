"""Features, feature maps and probabilities: numpy in, numpy out, in PyTorch."""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.backbones import check_images
from tlhelpers.legacy.feature_cache import cached_array, digest
from tlhelpers.legacy.pytorch.backbones import Backbone
from tlhelpers.legacy.pytorch.precision import compute_context

TRACE_FROM_BATCHES = 8  # tracing costs about as much as a few batches


def extract_features(
    backbone: Backbone, images: np.ndarray, *, batch_size: int = 32, cache: bool = True, progress: bool = True
) -> np.ndarray:
    """Pooled features of all images, from the disk where the same were computed before.

    Args:
        backbone: from `load_backbone`.
        images: shape `(n, size, size, 3)`, uint8, or float in 0 to 1, with `size = backbone.input_size`.
        batch_size: images at a time; it changes speed and memory, not the result.
        cache: keep the features on disk, keyed by images, weights, preprocessing and precision.
        progress: show a bar.

    Returns:
        Shape `(n, feature_size)`, float32.
    """
    images = check_images(images, backbone.input_size)

    def compute() -> np.ndarray:
        was_training = backbone.training
        backbone.eval()
        try:
            forward = _fastest_forward(backbone, images[:batch_size], len(images) >= TRACE_FROM_BATCHES * batch_size)
            return _run(forward, backbone, images, batch_size, backbone.feature_size, progress)
        finally:
            backbone.train(was_training)

    if not cache:
        return compute()
    key = digest("pytorch", torch.__version__, backbone.fingerprint(), backbone.precision, images)
    return cached_array(key, compute)


def _fastest_forward(backbone: Backbone, example: np.ndarray, trace: bool) -> Callable:
    """The backbone; for many images as a traced graph with BatchNorm folded into the convolutions.

    The graph has a copy of the weights, so it is kept with their fingerprint and made again after training.
    """
    device = backbone.mean.device
    if not trace or backbone.precision == "float32" or device.type != "cpu":
        return backbone
    fingerprint = backbone.fingerprint()
    kept, graph = getattr(backbone, "_traced", (None, None))
    if kept == fingerprint:
        return graph
    with torch.inference_mode(), compute_context(backbone.precision, device), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of sizes that become constants, which is what we want
        try:
            graph = torch.jit.trace(backbone, torch.from_numpy(np.array(example[:2])).float(), check_trace=False)
            graph = torch.jit.freeze(graph)
        except (RuntimeError, TypeError):  # a model of timm may do what cannot be traced
            return backbone
    object.__setattr__(backbone, "_traced", (fingerprint, graph))  # beside the module's own parts, not as one of them
    return graph


def _run(forward, model, images, batch_size, width, progress) -> np.ndarray:
    device = next(model.parameters()).device
    out = np.empty((len(images), width), np.float32)
    starts = range(0, len(images), batch_size)
    with torch.inference_mode(), compute_context(model.precision, device):
        for start in tqdm(starts, unit="batch", disable=not progress or len(starts) < 2, leave=False):
            batch = np.array(images[start : start + batch_size])  # a copy, since a memory map is read-only
            batch = torch.from_numpy(batch).to(device)
            out[start : start + len(batch)] = forward(batch.float()).float().cpu().numpy()
    return out


def feature_maps(backbone: Backbone, images: np.ndarray, layer: str | None = None) -> np.ndarray:
    """Outputs of a layer for a few images.

    Args:
        backbone: from `load_backbone`.
        images: as for `extract_features`.
        layer: one of `backbone.layer_names` or any module's name; None for the last.

    Returns:
        Shape `(n, h, w, channels)`, float32: channels last, as in TensorFlow.
    """
    images = check_images(images, backbone.input_size)
    modules = dict(backbone.network.named_modules())
    if layer is not None and layer not in modules:
        raise UnknownNameError("layer", layer, [name for name in modules if name])
    seen = []
    module = backbone.network if layer is None else modules[layer]
    handle = module.register_forward_hook(lambda module, inputs, output: seen.append(output.float().cpu()))
    was_training = backbone.training
    backbone.eval()
    try:
        with torch.inference_mode():
            backbone.maps(torch.from_numpy(np.array(images)).to(backbone.mean.device).float())
    finally:
        handle.remove()
        backbone.train(was_training)
    return seen[-1].movedim(1, -1).numpy()


def predict_proba(model: nn.Module, x: np.ndarray, *, batch_size: int = 64, progress: bool = False) -> np.ndarray:
    """Probabilities of the classes.

    Args:
        model: a classifier for images, or a head for features.
        x: images as for `extract_features`, or features of shape `(n, feature_size)`.
        batch_size: inputs at a time.
        progress: show a bar.

    Returns:
        Shape `(n, num_classes)`, float32; each row sums to 1.
    """
    x = check_images(x, model.input_size) if hasattr(model, "input_size") else np.asarray(x, np.float32)
    was_training = model.training
    model.eval()
    try:
        logits = _run(model, model, x, batch_size, model.num_classes, progress)
    finally:
        model.train(was_training)
    return torch.from_numpy(logits).softmax(1).numpy()
