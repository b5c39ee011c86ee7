"""What the layers of a network hold, in PyTorch: pooled features of each, filters, and where it looked."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from tlhelpers.errors import UnknownNameError
from tlhelpers.legacy.activation_maps import combine_maps
from tlhelpers.legacy.backbones import check_images
from tlhelpers.legacy.perturbations import check_gradient_arguments
from tlhelpers.legacy.pytorch.backbones import Backbone
from tlhelpers.legacy.pytorch.classifiers import Classifier
from tlhelpers.legacy.pytorch.precision import compute_context


def layer_features(
    model: Backbone | Classifier, images: np.ndarray, layers: Sequence[str] | None = None, *, batch_size: int = 64
) -> dict[str, np.ndarray]:
    """Features of several layers in one pass: the mean of each channel over the pixels of its map.

    Args:
        model: a backbone, or a classifier, of which the backbone is taken.
        images: shape `(n, size, size, 3)`, uint8, or float in 0 to 1.
        layers: names of layers, also of inner ones; None for all of `backbone.layer_names`.
        batch_size: images at a time; it changes speed and memory, not the result.

    Returns:
        By layer, in the order of `layers`: shape `(n, channels)`, float32. Of a transformer's tokens it is their mean.

    Raises:
        UnknownNameError: where the network has no such layer.
        ValueError: for images of another shape, type or range.
    """
    backbone = getattr(model, "backbone", model)
    images = check_images(images, backbone.input_size)
    modules, device, was_training = _modules(backbone, layers), backbone.mean.device, model.training
    parts = {name: [] for name in modules}
    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: parts[name].append(_pool(output)))
        for name, module in modules.items()
    ]
    model.eval()
    try:
        with torch.inference_mode(), compute_context(backbone.precision, device):
            for start in range(0, max(1, len(images)), batch_size):  # a copy of each batch: a memory map is read-only
                backbone.maps(torch.from_numpy(np.array(images[start : start + batch_size])).to(device).float())
    finally:
        for hook in hooks:
            hook.remove()
        model.train(was_training)
    return {name: np.concatenate(found) for name, found in parts.items()}


def _modules(backbone: Backbone, layers: Sequence[str] | None) -> dict[str, nn.Module]:
    known = dict(backbone.network.named_modules())
    names = backbone.layer_names if layers is None else tuple(layers)
    for name in names:
        if not name or name not in known:
            raise UnknownNameError("layer", name, [name for name in known if name])
    return {name: known[name] for name in names}


def _pool(output: torch.Tensor) -> np.ndarray:
    output = output.float()
    pooled = output.mean((2, 3)) if output.ndim == 4 else output.mean(1) if output.ndim == 3 else output
    return pooled.cpu().numpy()


def first_layer_filters(backbone: Backbone) -> np.ndarray:
    """The filters of the first convolution, the only ones that look at colours.

    Returns:
        Shape `(n, h, w, 3)`, float32: n filters of `h` by `w` pixels; red, green, blue. They may be negative: they are
        applied to scaled images, whose mean is about 0.

    Raises:
        ValueError: where the network has no convolution that takes three colours.
    """
    for module in backbone.network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.shape[1] == 3:
            filters = module.weight.detach().float().cpu().numpy().transpose(0, 2, 3, 1)
            return np.ascontiguousarray(filters[..., ::-1] if backbone.preprocessing.bgr else filters)
    raise ValueError(f"expected a network whose first convolution takes three colours, got {backbone.name}")


def class_activation_map(
    classifier: Classifier,
    images: np.ndarray,
    classes: Sequence[int | str] | np.ndarray | int | str,
    *,
    layer: str | None = None,
    batch_size: int = 32,
) -> np.ndarray:
    """Which parts of an image speak for a class: Grad-CAM.

    Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, "Grad-CAM: Visual Explanations from Deep Networks via
    Gradient-Based Localization" (ICCV 2017), eq. 1 and 2: the maps of a layer are added up, each weighed by how much
    the score of the class grows with it on average; what is below 0 is cut off.

    Args:
        classifier: from `build_classifier` or `load_source_classifier`.
        images: shape `(n, size, size, 3)`, uint8, or float in 0 to 1.
        classes: numbers or (where the model has them) names; one, or one an image.
        layer: name of the layer; None for the last feature maps.
        batch_size: images at a time.

    Returns:
        Shape `(n, size, size)`, float32: 1 at the strongest place of each image, 0 where nothing speaks for the class
        (everywhere, if nothing does). Enlarged from the layer's own few pixels, so its edges are not sharp.

    Raises:
        UnknownNameError: for a class or a layer that does not exist.
        ValueError: for images or classes that make no sense, or a layer that has no maps.
        TypeError: for a model without a head.
    """
    images, classes = check_gradient_arguments(classifier, images, classes)
    backbone, device, was_training = classifier.backbone, classifier.backbone.mean.device, classifier.training
    module = backbone.network if layer is None else _modules(backbone, [layer])[layer]
    seen = []

    def keep(module, inputs, output):
        seen.append(output.detach().float().requires_grad_())
        return seen[-1].to(output.dtype).clone()  # what follows may change its input in place

    hook = module.register_forward_hook(keep)
    found = []
    classifier.eval()
    try:
        with compute_context(classifier.precision, device):
            for start in range(0, max(1, len(images)), batch_size):
                part = slice(start, start + batch_size)
                logits = classifier(torch.from_numpy(images[part]).to(device).float())
                score = logits.gather(1, torch.from_numpy(classes[part, None]).to(device)).sum()
                maps = seen.pop()
                gradient = torch.autograd.grad(score, maps)[0]
                found += [(x.detach().cpu().movedim(1, -1).numpy()) for x in (maps, gradient)]
    finally:
        hook.remove()
        classifier.train(was_training)
    return combine_maps(np.concatenate(found[::2]), np.concatenate(found[1::2]), classifier.input_size)
