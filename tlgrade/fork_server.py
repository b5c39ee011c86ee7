"""Kernels forked from a process that has imported their framework: half a second in place of five.

Optional: where a template does not start, or a fork does not answer, kernels start cold.
"""

import array
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys

from tlgrade import box
from tlgrade.launch import BoxedProcess, end, greet
from tlgrade.mounts import HOME, OUT, SCRIPTS, BoxError
from tlgrade.settings import BoxSettings

PRELOAD_SECONDS = 300  # an import takes 5 to 13, and far longer on a machine that is busy
FORK_SECONDS = 60


class ForkServer:
    """Templates, one a framework, each started when it is first asked for."""

    def __init__(self, settings: BoxSettings):
        self._settings = settings
        self._templates: dict[str, _Template | None] = {}

    def start(self, framework: str, arguments: list[str], descriptors: list[int]) -> BoxedProcess | None:
        """Forks a kernel; None where that was not possible, and a cold start is the way.

        Args:
            framework: "pytorch", "tensorflow", or "neutral".
            arguments: As for `launch`; the numbers of the sockets are 1, 2, ... in the order of `descriptors`.
            descriptors: Sockets that listen for the kernel.
        """
        if framework not in self._templates:
            self._templates[framework] = _start_template(framework, self._settings)
        template = self._templates[framework]
        if template is None:
            return None
        try:
            return template.fork(descriptors, self._settings)
        except (OSError, BoxError):
            template.close()
            self._templates[framework] = None  # it will not get better; cold starts work
            return None

    def close(self) -> None:
        """Ends all templates."""
        for template in self._templates.values():
            if template:
                template.close()
        self._templates = {}


class _Template:
    def __init__(self, process: subprocess.Popen, control: socket.socket):
        self._process, self._control = process, control
        self._pid: int | None = None

    def greet(self) -> None:
        """Waits until the framework is imported."""
        pid, out = greet(self._control, PRELOAD_SECONDS)
        os.close(out)
        self._pid = os.pidfd_open(pid)

    def fork(self, descriptors: list[int], settings: BoxSettings) -> BoxedProcess:
        limits = settings.limits
        folders = {
            "/tmp": limits.shared_bytes, "/dev/shm": limits.shared_bytes, HOME: limits.scratch_bytes,
            OUT: limits.artefact_bytes,
        }  # fmt: skip
        ours, theirs = socket.socketpair()
        with theirs:
            sent = array.array("i", [theirs.fileno(), *descriptors])
            message = json.dumps({"folders": folders, "out": OUT}).encode()
            self._control.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, sent)])
        try:
            pid, out = greet(ours, FORK_SECONDS)
            return BoxedProcess(os.pidfd_open(pid), pid, out, ours, None)
        except BaseException:
            ours.close()
            raise

    def close(self) -> None:
        self._control.close()
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pid, signal.SIGKILL)
            os.close(self._pid)
        else:
            self._process.kill()
        end(self._process)


def _start_template(framework: str, settings: BoxSettings) -> _Template | None:
    ours, theirs = socket.socketpair()
    program = [sys.executable, f"{SCRIPTS}/template.py", str(theirs.fileno()), framework, OUT]
    with theirs:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = box.start(settings, program, nest=True, descriptors=[theirs.fileno()], **quiet)
    template = _Template(process, ours)
    try:
        template.greet()
    except BoxError:
        with contextlib.suppress(OSError):
            template.close()
        return None
    return template
