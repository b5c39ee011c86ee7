"""A process that has imported a framework, and forks a kernel whenever the grader asks for one.

It runs in a box of its own and never runs a learner's code: a fork locks itself down first. Kernels of one template run
one after the other.
"""

import array
import contextlib
import importlib
import json
import os
import random
import signal
import socket
import sys

import lock_down
from kernel import run_kernel, take_orders

ALWAYS = ("ipykernel.kernelapp", "ipykernel.ipkernel", "numpy", "matplotlib", "matplotlib_inline.backend_inline")
FRAMEWORKS = {
    "pytorch": ("torch", "torchvision.transforms.v2", "tlhelpers.pytorch.networks", "tlhelpers.pytorch.training"),
    "tensorflow": ("tensorflow", "keras", "tlhelpers.tensorflow.networks", "tlhelpers.tensorflow.training"),
    "neutral": (),
}
# Some of these may be missing; a notebook that needs one says so itself.
OPTIONAL = {
    "pytorch": ("torchvision", "matplotlib.pyplot", "sklearn.metrics", "PIL.Image", "tlhelpers.lab"),
    "tensorflow": ("matplotlib.pyplot", "sklearn.metrics", "PIL.Image", "tlhelpers.lab"),
}
MESSAGE_BYTES = 1 << 16
CHANNELS = 5


def preload(framework: str) -> None:
    """Imports what notebooks of a framework will import; of "neutral" ones only what every kernel does."""
    for name in (*ALWAYS, *FRAMEWORKS[framework]):
        importlib.import_module(name)
    for name in OPTIONAL.get(framework, ()):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def serve(control: socket.socket) -> None:
    """Forks a kernel for each request, until the grader is gone."""
    while True:
        message, ancillary, _, _ = control.recvmsg(MESSAGE_BYTES, socket.CMSG_SPACE(4 * (CHANNELS + 1)))
        if not message:
            return
        descriptors = array.array("i")
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(data)
        request = json.loads(message)
        _reap()
        if os.fork() == 0:
            _become_guard(request, list(descriptors))
        for descriptor in descriptors:
            os.close(descriptor)


def _become_guard(request: dict, descriptors: list[int]) -> None:
    """The parent of process 1 in the new namespaces: it only waits, and takes its child with it."""
    try:
        lock_down.end_with_parent()
        lock_down.close_all_but(descriptors)
        lock_down.enter_namespaces()
        child = os.fork()
        if child == 0:
            _become_kernel(request, descriptors)
        lock_down.close_all_but(())
        os.waitpid(child, 0)
    finally:
        os._exit(0)


def _become_kernel(request: dict, descriptors: list[int]) -> None:
    try:
        lock_down.end_with_parent()
        lock_down.mount_own(request["folders"])
        home = os.environ["HOME"]
        os.chdir(home)
        os.mkdir(f"{home}/tmp")
        lock_down.drop_privileges()
        _renew_chance()
        control, *listening = descriptors
        sockets = {str(number): descriptor for number, descriptor in enumerate(listening, 1)}
        orders = take_orders(socket.socket(fileno=control), request["out"])
        run_kernel(orders, sockets, home)
    finally:
        os._exit(0)


def _renew_chance() -> None:
    """Forks would share the template's random state; each gets new seeds, as every fresh process draws them."""
    import numpy as np

    random.seed()
    np.random.seed(int.from_bytes(os.urandom(4), "little"))  # noqa: NPY002  (learners use this state)
    if "torch" in sys.modules:
        sys.modules["torch"].seed()
    eager = sys.modules.get("tensorflow.python.eager.context")
    if eager is not None and hasattr(eager.context(), "_rng"):
        eager.context()._rng = random.Random()  # tf.random.set_seed would change more than the state


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def main() -> None:
    """`template.py CONTROL FRAMEWORK OUT`."""
    descriptor, framework, out = sys.argv[1:]
    sys.argv = sys.argv[:1]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    preload(framework)
    lock_down.refuse_namespaces()
    control = socket.socket(fileno=int(descriptor))
    folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    control.sendmsg([b"ready"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [folder]))])
    os.close(folder)
    serve(control)


if __name__ == "__main__":
    main()
