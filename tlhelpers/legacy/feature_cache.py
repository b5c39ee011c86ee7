"""Features are computed once and kept on disk, under a key made of everything that they depend on."""

import hashlib
from collections.abc import Callable

import numpy as np
from filelock import FileLock

from tlhelpers.paths import atomic_path, cache_folder


def digest(*parts: object) -> str:
    """A short hexadecimal digest of arrays (contents, shape and type) and of anything with a stable `repr`."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            state.update(repr((part.shape, part.dtype.str)).encode())
            for start in range(0, len(part) if part.ndim else 1, 1024):  # in slices: a memory map stays on disk
                state.update(np.ascontiguousarray(part[start : start + 1024] if part.ndim else part).data)
        else:
            state.update(repr(part).encode())
        state.update(b"\0")
    return state.hexdigest()


def cached_array(key: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """The array kept under `key`; computed, and kept, the first time. A file that cannot be read is made again."""
    folder = cache_folder() / "features"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key}.npy"
    with FileLock(f"{path}.lock"):
        if path.exists():
            try:
                return np.load(path, allow_pickle=False)
            except (ValueError, EOFError):
                path.unlink()
        array = compute()
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.save(file, array, allow_pickle=False)
    return array
