"""Runs one notebook in a box with nbclient, and takes what it wrote when its kernel is dead.

What the kernel sends is counted before it is parsed, and none of it is kept.
"""

import asyncio
import functools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import zmq
import zmq.asyncio
from jupyter_client import AsyncKernelClient, AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.session import Session
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete

from tlgrade import artefacts, provisioner
from tlgrade.launch import START_SECONDS, BoxedProcess
from tlgrade.mounts import BoxError
from tlgrade.settings import BoxSettings

MESSAGE_BYTES = 8 << 20  # a larger message ends its connection
_IOPUB_SECONDS = 4
_DEATH_SECONDS = 0.3
_END_SECONDS = 30
_CELL_BYTES, _MOST_CELL_BYTES = 8 << 10, 256 << 20
_KERNEL_ARGUMENTS = ["--HistoryManager.hist_file=:memory:"]


@dataclass
class _Budget:
    """How much a kernel may send."""

    bytes_left: int
    on_too_much: Callable[[], None] = lambda: None


class _LimitedSession(Session):
    """Counts what the kernel sends, before any of it is parsed."""

    budget: _Budget

    def clone(self):
        copy = super().clone()  # what the client of a manager gets
        copy.budget = self.budget
        return copy

    def deserialize(self, msg_list, content=True, copy=True):
        self.budget.bytes_left -= sum(map(len, msg_list))
        if self.budget.bytes_left < 0:
            self.budget.on_too_much()
            raise OSError("the kernel sent too much")
        return super().deserialize(msg_list, content, copy)


class _Client(AsyncKernelClient):
    """Without the heart beat: a pidfd says more surely whether the kernel lives."""

    def start_channels(self, *args, **kwargs):
        super().start_channels(hb=False)


class _Manager(AsyncKernelManager):
    """Gives its client a context of limited sockets."""

    def client(self, **kwargs):
        return super().client(context=self.context, **kwargs)


class _Runner(NotebookClient):
    """nbclient that keeps no output: scores do not come from there, and a grader's disk is no place for it."""

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "status" and msg["content"].get("execution_state") == "idle":
            raise CellExecutionComplete()
        return None

    async def run_cells(self) -> None:
        """All cells, one after the other. The kernel's owner ends it; nbclient would ask it to end.

        Raises:
            BoxError: The kernel ended before it was given a cell.
        """
        self.reset_execution_trackers()
        try:
            await self.async_start_new_kernel_client()
        except Exception as error:  # nothing of the learner's has run
            raise BoxError(f"the kernel ended before its first cell: {error}") from error
        monitor = self.kc.iopub_channel.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        watch = asyncio.create_task(_end_when_cut_off(monitor, self.km.provisioner.boxed))
        try:
            for index, cell in enumerate(self.nb.cells):
                await self.async_execute_cell(cell, index)
        finally:
            watch.cancel()
            self.kc.iopub_channel.socket.disable_monitor()
            monitor.close(linger=0)

    async def _async_cleanup_kernel(self) -> None:
        pass


async def _end_when_cut_off(monitor: zmq.asyncio.Socket, boxed: BoxedProcess) -> None:
    """Ends a kernel whose message was larger than a socket takes: nothing of it would arrive any more."""
    await monitor.recv_multipart()
    await asyncio.sleep(_DEATH_SECONDS)  # a kernel that has died is cut off too
    if boxed.is_alive():
        boxed.kill("output")


def run_notebook(job: dict, start: Callable | None = None, on_start: Callable[[], None] = lambda: None) -> dict:
    """Runs a notebook in a box.

    Args:
        job: `notebook` (path of what `submissions.clean_notebook` left), `settings` (`BoxSettings`), `files` (names of
            artefacts) and `folder` for their content.
        start: Forks a kernel, or gives None, which means a cold start.
        on_start: Called when the kernel was started.

    Returns:
        `outcome` ("finished", "time", "memory", "output" or "died"), `seconds`, the index of each cell that failed,
        whether the kernel was `forked`, and for each of the `files` None where its content lies in the folder, else why
        it was refused.
    """
    settings = BoxSettings.from_json(job["settings"])
    node = nbformat.from_dict(json.loads(Path(job["notebook"]).read_text(encoding="utf-8")))
    started, failed = time.monotonic(), []
    manager = _make_manager(settings, start, node)
    runner = _Runner(
        node, km=manager, timeout=None, allow_errors=True, record_timing=False, store_widget_state=False,
        iopub_timeout=_IOPUB_SECONDS,
        startup_timeout=START_SECONDS, skip_cells_with_tag="", extra_arguments=_KERNEL_ARGUMENTS,
        on_cell_error=functools.partial(_note_failure, failed), shell_timeout_interval=1,
    )  # fmt: skip
    runner.log.disabled = True
    try:
        outcome, boxed = asyncio.run(_execute(manager, runner, settings, on_start))
        files = {name: _take(boxed, name, settings, Path(job["folder"])) for name in job["files"]}
    finally:
        _clear(manager)
    seconds, forked = time.monotonic() - started, boxed.forked
    return {"outcome": outcome, "seconds": seconds, "failed": failed[:100], "files": files, "forked": forked}


async def _execute(
    manager: _Manager, runner: _Runner, settings: BoxSettings, on_start: Callable[[], None]
) -> tuple[str, BoxedProcess]:
    await manager.start_kernel(extra_arguments=_KERNEL_ARGUMENTS)
    on_start()
    boxed = manager.provisioner.boxed
    boxed.guard(settings.limits.wall, settings.limits)
    manager.session.budget.on_too_much = functools.partial(boxed.kill, "output")
    try:
        # Twice the wall time: what the box waited for a processor does not count.
        await asyncio.wait_for(runner.run_cells(), 2 * settings.limits.wall + _END_SECONDS)
        outcome = "finished"
    except BoxError:
        raise
    except Exception:  # whatever the kernel made of its messages: it is the kernel's doing, and scores come from files
        outcome = "died"
    finally:
        boxed.kill()
        if runner.kc is not None:
            runner.kc.stop_channels()
    if not boxed.wait(_END_SECONDS):
        raise BoxError("the box did not end within half a minute of being killed")
    if outcome == "died" and boxed.ran_out_of_memory():
        outcome = "memory"
    return boxed.stopped_by or outcome, boxed


@functools.cache
def _zmq_context() -> zmq.asyncio.Context:
    """One for all runs of this process. To end one waits for all its sockets, at times without end."""
    context = zmq.asyncio.Context()
    context.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES)
    context.setsockopt(zmq.RECONNECT_IVL, -1)  # its sockets listened before the kernel began; a second try is a trick
    context.setsockopt(zmq.RCVHWM, 100)
    context.setsockopt(zmq.LINGER, 0)
    return context


def _make_manager(settings: BoxSettings, start, node: nbformat.NotebookNode) -> _Manager:
    config = {"settings": settings.to_json(), "start": start}
    name = provisioner.register()
    manager = _Manager(client_factory=_Client, context=_zmq_context())
    manager.session = _LimitedSession(parent=manager)
    # A cell that prints nothing is told of as well, and its source is sent back.
    own = sum(_CELL_BYTES + 3 * len(cell.source) for cell in node.cells if cell.cell_type == "code")
    manager.session.budget = _Budget(settings.limits.output_bytes + min(own, _MOST_CELL_BYTES))
    manager._kernel_spec = KernelSpec(
        argv=["python", "-f", "{connection_file}"],
        metadata={"kernel_provisioner": {"provisioner_name": name, "config": config}},
    )
    return manager


def _take(boxed: BoxedProcess, name: str, settings: BoxSettings, folder: Path) -> dict | None:
    found = artefacts.take(boxed.out, name, settings.limits.artefact_bytes)
    if isinstance(found, artefacts.Refusal):
        return {"code": found.code, "values": found.values}
    (folder / name).write_bytes(found)
    return None


def _note_failure(failed: list, cell=None, cell_index: int = 0, execute_reply=None) -> None:
    failed.append(cell_index)


def _clear(manager: _Manager) -> None:
    if manager.provisioner is not None:
        asyncio.run(manager.provisioner.cleanup())
    manager.cleanup_connection_file()
