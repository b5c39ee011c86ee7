"""How long it takes to prepare photos: naively, with `tlhelpers` into an empty cache, and from the cache.

The naive pass is what most tutorials do, in one process over extracted files: Pillow's `verify`, then open again, scale
the shorter side to 256 pixels (bilinear), cut out the central 224, and make an array. It reads no checksums, finds no
duplicates and keeps nothing. Ours reads the archive, audits, decodes, scales and writes the cache.

Run with TLHELPERS_DATA set: `python benchmarks/image_preparation.py --repeats 5`.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from tlhelpers.data.datasets import CATS_VS_DOGS_LAYOUT
from tlhelpers.data.fetch import fetch
from tlhelpers.data.image_cache import prepare_images
from tlhelpers.paths import CACHE_VARIABLE

SIZE, SHORTER_SIDE = 224, 256


def naive_pass(files: list[Path]) -> np.ndarray:
    """Shape `(n, 224, 224, 3)` uint8."""
    images = []
    for file in files:
        with Image.open(file) as image:
            image.verify()
        with Image.open(file) as image:
            image = image.convert("RGB")
            scale = SHORTER_SIDE / min(image.size)
            size = tuple(int(side * scale) for side in image.size)
            image = image.resize(size, Image.Resampling.BILINEAR)
            left, top = round((image.width - SIZE) / 2), round((image.height - SIZE) / 2)
            images.append(np.asarray(image.crop((left, top, left + SIZE, top + SIZE))))
    return np.stack(images)


def measure(repeats: int = 5) -> dict:
    """Medians in seconds of passes that take turns, and how many times as fast ours are.

    Args:
        repeats: Passes of each kind.

    Returns:
        Seconds: "naive", "cold", "cached" (opened) and "cached_read" (opened, and every pixel read); "cold_cpu" and
        "naive_cpu" are processor time. Ratios to "naive": "speedup_cold", "speedup_cached", "speedup_cached_read", each
        with its lowest and highest value over the repeats; "speedup_cpu" is of processor times, for loaded machines.
    """
    (archive,) = fetch("cats_vs_dogs")
    seconds = {name: [] for name in ("naive", "naive_cpu", "cold", "cold_cpu", "cached", "cached_read")}
    before = os.environ.get(CACHE_VARIABLE)
    with tempfile.TemporaryDirectory() as folder:
        files = _extract(archive, Path(folder, "photos"))
        _read_all(files)  # from memory for all passes: disks differ, and this is not about them
        archive.read_bytes()
        try:
            for repeat in range(repeats):
                os.environ[CACHE_VARIABLE] = str(Path(folder, f"cache-{repeat}"))
                _time(seconds, "naive", lambda: naive_pass(files), "naive_cpu")
                _time(seconds, "cold", lambda: _prepare(archive), "cold_cpu")
                _time(seconds, "cached", lambda: _prepare(archive))
                _time(seconds, "cached_read", lambda: _prepare(archive).images.max())
        finally:
            os.environ.pop(CACHE_VARIABLE, None)
            if before is not None:
                os.environ[CACHE_VARIABLE] = before
    result = {name: round(statistics.median(values), 5) for name, values in seconds.items()}
    for name in ("cold", "cached", "cached_read"):
        ratios = [naive / ours for naive, ours in zip(seconds["naive"], seconds[name], strict=True)]
        result[f"speedup_{name}"] = [round(f(ratios), 2) for f in (statistics.median, min, max)]
    result["speedup_cpu"] = round(result["naive_cpu"] / result["cold_cpu"], 2)
    return {"photos": len(files), "repeats": repeats, "cores": os.cpu_count(), **result}


def _prepare(archive: Path):
    return prepare_images(archive, CATS_VS_DOGS_LAYOUT, image_size=SIZE, progress=False)


def _extract(archive: Path, folder: Path) -> list[Path]:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)
    return sorted(folder.rglob("*.jpg"))


def _read_all(files: list[Path]) -> None:
    for file in files:
        file.read_bytes()


def _time(seconds: dict, name: str, do, cpu_name: str | None = None) -> None:
    started, started_cpu = time.perf_counter(), time.process_time()
    do()
    seconds[name].append(time.perf_counter() - started)
    if cpu_name:
        seconds[cpu_name].append(time.process_time() - started_cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    result = measure(parser.parse_args().repeats)
    print(json.dumps(result, indent=2), file=sys.stderr)
    print(f"\n{'pass':34} {'seconds':>9} {'times as fast':>14}")
    print(f"{'naive, one process':34} {result['naive']:9.3f} {1:14.1f}")
    for name, text in (
        ("cold", "audit, decode, resize, write"),
        ("cached", "from the cache"),
        ("cached_read", "from the cache, all pixels read"),
    ):
        print(f"{text:34} {result[name]:9.3f} {result[f'speedup_{name}'][0]:14.1f}")
    print(json.dumps({f"{name}_ratio": result[f"speedup_{name}"][0] for name in ("cold", "cached", "cached_read")}))


if __name__ == "__main__":
    main()
