"""Starts a program in a box and ends it, with all that it started.

The program's first process is process 1 of its own process namespace: when it ends, the kernel of the system ends every
other one in there. A pidfd names it without doubt, also after its number was given to another.
"""

import array
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tlgrade import box
from tlgrade.cgroups import ControlGroup, make_group
from tlgrade.mounts import INSIDE, OUT, SCRIPTS, BoxError
from tlgrade.settings import BoxSettings, Limits

START_SECONDS = 180  # until the box answers; far more than a busy machine needs
_POLL_SECONDS = 0.25
_REAP_SECONDS = 5
_CREDENTIALS = struct.Struct("3i")  # process, user, group


class BoxedProcess:
    """A program in a box that has said it is ready.

    Attributes:
        out: Descriptor of the folder for artefacts; it stays readable when the box is gone.
        stopped_by: Why the grader ended it: "time", "memory" or "output"; None where it did not.
    """

    def __init__(self, pidfd: int, pid: int, out: int, control: socket.socket, process: subprocess.Popen | None):
        self.pid, self.out, self.stopped_by = pid, out, None
        self._pidfd, self._control, self._process = pidfd, control, process
        self._home: str | None = None  # without a box: a folder to remove
        self._group = ControlGroup([])
        self._ended = threading.Event()

    @property
    def forked(self) -> bool:
        """Whether a template forked it, so that no process of ours is its parent."""
        return self._process is None

    def send(self, orders: dict) -> None:
        """Says what to do, once; then the learner's code may run.

        Raises:
            BoxError: The program ended before it was told.
        """
        try:
            self._control.sendall(json.dumps(orders).encode())
        except OSError as error:
            raise BoxError(f"the program in the box ended before it was told what to do: {error}") from error
        finally:
            self._control.close()

    def send_tasks(self, tasks: list[dict]) -> None:
        """Says what to do, task by task, each with its length before it; the program takes one when it is ready."""
        with contextlib.suppress(OSError):  # it was ended, and what it did not answer is told of later
            for task in tasks:
                content = json.dumps(task).encode()
                self._control.sendall(len(content).to_bytes(8, "big") + content)
        self._control.close()

    def guard(self, wall: float, limits: Limits) -> None:
        """Ends the program after `wall` seconds, or when all its processes together hold too much memory.

        Seconds in which it waited for a processor that others had do not count, up to as many again: neighbours are
        not its fault. Call it before `send`. Where control groups can be made, the system watches memory and processes
        too, and gives each box an equal share of the processors.
        """
        self._group = make_group(limits)
        with contextlib.suppress(OSError):  # it has ended already
            self._group.add(self.pid)
        # Each has a thread of its own: a box with very many mappings takes long to be counted.
        threading.Thread(target=self._watch_time, args=(wall,), daemon=True).start()
        threading.Thread(target=self._watch_memory, args=(limits.memory,), daemon=True).start()

    def _watch_time(self, wall: float) -> None:
        started, before = time.monotonic(), waited_for_processor(self.pid)
        left = wall
        while not self._ended.wait(min(left, _POLL_SECONDS)):
            waited = min(max(waited_for_processor(self.pid) - before, 0), wall)
            left = wall + waited - (time.monotonic() - started)
            if left <= 0:
                return self.kill("time")
        return None

    def _watch_memory(self, most: int) -> None:
        while not self._ended.wait(_POLL_SECONDS):
            if used_memory(self.pid) > most:
                return self.kill("memory")
        return None

    def ran_out_of_memory(self) -> bool:
        """Whether the system ended one of its processes because all together held too much; until `close`."""
        return self._group.ran_out_of_memory()

    def is_alive(self) -> bool:
        """Whether the program runs."""
        return not self._ended.is_set() and not _readable(self._pidfd, 0)

    def kill(self, why: str | None = None) -> None:
        """Ends it at once; the first reason given is kept."""
        if self._ended.is_set():
            return
        self.stopped_by = self.stopped_by or why
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        if self._process and self._home:  # without a box there is only the group of processes
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self, seconds: float) -> bool:
        """Waits for the end; whether it came. Process 1 ends after all others of its namespace."""
        return self._ended.is_set() or _readable(self._pidfd, seconds)

    def close(self) -> None:
        """Ends it and gives back what it held, `out` too."""
        if self._ended.is_set():
            return
        self.kill()
        self.wait(START_SECONDS)
        if self._process:
            end(self._process)
        self._ended.set()
        self._group.remove()
        self._control.close()
        os.close(self._pidfd)
        os.close(self.out)
        if self._home:
            shutil.rmtree(self._home, ignore_errors=True)


def end(process: subprocess.Popen) -> None:
    """Waits for bubblewrap, whose program has ended: it takes its children with it, so that no zombie stays."""
    try:
        process.wait(_REAP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def launch(script: str, settings: BoxSettings, arguments: list[str] = (), descriptors: list[int] = ()) -> BoxedProcess:
    """Starts a program of `inside` in a box and waits until it is ready.

    Call it in a thread that lives on: the box ends with the thread that started it.

    Args:
        script: File name in `inside`.
        settings: What the box is made with.
        arguments: More arguments, after the control socket's descriptor and the folder for artefacts.
        descriptors: Open descriptors that the program gets.

    Raises:
        BoxError: It did not start.
    """
    ours, theirs = socket.socketpair()
    home = None if settings.boxed else tempfile.mkdtemp(prefix="tlhelpers-trusted-")
    try:
        process = _start(script, settings, home, [str(theirs.fileno()), *arguments], [theirs.fileno(), *descriptors])
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    try:
        pid, out = greet(ours, START_SECONDS)
        boxed = BoxedProcess(os.pidfd_open(pid), pid, out, ours, process)
    except (OSError, BoxError):
        process.kill()
        told = process.stderr.read().decode(errors="replace").strip().splitlines()
        process.wait()
        ours.close()
        raise BoxError(f"the box did not start: {told[-1] if told else f'exit code {process.returncode}'}") from None
    finally:
        process.stderr.close()
    boxed._home = home
    return boxed


def _start(
    script: str, settings: BoxSettings, home: str | None, arguments: list[str], descriptors: list[int]
) -> subprocess.Popen:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    control, *rest = arguments
    if home is None:
        program = [sys.executable, f"{SCRIPTS}/{script}", control, OUT, *rest]
        return box.start(settings, program, descriptors=descriptors, **quiet)
    out = Path(home) / "out"
    out.mkdir()
    (Path(home) / "tmp").mkdir()
    return subprocess.Popen(
        [sys.executable, str(INSIDE / script), control, str(out), *rest], stdin=subprocess.DEVNULL, cwd=home,
        env=box.environment(settings, home, str(out)), start_new_session=True, pass_fds=descriptors, **quiet,
    )  # fmt: skip


def greet(control: socket.socket, seconds: float) -> tuple[int, int]:
    """Waits for a program's "ready".

    Returns:
        The program's process number as it is out here, and the descriptor that it sent.

    Raises:
        BoxError: It ended or was silent.
    """
    control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    control.settimeout(seconds)
    try:
        message, ancillary, _, _ = control.recvmsg(16, 1024)
    except OSError:
        message, ancillary = b"", []
    control.settimeout(None)
    pid = descriptor = None
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            (descriptor,) = array.array("i", data[:4])
        elif level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            pid = _CREDENTIALS.unpack(data)[0]
    if message != b"ready" or pid is None or descriptor is None:
        raise BoxError("the program in the box did not answer")
    return pid, descriptor


def used_memory(pid: int) -> int:
    """Real memory, in bytes, of a process and all that it started; pages that several share count once."""
    family = [pid]
    for member in family:  # grows while it is read
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{member}/task"):
                family += map(int, Path(f"/proc/{member}/task/{thread}/children").read_text().split())
    return sum(_proportional_memory(member) + _kibibytes(f"/proc/{member}/status", "VmPTE:") for member in family)


def waited_for_processor(pid: int) -> float:
    """Seconds in which a process was ready to run and no processor was free, of the thread that waited most."""
    waited = [0]
    with contextlib.suppress(OSError, ValueError, IndexError):  # a system may be built without these counts
        for thread in os.listdir(f"/proc/{pid}/task"):
            waited.append(int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[1]))
    return max(waited) / 1e9


def _proportional_memory(pid: int) -> int:
    shared = _kibibytes(f"/proc/{pid}/smaps_rollup", "Pss:")
    if shared:
        return shared
    with contextlib.suppress(OSError, ValueError, IndexError):
        return os.sysconf("SC_PAGE_SIZE") * int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return 0


def _kibibytes(path: str, name: str) -> int:
    """A line such as `Pss:  12 kB` of a file of /proc, in bytes; 0 where there is none."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(path).read_text().splitlines():
            if line.startswith(name):
                return 1024 * int(line.split()[1])
    return 0


def _readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()  # select() refuses descriptors of 1024 and more
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(1000 * seconds))
