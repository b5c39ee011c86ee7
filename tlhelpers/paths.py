"""Where files live: the data folder (read only), the cache folder (ours), and writing without half-written files."""

import contextlib
import errno
import functools
import os
import platform
import re
import secrets
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from tlhelpers.errors import DataNotFoundError, TlhelpersError, said

DATA_VARIABLE = "TLHELPERS_DATA"
CACHE_VARIABLE = "TLHELPERS_CACHE"
# EFBIG is what a limit on the size of files gives (`ulimit -f`, and FAT disks at 4 GiB).
NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}


def data_folder() -> Path | None:
    """The classroom pack that TLHELPERS_DATA names, which may be read-only; None when the variable is unset.

    Raises:
        DataNotFoundError: the variable names something that is not a folder.
    """
    folder = named_folder(DATA_VARIABLE)
    if folder is not None and not os.path.isdir(folder):
        raise DataNotFoundError(
            said(
                f"{DATA_VARIABLE} should name a folder, and there is none at {folder}. Correct the variable, or unset "
                "it.",
                f"{DATA_VARIABLE} debería nombrar una carpeta, y en {folder} no hay ninguna. Corrija la variable o "
                "quítela.",
            )
        )
    return folder


def cache_folder() -> Path:
    """The folder for what is downloaded, decoded and computed; created when it is not there.

    Raises:
        TlhelpersError: it cannot be created or written to.
    """
    folder = cache_path()
    why = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f" ({error.strerror})"
    if why or not os.access(folder, os.W_OK):
        raise TlhelpersError(
            said(
                f"The cache folder {folder} cannot be written to{why}. Set {CACHE_VARIABLE} to a folder that you may "
                "write to.",
                f"No se puede escribir en la carpeta de la caché, {folder}{why}. Ponga en {CACHE_VARIABLE} una carpeta "
                "en la que pueda escribir.",
            )
        )
    return folder


def cache_path() -> Path:
    """Where the cache is or will be: TLHELPERS_CACHE names it; by default it is the platform's folder for caches.

    Raises:
        TlhelpersError: the account has no home, and so no such folder.
    """
    named = named_folder(CACHE_VARIABLE)
    if named is not None:
        return named
    import platformdirs

    with contextlib.suppress(RuntimeError):  # which newer versions raise where there is no home
        folder = Path(platformdirs.user_cache_dir("tlhelpers", appauthor=False))
        if folder.is_absolute():
            return folder
    raise TlhelpersError(
        said(
            f"This account has no home folder for a cache. Set {CACHE_VARIABLE} to a folder that you may write to.",
            f"Esta cuenta no tiene carpeta personal para la caché. Ponga en {CACHE_VARIABLE} una carpeta en la que "
            "pueda escribir.",
        )
    )


def named_folder(variable: str) -> Path | None:
    """The folder that an environment variable names; None where it is not set. A relative one begins where one stands.

    In a notebook that is its folder; if there is none, the folder in which Jupyter was started, as a shell tells it.
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        return None
    folder = Path(os.path.expanduser(value))
    if "ipykernel" in sys.modules and not os.path.isdir(folder):
        folder = Path(os.environ.get("PWD", "")) / folder
    return folder.absolute()


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Gives a path beside `target` to write to; what was written takes the target's place, whole or not at all.

    The temporary file is brought to the disk and renamed when the block ends well, and removed when it does not. What
    killed processes left in the folder is removed the first time that this process writes there.

    Raises:
        TlhelpersError: no room is left on the disk, or the folder may not be written to.
    """
    target = Path(target)
    # The target's suffix stays last: several writers choose the format by it.
    name = f".{target.stem[:80]}.part-{_host()}-{os.getpid()}-{secrets.token_hex(4)}{target.suffix}"
    temporary = target.with_name(name)
    try:
        with explain_full_disk(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(target.parent.absolute())
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextlib.contextmanager
def locked(target: Path) -> Iterator[None]:
    """Makes the folder of a file that is to be made, and lets one process at a time do so.

    Raises:
        TlhelpersError: no room is left on the disk, or the folder may not be written to.
    """
    import filelock

    with explain_full_disk(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        held = filelock.FileLock(f"{target}.lock").acquire()
    with held:
        yield


@functools.cache
def _remove_leftovers(folder: Path) -> None:
    """Removes the temporary files of processes of this machine that are gone; others may write on a shared disk."""
    with contextlib.suppress(OSError, ImportError):
        for entry in os.scandir(folder):
            found = re.fullmatch(rf"\..*\.part-{_host()}-(\d+)-[0-9a-f]{{8}}(\..*)?", entry.name)
            if found:
                import psutil  # comes with Jupyter

                if not psutil.pid_exists(int(found[1])):
                    os.unlink(entry.path)


@functools.cache
def _host() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


@contextlib.contextmanager
def explain_full_disk(folder: Path) -> Iterator[None]:
    """Turns the system's error for a full disk, a quota, a limit on file size or a closed folder into what to do.

    Raises:
        TlhelpersError: in place of such an `OSError`.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            text = said(
                f"No room to write in {folder} ({error.strerror}). Nothing half-written was left. "
                f"Free some space there, or set {CACHE_VARIABLE} to a folder on a larger disk.",
                f"No queda sitio para escribir en {folder} ({error.strerror}). No se ha dejado nada a medias. "
                f"Libere espacio o ponga en {CACHE_VARIABLE} una carpeta de un disco mayor.",
            )
        elif error.errno in _CLOSED:
            # The temporary file in it has a name that nobody knows.
            place = error.filename if error.filename and Path(error.filename).parent != folder else folder
            text = said(
                f"This account has no access to {place} ({error.strerror}). Take another folder, or change its rights.",
                f"Esta cuenta no tiene acceso a {place} ({error.strerror}). Tome otra carpeta o cambie sus permisos.",
            )
        else:
            raise
        raise TlhelpersError(text) from error


def shadow_warning() -> str:
    """What to say where another tlhelpers than the installed one is imported, as by PYTHONPATH; else ""."""
    import importlib.metadata
    import json
    import sysconfig
    import urllib.request

    for found in importlib.metadata.distributions(name="tlhelpers", path=[sysconfig.get_path("purelib")]):
        origin = json.loads(found.read_text("direct_url.json") or "{}")
        folder = Path(found.locate_file("."))
        if origin.get("dir_info", {}).get("editable"):
            folder = Path(urllib.request.url2pathname(origin["url"].removeprefix("file://")))
        installed, here = folder / "tlhelpers", Path(__file__).parent
        if installed.is_dir() and not installed.samefile(here):
            return said(
                f"tlhelpers is imported from {here}, and the installed one is {installed}: what a notebook does may "
                "not be what it says. Take the other folder out of PYTHONPATH, or start in another folder.",
                f"tlhelpers se importa de {here}, y el instalado es {installed}: lo que hace un cuaderno puede no ser "
                "lo que dice. Quite la otra carpeta de PYTHONPATH o empiece en otra carpeta.",
            )
        return ""
    return ""
