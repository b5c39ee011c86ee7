"""Limits that Linux itself keeps on a box's memory and processes, where this process may make control groups.

They add to what the grader does without them (it looks at the box's memory several times a second, and limits each
process): a burst cannot outrun them. Version 1 takes root. Version 2 takes a group whose processes may be limited, as
root has outside of systemd's services, and as `systemd-run --scope -p Delegate=yes` prepares one.
"""

import contextlib
import itertools
import os
import re
import time
from pathlib import Path

from tlgrade.settings import Limits

MOUNT = Path("/sys/fs/cgroup")
PREFIX = "tlhelpers-"
_REMOVE_SECONDS = 2
_numbers = itertools.count()


class ControlGroup:
    """Folders of control groups that one box is in; without any, it does nothing."""

    def __init__(self, folders: list[Path]):
        self._folders = folders

    @property
    def limited(self) -> bool:
        """Whether the system limits this box's memory."""
        return bool(self._folders)

    def add(self, pid: int) -> None:
        """Puts a process in, and with it all that it will start."""
        for folder in self._folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def ran_out_of_memory(self) -> bool:
        """Whether the system ended one of its processes for want of memory."""
        for folder in self._folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    counts = dict(line.split() for line in (folder / name).read_text().splitlines())
                    if int(counts.get("oom_kill", 0)):
                        return True
        return False

    def remove(self) -> None:
        """Gives the groups back; the system needs a moment after the last process."""
        deadline = time.monotonic() + _REMOVE_SECONDS
        while self._folders:
            try:
                self._folders[-1].rmdir()
                self._folders.pop()
            except FileNotFoundError:
                self._folders.pop()
            except OSError:
                if time.monotonic() > deadline:
                    return  # `sweep` will
                time.sleep(0.01)


def make_group(limits: Limits) -> ControlGroup:
    """A group with these limits; an empty one where this process may make none."""
    # Files of the box are in memory too, beyond what its processes may hold.
    memory = limits.memory + limits.scratch_bytes + 2 * limits.shared_bytes + limits.artefact_bytes
    made: list[Path] = []
    try:
        for parent, values in _parents(memory, limits.processes):
            folder = parent / f"{PREFIX}{os.getpid()}-{next(_numbers)}"
            folder.mkdir()
            made.append(folder)
            for name, value in values.items():
                (folder / name).write_text(str(value))
    except OSError:  # read-only, not ours, or without these controllers
        ControlGroup(made).remove()
        return ControlGroup([])
    return ControlGroup(made)


def sweep(is_gone) -> None:
    """Removes groups of graders that were killed; `is_gone(pid)` says which."""
    for parent, _ in _parents(0, 0):
        for folder in parent.glob(f"{PREFIX}*"):
            number = folder.name.removeprefix(PREFIX).partition("-")[0]
            with contextlib.suppress(OSError):
                if re.fullmatch("[0-9]{1,9}", number) and is_gone(int(number)):
                    folder.rmdir()


def _parents(memory: int, processes: int) -> list[tuple[Path, dict[str, int]]]:
    """The groups below which new ones can be made, and what to write into these."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    own = {name: path for _, names, path in (line.split(":", 2) for line in lines) for name in names.split(",")}
    if (MOUNT / "cgroup.controllers").exists():  # version 2
        folder = _folder(MOUNT, own.get("", "/"))
        with contextlib.suppress(OSError):
            if {"memory", "pids"} <= set((folder / "cgroup.subtree_control").read_text().split()):
                return [(folder, {"memory.max": memory, "pids.max": processes})]
        return []
    # A group with the controller "cpu" shares the processors with its neighbours group by group, not process by
    # process, which is what the boxes of two learners should do. In version 2 it comes along where it is on.
    files = {"memory": {"memory.limit_in_bytes": memory}, "pids": {"pids.max": processes}, "cpu": {}}
    found = [(_folder(MOUNT / name, own.get(name, "/")), values) for name, values in files.items()]
    there = [(folder, values) for folder, values in found if (folder / "cgroup.procs").exists()]
    return there if there[: len(found) - 1] == found[: len(found) - 1] else []


def _folder(mount: Path, path: str) -> Path:
    """This process's group below a mount; in a container the mount may begin at that group already."""
    folder = mount / path.lstrip("/")
    return folder if folder.is_dir() else mount
