"""What a network costs on this machine, in PyTorch."""

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tlhelpers.legacy.backbones import EMBEDDED_WIDTHS, pack_weights
from tlhelpers.legacy.costs import Cost, check_measure, measure_with
from tlhelpers.legacy.pytorch.classifiers import count_parameters
from tlhelpers.legacy.pytorch.precision import compute_context
from tlhelpers.legacy.weights_files import (
    EMBEDDED_LICENCE,
    PUBLISHED,
    TORCHVISION_LICENCE,
    UNPUBLISHED,
    WEIGHTS,
    Published,
)


def measure_cost(model: nn.Module, *, batch_size: int = 16, repeats: int = 5) -> Cost:
    """Count and time a network on this machine, as the package runs it for prediction.

    The weights' values do not matter: an untrained network costs what a trained one does.

    Args:
        model: a backbone, or a classifier for images.
        batch_size: images at a time for the throughput; the latency is that of one image.
        repeats: calls timed, after one that is not; fewer where they take seconds. The median counts.

    Raises:
        ValueError: for a batch of no images, or no repeats.
    """
    check_measure(batch_size, repeats)
    device = next(model.parameters()).device
    images = np.random.default_rng(0).integers(0, 256, (batch_size, model.input_size, model.input_size, 3), np.uint8)

    def forward(batch: np.ndarray) -> np.ndarray:
        return model(torch.from_numpy(batch).to(device).float()).cpu().numpy()

    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), compute_context(model.precision, device):
            latency_ms, images_per_second = measure_with(forward, images, batch_size=batch_size, repeats=repeats)
        multiply_adds = count_multiply_adds(model)
    finally:
        model.train(was_training)
    counts = count_parameters(model)
    return Cost(
        parameters=counts.trainable + counts.frozen,
        multiply_adds=multiply_adds,
        size_bytes=sum(tensor.nbytes for tensor in model.state_dict().values()),
        latency_ms=latency_ms,
        images_per_second=images_per_second,
    )


def count_multiply_adds(model: nn.Module) -> int:
    """Multiply-adds of convolutions and matrix products for one image, counted while it runs.

    PyTorch's counter gives floating-point operations, a multiplication and an addition as two; hence the half.
    """
    device = next(model.parameters()).device
    # With a gradient in sight and the plain kernel, attention runs as matrix products, which the counter sees.
    image = torch.zeros(1, model.input_size, model.input_size, 3, device=device, requires_grad=True)
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(image)
    return counter.get_total_flops() // 2


def published_facts(name: str) -> Published:
    """ImageNet top-1 and licence of the weights that `load_backbone(name)` takes, from their own metadata.

    What the publisher does not state is None, as for a name that is not known.
    """
    if name in EMBEDDED_WIDTHS:
        return EMBEDDED_LICENCE
    if name.startswith("timm/"):
        return _timm_facts(name.removeprefix("timm/"))
    if pack_weights(name, "pytorch") is not None:
        return PUBLISHED[name, "tensorflow"]  # the pack has Keras's weights, for both frameworks
    if (name, "pytorch") in PUBLISHED:
        return PUBLISHED[name, "pytorch"]
    if (name, "pytorch") not in WEIGHTS:
        return UNPUBLISHED
    from torchvision import models

    url = WEIGHTS[name, "pytorch"].urls[0]
    for weights in models.get_model_weights(name):
        if weights.url == url:
            top1 = weights.meta["_metrics"]["ImageNet-1K"]["acc@1"] / 100
            return Published(top1, f"torchvision, {weights}", *TORCHVISION_LICENCE)
    return UNPUBLISHED


def _timm_facts(name: str) -> Published:
    """timm keeps the licence beside the model, and its table of accuracies elsewhere."""
    import timm

    config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None or not config.hf_hub_id:
        return UNPUBLISHED
    return Published(None, "", config.license, f"https://huggingface.co/{config.hf_hub_id}")
