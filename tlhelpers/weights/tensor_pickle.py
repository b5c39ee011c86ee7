"""Reads tensors from PyTorch's old file format (before 1.6) as numpy arrays: without PyTorch, and without running code.

Such a file is a row of pickles: a magic number, a version, the machine's sizes, the tensors' shapes, a list of
storages; then the bytes of each storage. A pickle may name any function to be called. This reader knows four names and
refuses all others.
"""

import collections
import os
import pickle
from pathlib import Path

import numpy as np

from tlhelpers.errors import WeightsError

_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_TYPES = {("torch", "FloatStorage"): np.dtype("<f4"), ("torch", "LongStorage"): np.dtype("<i8")}


def read_tensors(path: Path | str) -> dict[str, np.ndarray]:
    """The tensors of a file by name: float32 and int64, in PyTorch's layouts.

    Raises:
        WeightsError: the file has another format, is cut off, or names anything but tensors.
    """
    try:
        with open(path, "rb") as file:
            return _read(file)
    except Exception as error:  # a damaged or hostile pickle may raise anything
        raise WeightsError(
            f"expected tensors in PyTorch's old file format in {path}, cannot read it: {error or type(error).__name__}"
        ) from error


def _read(file) -> dict[str, np.ndarray]:
    unpickler = _TensorUnpickler(file)
    if unpickler.load() != _MAGIC or unpickler.load() != _VERSION or not unpickler.load()["little_endian"]:
        raise pickle.UnpicklingError("it begins otherwise")
    views = unpickler.load()
    for key in unpickler.load():
        storage = unpickler.storages[key]
        if int.from_bytes(file.read(8), "little") != storage.size or file.readinto(storage.data) != storage.nbytes:
            raise EOFError("it is cut off")
    return {name: view.copy() for name, view in views.items()}


class _TensorUnpickler(pickle.Unpickler):
    """Builds arrays over storages of the right size, which are still to be filled."""

    def __init__(self, file):
        super().__init__(file)
        self.storages: dict[str, np.ndarray] = {}
        self._file_size = os.fstat(file.fileno()).st_size

    def find_class(self, module: str, name: str):
        """What a pickle may name: an ordered dictionary, a tensor, and two types of numbers."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _view
        if (module, name) in _TYPES:
            return _TYPES[module, name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no tensor")

    def persistent_load(self, pid: tuple) -> np.ndarray:
        """A storage that the file announces."""
        kind, dtype, key, _, size, _ = pid
        if kind != "storage" or not 0 <= size * dtype.itemsize <= self._file_size:
            raise pickle.UnpicklingError("it announces more numbers than it can hold")
        if key not in self.storages:
            self.storages[key] = np.zeros(size, dtype)
        return self.storages[key]


def _view(storage: np.ndarray, offset: int, shape: tuple, strides: tuple, *_) -> np.ndarray:
    """The part of a storage that a tensor covers; `strides` count numbers, not bytes."""
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if min(offset, *shape, *strides, 0) < 0 or last >= storage.size:
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    bytes_ = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, bytes_)
