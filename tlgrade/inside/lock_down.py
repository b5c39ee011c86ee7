"""What bubblewrap does for a kernel that starts cold, for one that is forked inside a box: own processes, own folders
to write to, own shared memory, and no privilege. The network is the surrounding box's, which has none.
"""

import ctypes
import itertools
import os
import signal
from collections.abc import Iterable
from pathlib import Path

_NEW_MOUNTS, _NEW_IPC, _NEW_PROCESSES = 0x00020000, 0x08000000, 0x20000000  # CLONE_NEWNS, _NEWIPC, _NEWPID
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_PROGRAMS = 1, 2, 4, 8
_REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 32, 4096, 16384, 1 << 18
_DEATH_SIGNAL, _DUMPABLE, _DROP_BOUND, _NO_NEW_PRIVILEGES = 1, 4, 24, 38
_CAPABILITIES_VERSION = 0x20080522
_LAST_CAPABILITY = 63

libc = ctypes.CDLL(None, use_errno=True)


def refuse_namespaces() -> None:
    """Lets nobody in this user namespace make another: learners' code could gain privileges in one."""
    Path("/proc/sys/user/max_user_namespaces").write_text("0")


def enter_namespaces() -> None:
    """Puts this process into new namespaces; the next child is process 1 of its own."""
    _check(libc.unshare(_NEW_MOUNTS | _NEW_IPC | _NEW_PROCESSES), "unshare")


def end_with_parent() -> None:
    """Has the system kill this process when its parent ends."""
    _check(libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0), "prctl")


def mount_own(folders: dict[str, int]) -> None:
    """Gives this mount namespace a /proc of its own and empty folders in memory.

    Args:
        folders: For each folder its size in bytes. What is mounted within one stays visible, read-only.
    """
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    for folder, size in folders.items():
        inner = {name: os.open(f"{folder}/{name}", os.O_PATH) for name in os.listdir(folder) if folder == "/tmp"}
        _mount("tmpfs", folder, "tmpfs", _NO_SUID | _NO_DEVICES, f"size={size},mode=0755")
        for name, descriptor in inner.items():
            target = f"{folder}/{name}"
            if os.path.isdir(f"/proc/self/fd/{descriptor}"):
                os.mkdir(target)
                _mount(f"/proc/self/fd/{descriptor}", target, None, _BIND | _RECURSIVE)
                _mount(None, target, None, _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | _NO_DEVICES)
            os.close(descriptor)
    _mount("proc", "/proc", "proc", _NO_SUID | _NO_DEVICES | _NO_PROGRAMS)


def drop_privileges() -> None:
    """Gives up every capability, for good."""
    for capability in range(_LAST_CAPABILITY + 1):
        libc.prctl(_DROP_BOUND, capability, 0, 0, 0)  # fails for those that this system does not know
    _check(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    _check(libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    libc.prctl(_DUMPABLE, 1, 0, 0, 0)
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    if any(int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")):
        raise PermissionError("privileges are left")


def close_all_but(keep: Iterable[int]) -> None:
    """Closes every descriptor but some."""
    edges = [2, *sorted(set(keep) - {0, 1, 2}), os.sysconf("SC_OPEN_MAX")]
    for low, high in itertools.pairwise(edges):
        os.closerange(low + 1, high)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    words = [word.encode() if word is not None else None for word in (source, target, kind)]
    _check(libc.mount(*words, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}")


def _check(code: int, what: str) -> None:
    if code:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
