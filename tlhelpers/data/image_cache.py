"""Photos are audited, decoded and resized once, in one parallel pass, into a memory-mapped file on disk."""

import hashlib
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tlhelpers.data.archives import Member, count_members, identify, printable, read_members
from tlhelpers.data.audit import Manifest, Record, examine, is_clutter, leave_out_duplicates
from tlhelpers.errors import DatasetError, said
from tlhelpers.paths import atomic_path, cache_folder, locked

PREPARATION = 5  # raised when the same archive would give other pixels or records, so that no old cache is taken
_BATCH = 512  # images that are read before they are decoded, side by side
_BATCH_BYTES = 64 << 20  # or fewer, where the files are large
_IN_MEMORY = 1 << 30  # bytes; parts of a data set that are larger stay on disk
_MAX_THREADS = 16  # reading and writing, by one thread, does not keep up with more


@dataclass(frozen=True)
class Layout:
    """How the names in an archive tell the classes.

    Attributes:
        name: Enters the cache's key.
        place: Gives for a member's name its id, and its class or None.
    """

    name: str
    place: Callable[[str], tuple[str, str | None]]


@dataclass(frozen=True, eq=False)
class PreparedImages:
    """An archive's images, ready for use.

    Attributes:
        images: Shape `(n, size, size, 3)` uint8, read-only memory map; a record's `row` is its place.
        manifest: What is used and what is not.
    """

    images: np.ndarray
    manifest: Manifest


def prepare_images(path: Path, layout: Layout, *, image_size: int, progress: bool = True) -> PreparedImages:
    """The images of an archive or folder, audited, decoded and resized; from the cache where they are there.

    A changed archive is prepared anew. A process that is killed leaves nothing that a later one would take for a
    whole, and of two that start at once the second waits for the first.

    Args:
        path: Zip, tar.gz or folder; only read.
        layout: How the names in it tell the classes.
        image_size: Side in pixels.
        progress: Whether to show a bar.

    Raises:
        BrokenArchiveError: it cannot be read.
        DatasetError: none of its files is an image that can be used.
        TlhelpersError: no room is left on the disk.
    """
    path = Path(path)
    key = f"{identify(path)}-{layout.name}-{image_size}-v{PREPARATION}"
    base = cache_folder() / "images" / key
    pixels, manifest = base.with_suffix(".npy"), base.with_suffix(".json")
    prepared = _open(pixels, manifest)
    if prepared is None:
        with locked(base):
            prepared = _open(pixels, manifest)  # another process may have made it meanwhile
            if prepared is None:
                _build(path, layout, image_size, pixels, manifest, progress)
                prepared = _open(pixels, manifest)
    return prepared


def _open(pixels: Path, manifest: Path) -> PreparedImages | None:
    """What is in the cache; None where there is nothing, or nothing whole."""
    try:
        records = Manifest.from_json(manifest.read_text(encoding="utf-8"))
        images = np.load(pixels, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if max((record.row for record in records.records), default=-1) + 1 != len(images):
        return None
    return PreparedImages(images, records)


def _build(path: Path, layout: Layout, size: int, pixels: Path, manifest: Path, progress: bool) -> None:
    """Writes both files; the manifest takes its place last, so where it is, the pixels are."""
    with atomic_path(manifest) as new_manifest, atomic_path(pixels) as new_pixels:
        with open(new_pixels, "wb") as file, warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="PIL")  # odd metadata; what matters is in the records
            records = _write_rows(file, _examine_all(path, layout, size, progress), size)
        result = Manifest(printable(path.name), tuple(leave_out_duplicates(records)))
        if not result.used:
            what = said("has no image that can be used", "no tiene ninguna imagen que se pueda usar")
            raise DatasetError(f"{path} {what}.\n{result.summary(said('en', 'es'))}")
        new_manifest.write_text(result.to_json(), encoding="utf-8")


def _write_rows(file: BinaryIO, examined: Iterator[tuple[Record, np.ndarray | None]], size: int) -> list[Record]:
    """Appends images to an npy file whose length is known only at the end.

    Plain writing and no memory map: on a full disk a write gives an error, and a memory map kills the process.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": (0, size, size, 3)}
    np.lib.format.write_array_header_1_0(file, header)
    start, rows, records = file.tell(), 0, []
    for record, image in examined:
        if image is not None:
            file.write(np.ascontiguousarray(image).data)
            record, rows = replace(record, row=rows), rows + 1
        records.append(record)
    file.seek(0)
    np.lib.format.write_array_header_1_0(file, {**header, "shape": (rows, size, size, 3)})
    if file.tell() != start:  # numpy leaves room for the length to grow; without it the rows would be shifted
        raise RuntimeError("numpy wrote an npy header of another length")
    return records


def _examine_all(path: Path, layout: Layout, size: int, progress: bool) -> Iterator[tuple[Record, np.ndarray | None]]:
    """Examines all members, in the archive's order, several at a time.

    Threads, since decoding and resizing leave Python's lock free: no start-up, no copies between processes, and
    nothing that a notebook, Windows or a loaded framework could stumble over.
    """
    from tqdm.auto import tqdm

    def is_wanted(name: str) -> bool:
        return not is_clutter(name) and layout.place(name)[1] is not None

    # Of this process: in a container they are fewer than the machine has.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with (
        ThreadPoolExecutor(min(cores, _MAX_THREADS), thread_name_prefix="images") as pool,
        tqdm(total=count_members(path), desc=path.name, unit="file", disable=not progress) as bar,
    ):
        for batch in _batches(read_members(path, is_wanted)):
            for result in pool.map(lambda member: examine(member, *layout.place(member.name), size), batch):
                bar.update()
                yield result


def _batches(members: Iterator[Member]) -> Iterator[list[Member]]:
    batch, size = [], 0
    for member in members:
        batch.append(member)
        size += len(member.data or b"")
        if len(batch) == _BATCH or size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def gather(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The images at `rows`, in that order: in memory, or, where they are many, in a memory-mapped file in the cache.

    Args:
        images: Shape `(n, size, size, 3)` uint8.
        rows: Shape `(m,)`, integers.
    """
    if len(rows) * images[:1].nbytes <= _IN_MEMORY or not isinstance(images, np.memmap):
        return np.asarray(images[rows])
    source = Path(images.filename)
    digest = hashlib.sha256(np.ascontiguousarray(rows, np.int64).data).hexdigest()[:16]
    target = source.with_name(f"{source.stem}-{digest}.npy")
    with locked(target):
        if not target.exists():
            with atomic_path(target) as temporary, open(temporary, "wb") as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": (len(rows), *images.shape[1:])}
                np.lib.format.write_array_header_1_0(file, header)
                for start in range(0, len(rows), 256):
                    file.write(images[rows[start : start + 256]].data)
    return np.load(target, mmap_mode="r", allow_pickle=False)
