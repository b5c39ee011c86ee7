"""Runs cells that define functions, calls the functions, and writes what they return as JSON. In a box of its own.

Each cell has a process and a time of its own, so that one that hangs costs only its own answers, and knows only its own
cases. Nothing that is written here is believed: a grader that knows the right answers reads it.
"""

import array
import builtins
import ctypes
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import numpy as np

from tlhelpers.lab.alone import as_json, cell_of, run_alone

ANSWER_BYTES = 4 << 20
_DUMPABLE = 4  # of prctl(2)


def call(task: dict) -> dict:
    """Runs one cell and calls its function.

    Args:
        task: `sources` of all cells, `function`, the `place` of the cell that should define it (None where the
            notebook has lost it), and `cases`, each a list of arguments.

    Returns:
        `answers`, one a case, or `error` (a code) with what is known of it.
    """
    try:
        place = cell_of(task["sources"], task["function"])  # as the check does: who writes a new cell has solved it
        place = task["place"] if place is None else place
        if place is None:
            return {"error": "missing_cell"}
        scope = run_alone(task["sources"], place)
    except BaseException as error:
        return {"error": "cell_error", **_describe(error)}
    function = scope.get(task["function"])
    if not callable(function):
        return {"error": "no_function"}
    answers = []
    for case in task["cases"]:
        try:
            came = function(*map(_argument, case))
        except BaseException as error:
            answers.append(_describe(error))
            continue
        try:
            answers.append({"value": as_json(came)})
        except (TypeError, ValueError, RecursionError):
            answers.append({})  # nothing that JSON has: it is another answer than the right one
    return {"answers": answers}


def _argument(value: object) -> object:
    """Lists of numbers as arrays, as a notebook has them: pictures uint8, all else int64 or float64."""
    array = np.array(value) if isinstance(value, list) else None
    if array is None or array.dtype.kind not in "if":
        return value
    return array.astype(np.uint8) if array.ndim == 4 else array


def _describe(error: BaseException) -> dict:
    """The kind of an error, where it is one of Python's own: another's name could say anything."""
    kind = next(kind for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind)
    name = getattr(error, "name", None)
    return {"kind": kind.__name__, "name": name if isinstance(name, str) else ""}


def main() -> None:
    """`functions.py CONTROL OUT`: takes tasks from the grader and writes `ID.json` for each into the folder.

    A task is eight bytes that say how long it is, and then JSON. None is read before the one before it is done, and
    no other process can look into this one.
    """
    control = socket.socket(fileno=int(sys.argv[1]))
    folder = os.open(sys.argv[2], os.O_RDONLY | os.O_DIRECTORY)
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    ctypes.CDLL(None).prctl(_DUMPABLE, 0, 0, 0, 0)
    try:
        control.sendmsg([b"ready"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [folder]))])
    except OSError:
        os._exit(0)
    os.close(folder)
    while head := _receive(control, 8):
        task = json.loads(_receive(control, int.from_bytes(head, "big")))
        _call_apart(task, Path(sys.argv[2]), control)


def _receive(control: socket.socket, size: int) -> bytes:
    """So many bytes, or none where the grader is gone."""
    received = b""
    while len(received) < size:
        part = control.recv(min(size - len(received), 1 << 16))
        if not part:
            return b""
        received += part
    return received


def _call_apart(task: dict, out: Path, control: socket.socket) -> None:
    child = os.fork()
    if child == 0:
        try:
            control.close()
            text = json.dumps(call(task))
            if len(text) > ANSWER_BYTES:
                text = json.dumps({"error": "too_large"})
            (out / f"{task['id']}.json").write_text(text)
        finally:
            os._exit(0)
    deadline = time.monotonic() + task["seconds"]
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            (out / f"{task['id']}.json").unlink(missing_ok=True)
            (out / f"{task['id']}.json").write_text(json.dumps({"error": "slow"}))
            return
        time.sleep(0.005)


if __name__ == "__main__":
    main()
