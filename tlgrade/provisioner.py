"""A kernel provisioner that puts the kernel in a box, for any client: nbclient, nbgrader, nbval, Jupyter.

A kernelspec asks for it with `"metadata": {"kernel_provisioner": {"provisioner_name": "tlhelpers-box"}}`.
"""

import os
import secrets
import shutil
import signal
import socket
import tempfile
from importlib.metadata import EntryPoint
from pathlib import Path

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets import Any, Dict

from tlgrade.launch import BoxedProcess, launch
from tlgrade.settings import BoxSettings

NAME = "tlhelpers-box"
CHANNELS = ("shell", "iopub", "stdin", "hb", "control")
_END_SECONDS = 30


class BoxProvisioner(LocalProvisioner):
    """Starts a kernel in a box, with `ipc` sockets in a folder that only this process can open."""

    settings = Dict(help="BoxSettings as JSON has them; the defaults where it is empty").tag(config=True)
    start = Any(help="Forks the kernel, or gives None; called with arguments and descriptors")
    boxed: BoxedProcess | None = None
    folder: Path | None = None
    _listening: tuple[socket.socket, ...] = ()
    _extra: tuple[str, ...] = ()

    @property
    def has_process(self) -> bool:
        """Whether a kernel was started and not yet cleaned up."""
        return self.boxed is not None

    async def pre_launch(self, **kwargs) -> dict:
        """Opens the sockets that the kernel will answer on."""
        manager = self.parent
        self._extra = tuple(kwargs.get("extra_arguments", ()))
        self.folder = Path(tempfile.mkdtemp(prefix=f"tlhelpers-{os.getpid()}-"))
        manager.transport, manager.ip = "ipc", str(self.folder / secrets.token_hex(4))
        manager.cache_ports = False
        for number, channel in enumerate(CHANNELS, 1):
            setattr(manager, f"{channel}_port", number)
        self._listening = tuple(_listen(f"{manager.ip}-{number}") for number in range(1, len(CHANNELS) + 1))
        manager.connection_file = str(self.folder / "connection.json")
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs) -> dict:
        """Starts the kernel; its own command is not used, since a kernel in a box is started in one way only."""
        descriptors = [listening.fileno() for listening in self._listening]
        arguments = [f"{number}={descriptor}" for number, descriptor in enumerate(descriptors, 1)]
        settings = BoxSettings.from_json(self.settings) if self.settings else BoxSettings()
        self.boxed = self.start(arguments, descriptors) if self.start else None
        if self.boxed is None:
            self.boxed = launch("kernel.py", settings, arguments, descriptors)
        connection = {key: _text(value) for key, value in self.connection_info.items()}
        self.boxed.send({"connection": connection, "arguments": list(self._extra)})
        for listening in self._listening:
            listening.close()
        self.pid = self.boxed.pid
        return self.connection_info

    async def poll(self) -> int | None:
        """None while the kernel runs."""
        return None if self.boxed and self.boxed.is_alive() else 0

    async def wait(self) -> int | None:
        """Waits for the kernel's end and clears up."""
        if self.boxed:
            self.boxed.wait(_END_SECONDS)
        await self.cleanup()
        return 0

    async def send_signal(self, signum: int) -> None:
        """Sends a signal to the kernel's first process."""
        if signum == signal.SIGKILL:
            await self.kill()
        elif self.boxed and self.boxed.is_alive():
            os.kill(self.boxed.pid, signum)

    async def kill(self, restart: bool = False) -> None:
        """Ends the kernel and all that it started."""
        if self.boxed:
            self.boxed.kill()

    async def terminate(self, restart: bool = False) -> None:
        """As `kill`: a kernel of nobody's friend is not asked."""
        await self.kill()

    async def cleanup(self, restart: bool = False) -> None:
        """Ends the kernel and removes its sockets."""
        for listening in self._listening:
            listening.close()
        if self.boxed:
            self.boxed.close()
            self.boxed = None
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def register() -> str:
    """Makes the provisioner known in this process, also where the package's entry points were not installed anew.

    Returns:
        Its name.
    """
    entry = EntryPoint(NAME, f"{__name__}:BoxProvisioner", KernelProvisionerFactory.GROUP_NAME)
    KernelProvisionerFactory.provisioners[NAME] = entry
    return NAME


def _listen(path: str) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(16)
    return listening


def _text(value):
    return value.decode() if isinstance(value, bytes) else value
