"""What a network answers."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader


def predict(model: nn.Module, loader: DataLoader) -> np.ndarray:
    """The network's outputs for all batches of a loader, `(n, outputs)` float32: logits, or features without a head."""
    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode():
        return torch.cat([model(x.to(device)).cpu() for x, _ in loader]).numpy()
