"""Pictures in memory as PyTorch's data loaders want them."""

import numpy as np
import torch
from torch.utils.data import Dataset


class ImageDataset(Dataset):
    """Pictures in an array, with their labels; `transform` prepares each one when it is asked for.

    Args:
        images: `(n, h, w, 3)` uint8, 0 to 255.
        labels: `(n,)` integers from 0.
        transform: takes a uint8 tensor `(3, h, w)` and gives what the network takes.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        pixels = torch.from_numpy(np.array(self.images[i])).permute(2, 0, 1)  # PyTorch wants the channels first
        return self.transform(pixels), int(self.labels[i])
