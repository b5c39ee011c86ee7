"""Processes of this test run alone: another grading may run on the same machine."""

import ctypes
import time
from collections.abc import Callable

import psutil

_SET_CHILD_SUBREAPER = 36  # of prctl(2)


def adopt_orphans() -> None:
    """Makes this process the parent of descendants whose own parent was killed, so that they are found again."""
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this process may not adopt orphans")


def find_processes(*words: str) -> set[str]:
    """Number and command of what this process and its descendants started; with one of the words in it, where given."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        try:
            command = " ".join(process.cmdline())
            if process.status() != psutil.STATUS_ZOMBIE and (not words or any(word in command for word in words)):
                found.add(f"{process.pid} {command[:200]}")
        except psutil.NoSuchProcess:
            continue
    return found


def wait_until_none(look: Callable[[], set[str]], seconds: float = 20) -> set[str]:
    """What is still seen after a while; empty as soon as nothing is."""
    deadline = time.monotonic() + seconds
    while (left := look()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left
