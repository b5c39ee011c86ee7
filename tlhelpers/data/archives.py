"""Reads the members of an archive (zip, tar.gz) or of a folder one after the other, without unpacking anything."""

import bz2
import contextlib
import errno
import gzip
import hashlib
import lzma
import os
import re
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tlhelpers.errors import BrokenArchiveError, said

MAX_FILE_BYTES = 256 * 1024**2  # a single photo is never as large; a member that claims to be is not read
_READ_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,  # a compression that Python does not know
    RuntimeError,  # a password
    OSError,  # not gzip, or a bad disk
)


@dataclass(frozen=True)
class Member:
    """A file in an archive.

    Attributes:
        name: Its path in the archive, with forward slashes, in Unicode's composed form on every system. A "/" at the
            end: a folder that could not be read.
        data: Its bytes; None where it is larger than `MAX_FILE_BYTES` and was not read.
        error: Why it could not be read; empty when it could.
        reason: Of the audit's reasons the one that fits such an error.
    """

    name: str
    data: bytes | None
    error: str = ""
    reason: str = "unreadable"


def read_members(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> Iterator[Member]:
    """Reads the files of an archive, or of a folder, in their order there; in a folder, in that of their names.

    Args:
        path: A zip, a tar (compressed or not), or a folder.
        wanted: Says by its name whether a file's bytes are needed; the others come with empty data.

    Raises:
        BrokenArchiveError: it cannot be read, or has members that point outside of it.
    """
    path = Path(path)
    if path.is_dir():
        yield from _read_folder(path, wanted)
        return
    try:
        read = _read_zip if zipfile.is_zipfile(path) else _read_tar
        yield from read(path, wanted)
    except _READ_ERRORS as error:
        why, size = f"{type(error).__name__}: {error}", path.stat().st_size
        raise BrokenArchiveError(
            said(
                f"{path} cannot be read as a zip or tar archive ({why}). It has {size:,} bytes. Delete this copy and "
                "fetch or copy it again.",
                f"{path} no se puede leer como zip o tar ({why}). Tiene {size:,} bytes. Borre esta copia y tráigala o "
                "cópiela otra vez.",
            )
        ) from error


def read_file(path: Path) -> bytes | None:
    """A file's bytes; None where it has more than `MAX_FILE_BYTES`.

    Raises:
        OSError: it cannot be read, or is no file: a pipe could be waited for without end.
    """
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise OSError(errno.EINVAL, said("a folder, a pipe or a device", "una carpeta, una tubería o un dispositivo"))
    return path.read_bytes() if about.st_size <= MAX_FILE_BYTES else None


def count_members(path: Path) -> int | None:
    """How many files there are, for a progress bar; None where only reading all of them would tell."""
    if path.is_dir():
        return sum(len(files) for _, files, _ in walk_folder(path))
    with contextlib.suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        return sum(not info.is_dir() for info in archive.infolist())
    return None


def identify(path: Path) -> str:
    """A short digest that changes when the archive does, without reading all of it.

    For a file: size, time of the last change, beginning and end (where a zip keeps its members' checksums, and gzip
    that of the whole). For a folder: names, sizes and times of its files.
    """
    state = hashlib.sha256()
    if path.is_dir():
        for folder, files, problem in walk_folder(path):
            state.update(f"{folder}\0{problem and problem[0]}\n".encode())
            for name, file in files:
                with contextlib.suppress(OSError):  # a link that leads nowhere
                    about = file.stat()
                    state.update(f"{name}\0{about.st_size}\0{about.st_mtime_ns}\n".encode())
    else:
        about = path.stat()
        state.update(f"{path.name}\0{about.st_size}\0{about.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        with open(path, "rb") as file:
            state.update(file.read(1 << 16))
            file.seek(max(0, about.st_size - (1 << 18)))
            state.update(file.read())
    return state.hexdigest()[:16]


def _read_zip(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        for info in infos:  # all of them first: nothing is done with an archive that tries to reach outside
            _refuse_outside(path, info.orig_filename)
            if (info.external_attr >> 16) & 0o170000 == 0o120000:
                _refuse_link(path, info.filename)
        for info in infos:
            yield _read_member(info.filename, info.file_size, wanted, lambda info=info: archive.read(info))


def _read_tar(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    with _unpacked(path) as stream:
        # "r|" reads once from beginning to end: "r:" would go through the whole of a compressed file to list it first.
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for info in archive:
                _refuse_outside(path, info.name)
                if info.issym() or info.islnk():
                    _refuse_link(path, info.name)
                if info.isfile():
                    yield _read_member(info.name, info.size, wanted, archive.extractfile(info).read)
        while stream.read(1 << 20):  # to the very end, where gzip keeps the checksum of the whole
            pass


def _read_member(name: str, size: int, wanted: Callable[[str], bool], read: Callable[[], bytes]) -> Member:
    name = printable(name.replace("\\", "/").removeprefix("./"))  # as it is in a folder
    if not wanted(name):
        return Member(name, b"")
    return Member(name, read() if size <= MAX_FILE_BYTES else None)


def _unpacked(path: Path) -> BinaryIO:
    """A tar's bytes; not by tarfile's own `"r|gz"`, which does not look at gzip's checksum."""
    with open(path, "rb") as file:
        begins = file.read(6)
    for magic, opener in ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open)):
        if begins.startswith(magic):
            return opener(path, "rb")
    return open(path, "rb")


def _read_folder(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    for folder, files, problem in walk_folder(path):
        if problem:
            yield Member(folder, b"", problem[1], problem[0])
        for name, file in files:
            try:
                yield Member(name, read_file(file) if wanted(name) else b"")
            except OSError as error:  # no permission, or a link that leads nowhere
                yield Member(name, b"", error.strerror or str(error))


def walk_folder(folder: Path) -> Iterator[tuple[str, list[tuple[str, Path]], tuple[str, str] | None]]:
    """The folders below a folder, linked ones too, each of them once, so that links in a circle come to an end.

    Returns:
        Of each its name ("" for the first, then such as "cat/small/"), its files by name, and where it was not read one
        of the audit's reasons with a detail.
    """
    waiting, seen = [("", folder)], {}
    while waiting:
        name, path = waiting.pop()
        try:
            about = path.stat()
            first = seen.setdefault((about.st_dev, about.st_ino), name)
            if first != name:
                yield name, [], ("same folder", said(f"the same folder as {first}", f"la misma carpeta que {first}"))
                continue
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:  # no permission
            yield name, [], ("unreadable folder", error.strerror or str(error))
            continue
        folders = [entry for entry in entries if _is_folder(entry)]
        yield name, [(name + printable(e.name), Path(e.path)) for e in entries if e not in folders], None
        found = [(e.is_symlink(), (f"{name}{printable(e.name)}/", Path(e.path))) for e in reversed(folders)]
        # Links after all others, since a folder is read where it lies.
        waiting = [at for is_link, at in found if is_link] + waiting + [at for is_link, at in found if not is_link]


def _is_folder(entry: os.DirEntry) -> bool:
    with contextlib.suppress(OSError):  # a link to itself, or through a file or a closed folder
        return entry.is_dir()
    return False


def printable(name: str) -> str:
    """Composed Unicode: macOS gives the names of files decomposed, and ids must not depend on the system.

    What is no valid text comes from old archives and disks, and is mostly Western European.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        name = name.encode("utf-8", "surrogateescape").decode("cp1252", "backslashreplace")
    return unicodedata.normalize("NFC", name)


def _refuse_outside(path: Path, name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if parts[0] == "" or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise BrokenArchiveError(
            said(
                f"{path} has a member that points outside of the archive: {name!r}. Nothing of it was read. An archive "
                "of photos has no need of that: do not use this one, fetch it again from its source.",
                f"{path} tiene un elemento que apunta fuera del archivo: {name!r}. No se ha leído nada de él. Un "
                "archivo de fotos no lo necesita: no use este, tráigalo otra vez de su fuente.",
            )
        )


def _refuse_link(path: Path, name: str) -> None:
    raise BrokenArchiveError(
        said(
            f"{path} has a link among its members, which could point outside: {name!r}. Pack the photos themselves in "
            "place of links, or fetch the archive again from its source.",
            f"{path} tiene un enlace entre sus elementos, que podría apuntar fuera: {name!r}. Empaquete las fotos "
            "mismas en lugar de enlaces, o traiga otra vez el archivo de su fuente.",
        )
    )
