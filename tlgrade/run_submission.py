"""Runs a notebook through a client process, and sees to it that it ends.

The client keeps the limits of a notebook; this side keeps the client's own. When this process dies, in whatever way,
the client sees its input closed and ends, and with it the box.
"""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tlgrade import cgroups
from tlgrade.artefacts import Refusal
from tlgrade.mounts import BoxError
from tlgrade.settings import BoxSettings
from tlgrade.submissions import Notebook, clean_notebook

START_SECONDS = 600  # until a kernel has started, with the import of its framework, on a machine that is busy
GRACE_SECONDS = 75  # beyond a notebook's own time, once it has started: to end, and to take what it wrote
RUNS = 200  # of one client, before a new one takes over
_CLOSE_SECONDS = 10
PREFIX = "tlhelpers-run-"


class ClientProcess:
    """A client process, started when it is needed and replaced when it was ended."""

    def __init__(self):
        self._process: subprocess.Popen | None = None
        self._runs, self._left, self._ended = 0, b"", False

    def ask(self, job: dict, seconds: float) -> dict | None:
        """Its answer to a job; None where it died, or took longer than `seconds` from the kernel's start.

        Raises:
            BoxError: It was ended for good.
        """
        if self._ended:
            raise BoxError("the grading was ended")
        if self._process is None or self._process.poll() is not None or self._runs >= RUNS:
            self.close()
            self._start()
        self._runs += 1
        try:
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
            answer = json.loads(self._read_line(time.monotonic() + START_SECONDS))
            if "started" in answer:
                answer = json.loads(self._read_line(time.monotonic() + seconds))
            return answer
        except (OSError, EOFError, ValueError, AttributeError):  # the last where another thread has ended it
            self.close()
            return None

    def _start(self) -> None:
        sweep()
        # Not in the working folder: Python would look for modules there, and it may hold submissions.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tlgrade.client"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, start_new_session=True, cwd="/",
        )  # fmt: skip
        self._runs, self._left = 0, b""

    def _read_line(self, deadline: float) -> bytes:
        received, descriptor = self._left, self._process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while b"\n" not in received:
            if not poll.poll(max(0, 1000 * (deadline - time.monotonic()))):
                raise TimeoutError("the client did not answer")
            part = os.read(descriptor, 1 << 16)
            if not part:
                raise EOFError("the client ended")
            received += part
        line, _, self._left = received.partition(b"\n")
        return line

    def end(self) -> None:
        """Ends it, also while another thread waits for its answer; it starts no more."""
        self._ended = True
        self.close()

    def close(self) -> None:
        """Ends it and its box; it starts again when it is asked."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()


def run_submission(
    client: ClientProcess, notebook: Notebook, files: list[str], settings: BoxSettings
) -> tuple[dict, dict[str, bytes | Refusal]]:
    """Runs a notebook.

    Args:
        client: What runs it.
        notebook: What was handed in. Its kernel is forked from one that has the framework that it names.
        files: Names of the artefacts that are wanted.
        settings: What the box is made with.

    Returns:
        `outcome`, `seconds` and `failed` (the indices of cells that raised an error), and for each file its content or
        why it was refused.

    Raises:
        BoxError: The box could not be built; nothing is said about the notebook.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        (folder / "notebook.ipynb").write_bytes(clean_notebook(notebook))
        (folder / "artefacts").mkdir()
        job = {
            "notebook": str(folder / "notebook.ipynb"), "settings": settings.to_json(), "files": list(files),
            "folder": str(folder / "artefacts"), "framework": notebook.framework or "neutral",
        }  # fmt: skip
        most = 2 * settings.limits.wall + GRACE_SECONDS  # what it waits for a processor does not count
        answer = client.ask(job, most)
        if answer is None:  # once may be the machine's fault, and must not cost a learner the points
            answer = client.ask(job, most)
        if answer is None:
            gone = {"outcome": "client", "seconds": settings.limits.wall, "failed": []}
            return gone, {name: Refusal("missing_file", {"file": name}) for name in files}
        if "box_error" in answer:
            raise BoxError(answer["box_error"])
        found = {}
        for name, refused in answer.get("files", {}).items():
            found[name] = Refusal(**refused) if refused else (folder / "artefacts" / name).read_bytes()
        return {key: value for key, value in answer.items() if key != "files"}, found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Removes folders and control groups of graders that were killed: their names begin with a process that is gone."""
    for folder in Path(tempfile.gettempdir()).glob("tlhelpers-*"):
        named = re.fullmatch(r"tlhelpers-(?:run-)?([0-9]{1,9})-.*", folder.name)  # anybody may make such a folder
        with contextlib.suppress(OSError):
            if named and folder.lstat().st_uid == os.geteuid() and _is_gone(int(named[1])):
                shutil.rmtree(folder, ignore_errors=True)
    cgroups.sweep(_is_gone)


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
