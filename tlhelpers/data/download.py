"""One file over HTTP: resumed after a break, tried again after a short rest, checked before it takes its place."""

import contextlib
import errno
import os
import re
import shutil
import time
from pathlib import Path

from tlhelpers.data.sources import RemoteFile
from tlhelpers.errors import DownloadError
from tlhelpers.paths import explain_full_disk, is_no_room

TRIES = 4  # per address, in a row without a byte of progress
BACKOFF = 0.5  # seconds before the second try; doubled for each further one
TIMEOUT = 30.0  # seconds without an answer, or between two pieces
_PIECE = 1 << 18  # bytes


class NoAnswerError(Exception):
    """No mirror gave the file: no connection, or an HTTP error. Says why, address by address."""


def download(file: RemoteFile, target: Path, progress: bool = True) -> Path:
    """Brings a file from the first of its mirrors that gives it, whole and with the right checksum.

    What arrived before a break is kept beside the target as `NAME.part`, and a later call goes on from there.

    Args:
        file: What to bring.
        target: Where to put it; the folder is created.
        progress: Whether to show a bar.

    Raises:
        NoAnswerError: no mirror answered with the file.
        DownloadError: a mirror gave something, but it broke off, or is not the file that was expected.
        TlhelpersError: no room is left on the disk.
    """
    import filelock

    target.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{target}.lock"):
        if target.exists():  # another process was quicker
            return target
        part, refusals, broken = target.with_name(target.name + ".part"), [], None
        for url in file.urls:
            try:
                return _from_mirror(url, file, target, part, progress)
            except NoAnswerError as error:
                refusals.append(f"{url}: {error}")
            except DownloadError as error:
                broken = error
        if broken is not None:
            raise broken
        raise NoAnswerError("; ".join(refusals))


def _from_mirror(url: str, file: RemoteFile, target: Path, part: Path, progress: bool) -> Path:
    """Tries one mirror; a second time from the first byte where an old beginning spoilt the result."""
    import pooch

    def bring(url: str, output_file: str, _pooch: object) -> None:
        _fill(url, part, file.size, progress)
        _check(url, part, file)
        os.replace(part, output_file)

    pooch.get_logger().setLevel("WARNING")  # it would tell learners to note down checksums
    # pooch compares whole digests only; `_check` has seen to the others.
    whole = file.checksum if file.checksum and _is_whole(file.checksum) else None
    while True:
        resumed = part.exists()
        try:
            return Path(pooch.retrieve(url, whole, target.name, target.parent, downloader=bring))
        except DownloadError:
            if not resumed or part.exists():
                raise


def _fill(url: str, part: Path, size: int | None, progress: bool) -> None:
    """Brings the rest of a file into `part`, with new tries after errors that may pass."""
    import requests
    import urllib3

    tries, furthest, last = 0, _size(part), None
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(_progress_bar(part, size, progress))
        while tries < TRIES:
            if tries:
                time.sleep(BACKOFF * 2 ** (tries - 1))
            try:
                return _request_rest(url, part, size, bar)
            except requests.HTTPError as error:
                status = error.response.status_code
                if status < 500 and status != 429:
                    raise NoAnswerError(f"HTTP status {status}") from error
                last = NoAnswerError(f"HTTP status {status}")
            except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                last = NoAnswerError(type(error).__name__)
            tries = 1 if _size(part) > furthest else tries + 1
            furthest = max(furthest, _size(part))
    if _size(part):
        raise DownloadError(
            f"The download of {url} broke off at {_size(part):,} bytes{_of(size)} ({last}). "
            "Try again: it goes on where it stopped."
        )
    raise last


def _request_rest(url: str, part: Path, size: int | None, bar) -> None:
    """One request for what is missing; returns when the server has sent all that it announced."""
    import requests

    have = _size(part)
    if size is not None and have == size:
        return
    # Compressed on the way, a range would count other bytes than those of the file.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416:  # nothing after what we have: it is all there, or another file's beginning
            if answer.headers.get("Content-Range", "").endswith(f"/{have}"):
                return
            part.unlink()
            raise requests.ConnectionError("the server refused the range")
        answer.raise_for_status()
        start = _range_start(answer) if answer.status_code == 206 else 0
        if start not in (0, have):
            part.unlink()
            raise requests.ConnectionError("the server sent another range")
        length = answer.headers.get("Content-Length")
        bar.total = start + int(length) if length else size
        bar.n = start
        bar.refresh()
        with _removed_when_full(part), open(part, "ab" if start else "wb") as file:
            if length and int(length) > shutil.disk_usage(part.parent).free:
                raise OSError(errno.ENOSPC, f"{int(length):,} bytes are to come, more than is free")
            # Not iter_content: it would unpack what a server calls "Content-Encoding: gzip", as some do for .tar.gz.
            for piece in answer.raw.stream(_PIECE, decode_content=False):
                file.write(piece)
                bar.update(len(piece))


def _range_start(answer) -> int:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found.group(1)) if found else 0


@contextlib.contextmanager
def _removed_when_full(part: Path):
    """A beginning is kept for the next try, except where it is what fills the disk."""
    with explain_full_disk(part.parent):
        try:
            yield
        except OSError as error:
            if is_no_room(error):
                part.unlink(missing_ok=True)
            raise


def _check(url: str, part: Path, file: RemoteFile) -> None:
    """Compares size and checksum; a file that is not the right one is removed, since it cannot be gone on with."""
    import pooch

    came = part.stat().st_size
    if file.size is not None and came < file.size:  # a server that tells no length may break off unnoticed
        raise DownloadError(
            f"The download of {url} broke off at {came:,} bytes{_of(file.size)}. "
            "Try again: it goes on where it stopped."
        )
    if file.size is not None and came != file.size:
        part.unlink()
        raise DownloadError(f"{url} should have {file.size:,} bytes, and {came:,} came. The file was not kept.")
    if file.checksum is None:
        return
    kind, expected = file.checksum.split(":")
    digest = pooch.file_hash(part, alg=kind)
    if not digest.startswith(expected.lower()):
        part.unlink()
        raise DownloadError(
            f"{url} should have the {kind} checksum {expected}, and what came has {digest}. The file was not kept. "
            "Try again; if it stays so, the file was changed on the server or on the way: take it from another source."
        )


def _is_whole(checksum: str) -> bool:
    import hashlib

    kind, digest = checksum.split(":")
    return len(digest) == 2 * hashlib.new(kind).digest_size


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _of(size: int | None) -> str:
    return f" of {size:,}" if size is not None else ""


def _progress_bar(part: Path, size: int | None, progress: bool):
    from tqdm.auto import tqdm

    name = part.name.removesuffix(".part")
    return tqdm(total=size, desc=name, unit="B", unit_scale=True, unit_divisor=1024, disable=not progress)
