"""The client process: runs notebooks in boxes, one after the other, and takes what they wrote.

It is a process of its own because it reads what untrusted kernels send. It knows no label; its memory is limited; and
its parent, which does the scoring, ends it when it takes too long. It talks with its parent in lines of JSON.
"""

import contextlib
import functools
import json
import os
import queue
import resource
import sys
import threading
from collections.abc import Callable
from typing import TextIO

import nbformat

from tlgrade.fork_server import ForkServer
from tlgrade.mounts import BoxError
from tlgrade.notebook_client import run_notebook
from tlgrade.settings import BoxSettings
from tlgrade.syscalls import join_empty_keyring

MEMORY_BYTES = 8 << 30  # of address space; it stores no outputs, so it needs little


def _fork_start(job: dict, state: "_State") -> Callable | None:
    """What forks kernels for a job; None where they are to start cold."""
    settings = BoxSettings.from_json(job["settings"])
    if not (settings.boxed and settings.fork):
        return None
    key = json.dumps(job["settings"], sort_keys=True)
    if key not in state.servers:
        state.close_servers()
        state.servers[key] = ForkServer(settings)
    return functools.partial(state.servers[key].start, job["framework"])


def _read_requests(requests: queue.SimpleQueue, state: "_State") -> None:
    """Reads requests; when the parent is gone, or has closed its end, ends this process at once, and its boxes."""
    for line in sys.stdin:
        requests.put(line)
    if state.idle:  # in order, so that no zombie stays; else the system ends the boxes with this process
        state.close_servers()
    os._exit(0)


class _State:
    """What two threads know of each other."""

    def __init__(self):
        self.idle = True
        self.servers: dict[str, ForkServer] = {}

    def close_servers(self) -> None:
        for server in self.servers.values():
            server.close()
        self.servers.clear()


def main() -> None:
    """Answers requests, a line of JSON each, until its standard input is closed."""
    join_empty_keyring()
    # The soft limit only: boxes have their own, which may be higher.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints must not come between the answers
    requests, state = queue.SimpleQueue(), _State()
    threading.Thread(target=_read_requests, args=(requests, state), daemon=True).start()
    while True:
        job = json.loads(requests.get())
        state.idle = False
        answer = _answer(job, state, functools.partial(_say, answers, {"started": True}))
        state.idle = True
        _say(answers, answer)


def _say(answers: TextIO, content: dict) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(content), file=answers, flush=True)


def _answer(job: dict, state: _State, on_start: Callable[[], None]) -> dict:
    try:
        return run_notebook(job, _fork_start(job, state), on_start)
    except (BoxError, OSError, MemoryError) as error:  # a full disk, too, is this machine's fault and nobody's zero
        return {"box_error": str(error) or type(error).__name__}
    except (ValueError, nbformat.ValidationError) as error:
        return {"outcome": "no_notebook", "detail": type(error).__name__}


if __name__ == "__main__":
    main()
