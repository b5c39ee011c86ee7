"""Reads Tiny ImageNet from a classroom pack: photos of 64 pixels, 202 classes, as WebP bytes in .npz files."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from tlhelpers.errors import DataNotFoundError


def load_tiny_imagenet(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Decode the parts whose names start with `part`: images `(n, 64, 64, 3)` uint8 and labels `(n,)` int64."""
    images, labels = [], []
    files = sorted(Path(folder).glob(f"{part}*.npz"))
    if not files:
        raise DataNotFoundError(
            f"expected {part}*.npz in {folder}, found none; `tlcourse pretrain` needs Tiny ImageNet"
        )
    for file in files:
        archive = np.load(file)
        data, offsets = archive["data"], archive["offsets"]
        encoded = [data[a:b].tobytes() for a, b in itertools.pairwise(offsets)]
        with ThreadPoolExecutor() as pool:
            images.append(np.stack(list(pool.map(_decode, encoded, chunksize=256))))
        labels.append(archive["labels"].astype(np.int64))
    return np.concatenate(images), np.concatenate(labels)


def _decode(encoded: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(encoded)).convert("RGB"))
