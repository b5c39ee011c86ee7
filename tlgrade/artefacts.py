"""Takes what a notebook left behind, when its kernel is dead: regular files of limited size, and no links."""

import json
import os
import stat
from dataclasses import dataclass

import numpy as np
import safetensors.numpy

LEAST_MOVE, MOST_MOVE = 1e-4, 10  # of the largest value in a weight


@dataclass(frozen=True)
class Refusal:
    """Why an artefact was not taken.

    Attributes:
        code: A code of `reasons`.
        values: What the reason's text is filled with.
    """

    code: str
    values: dict


def take(folder: int, name: str, most_bytes: int) -> bytes | Refusal:
    """Reads an artefact.

    Args:
        folder: An open descriptor of the folder it should be in.
        name: Its file name, from the lab's definition and not from the learner.
        most_bytes: A larger one is refused.

    Returns:
        Its content, or why there is none.
    """
    # O_NONBLOCK: opening a FIFO would wait for somebody to write to it.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # Asked first, since opening a device may do something.
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode):
            return Refusal("not_regular", {"file": name, "kind": _kind(found.st_mode)})
        descriptor = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        return Refusal("missing_file", {"file": name})
    except OSError as error:
        return Refusal("unreadable", {"file": name, "detail": error.strerror or "error"})
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return Refusal("not_regular", {"file": name, "kind": _kind(found.st_mode)})
        if found.st_size > most_bytes:
            return Refusal("too_large", {"file": name, "bytes": found.st_size, "most": most_bytes})
        return _read(descriptor, found.st_size)
    except OSError as error:
        return Refusal("unreadable", {"file": name, "detail": error.strerror or "error"})
    finally:
        os.close(descriptor)


def read_text(content: bytes, name: str) -> str | Refusal:
    """The artefact as text."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Refusal("not_text", {"file": name})
    return Refusal("not_text", {"file": name}) if "\0" in text else text


def read_json(content: bytes) -> object:
    """The artefact as JSON; NaN and infinities, which JSON does not have, are refused.

    Raises:
        ValueError: It is something else, or nested too deeply.
    """

    def refuse(token: str) -> None:
        raise ValueError(f"{token} is not JSON")

    try:
        return json.loads(content, parse_constant=refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("not text") from None


def moved_weights(content: bytes) -> list[str] | None:
    """Names of the weights that moved, in what `lab.submit_moved` wrote; None where the file is something else.

    A weight has moved where its two samples are finite and differ by more than rounding, and are not all of them new:
    who trains a network changes it little.
    """
    try:
        parts = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError, OverflowError, MemoryError):
        return None
    found = []
    for name in (key.removesuffix(".before") for key in sorted(parts) if key.endswith(".before")):
        old, new = parts[f"{name}.before"], parts.get(f"{name}.after")
        if new is None or old.shape != new.shape or old.dtype.kind != "f" or new.dtype.kind != "f":
            continue
        with np.errstate(all="ignore"):
            scale, change = np.abs(old).max(initial=0.0), np.abs(new - old).max(initial=0.0)
        if np.isfinite(change) and LEAST_MOVE * scale < change < MOST_MOVE * scale:
            found.append(name)
    return found


def _read(descriptor: int, size: int) -> bytes:
    parts = []
    while size > 0 and (part := os.read(descriptor, min(size, 1 << 20))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_ISLNK: "link", stat.S_ISDIR: "folder", stat.S_ISFIFO: "FIFO", stat.S_ISSOCK: "socket",
        stat.S_ISBLK: "device", stat.S_ISCHR: "device",
    }  # fmt: skip
    return next((name for test, name in kinds.items() if test(mode)), "other")
