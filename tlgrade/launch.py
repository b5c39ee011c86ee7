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

from tlgrade.box import box_command, environment
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

    def guard(self, wall: float, limits: Limits) -> None:
        """Ends the program after `wall` seconds, or when all its processes together hold too much memory.

        Call it before `send`. Where control groups can be made, the system watches memory and processes too.
        """
        deadline = time.monotonic() + wall
        self._group = make_group(limits)
        with contextlib.suppress(OSError):  # it has ended already
            self._group.add(self.pid)
        threading.Thread(target=self._guard, args=(deadline, limits.memory), daemon=True).start()

    def _guard(self, deadline: float, memory: int) -> None:
        while not self._ended.wait(_POLL_SECONDS):
            if time.monotonic() > deadline:
                return self.kill("time")
            if used_memory(self.pid) > memory:
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
    command, options = _command(script, settings, home, [str(theirs.fileno()), *arguments])
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            pass_fds=(theirs.fileno(), *descriptors), **options,
        )  # fmt: skip
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


def _command(script: str, settings: BoxSettings, home: str | None, arguments: list[str]) -> tuple[list[str], dict]:
    control, *rest = arguments
    if home is None:
        return box_command(settings, [sys.executable, f"{SCRIPTS}/{script}", control, OUT, *rest]), {}
    out = Path(home) / "out"
    out.mkdir()
    (Path(home) / "tmp").mkdir()
    program = [sys.executable, str(INSIDE / script), control, str(out), *rest]
    return program, {"cwd": home, "env": environment(settings, home, str(out)), "start_new_session": True}


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
    return sum(map(_proportional_memory, family))


def _proportional_memory(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    with contextlib.suppress(OSError, ValueError, IndexError):
        return os.sysconf("SC_PAGE_SIZE") * int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return 0


def _readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()  # select() refuses descriptors of 1024 and more
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(1000 * seconds))
