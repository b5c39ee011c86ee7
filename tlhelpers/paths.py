"""Where files live: the data folder (read only), the cache folder (ours), and writing without half-written files."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from tlhelpers.errors import DataNotFoundError, TlhelpersError

DATA_VARIABLE = "TLHELPERS_DATA"
CACHE_VARIABLE = "TLHELPERS_CACHE"
# EFBIG is what a limit on the size of files gives (`ulimit -f`, and FAT disks at 4 GiB).
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def data_folder() -> Path | None:
    """The classroom pack that TLHELPERS_DATA names, which may be read-only; None when the variable is unset.

    Raises:
        DataNotFoundError: the variable names something that is not a folder.
    """
    value = os.environ.get(DATA_VARIABLE, "").strip()
    if not value:
        return None
    folder = Path(value).expanduser().absolute()
    if not folder.is_dir():
        raise DataNotFoundError(
            f"{DATA_VARIABLE} should name a folder, and there is none at {folder}. Correct the variable, or unset it."
        )
    return folder


def cache_folder() -> Path:
    """The folder for what is downloaded, decoded and computed; created when it is not there.

    TLHELPERS_CACHE names it; by default it is the platform's cache folder for this package.

    Raises:
        TlhelpersError: it cannot be created or written to.
    """
    value = os.environ.get(CACHE_VARIABLE, "").strip()
    if value:
        folder = Path(value).expanduser().absolute()
    else:
        import platformdirs

        folder = Path(platformdirs.user_cache_dir("tlhelpers", appauthor=False))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TlhelpersError(
            f"The cache folder {folder} cannot be created ({error.strerror}). "
            f"Set {CACHE_VARIABLE} to a folder that you may write to."
        ) from error
    if not os.access(folder, os.W_OK):
        raise TlhelpersError(
            f"The cache folder {folder} cannot be written to. Set {CACHE_VARIABLE} to a folder that you may write to."
        )
    return folder


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Gives a path beside `target` to write to; what was written takes the target's place, whole or not at all.

    The temporary file is brought to the disk and renamed when the block ends well, and removed when it does not.

    Raises:
        TlhelpersError: no room is left on the disk.
    """
    target = Path(target)
    # The target's suffix stays last: several writers choose the format by it.
    temporary = target.with_name(f"{temporary_prefix(target)}{os.getpid()}-{secrets.token_hex(4)}{target.suffix}")
    try:
        with explain_full_disk(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_prefix(target: Path) -> str:
    """How the names of the temporary files of `target` begin."""
    return f".{target.stem[:80]}.part-"


def remove_leftovers(target: Path) -> None:
    """Removes what killed processes left of `target`. Only for a caller that holds the lock on `target`."""
    prefix = temporary_prefix(target)
    if target.parent.is_dir():
        for entry in os.scandir(target.parent):
            if entry.name.startswith(prefix) and entry.name.endswith(target.suffix):
                Path(entry.path).unlink(missing_ok=True)


def is_no_room(error: OSError) -> bool:
    """Whether the system refused to write for want of room."""
    return error.errno in _NO_ROOM


@contextlib.contextmanager
def explain_full_disk(folder: Path) -> Iterator[None]:
    """Turns the system's error for a full disk, a quota or a limit on file size into one that says what to do.

    Raises:
        TlhelpersError: in place of such an `OSError`.
    """
    try:
        yield
    except OSError as error:
        if not is_no_room(error):
            raise
        raise TlhelpersError(
            f"No room to write in {folder} ({error.strerror}). Nothing half-written was left. "
            f"Free some space there, or set {CACHE_VARIABLE} to a folder on a larger disk."
        ) from error
