"""JupyterLab with one notebook, in a real Chromium without a window, driven by its own protocol."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page:
    """A tab of Chromium."""

    def __init__(self, address: str):
        websocket = pytest.importorskip("websocket")
        self.socket = websocket.create_connection(address, suppress_origin=True, timeout=60)
        self.sent = 0

    def call(self, method: str, **parameters) -> dict:
        """One command of the DevTools protocol, and its answer."""
        self.sent += 1
        self.socket.send(json.dumps({"id": self.sent, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.sent:
                assert "error" not in message, message
                return message["result"]

    def run(self, script: str, by_value: bool = True):
        """What a line of JavaScript gives; the number of the object in place of its value, where it is asked for."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=by_value, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value" if by_value else "objectId")

    def wait_for(self, script: str, seconds: float = 60):
        """The first value of a line of JavaScript that is true."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"{script} stays {value!r}; the page: {self.run('document.body.innerText')}"
            time.sleep(0.1)
        return value

    def choose_file(self, script: str, path: Path) -> None:
        """Does what a person does with the file dialog of the input that the script gives."""
        self.wait_for(f"{script} != null")
        self.call("DOM.setFileInputFiles", files=[str(path)], objectId=self.run(script, by_value=False))


@contextlib.contextmanager
def open_in_lab(code: str, folder: Path, **environment: str):
    """A `Page` with JupyterLab, where a notebook of one cell with this code is running or has run."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / "page.ipynb")
    places = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    lab = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--port=0", "--port-retries=0",
           "--IdentityProvider.token=", "--ServerApp.password=", "--LabApp.expose_app_in_browser=True",
           f"--ServerApp.root_dir={folder}"]  # fmt: skip
    chromium = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--remote-debugging-port=0", f"--user-data-dir={folder / 'chromium'}", "about:blank"]  # fmt: skip
    with contextlib.ExitStack() as stack:
        for command in (lab, chromium):
            log = stack.enter_context((folder / f"{Path(command[0]).name}.log").open("w"))
            process = subprocess.Popen(
                command, env=os.environ | places | environment, stdout=log, stderr=log, cwd=folder
            )
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        server = _wait(lambda: json.loads(next((folder / "JUPYTER_RUNTIME_DIR").glob("jpserver-*.json")).read_text()))
        port = _wait(lambda: (folder / "chromium/DevToolsActivePort").read_text().split()[0])
        tabs = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list"))
        page = Page(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))
        page.call("Page.navigate", url=f"{server['url']}lab/tree/page.ipynb?reset")
        session = "[...jupyterapp.shell.widgets('main')].find(widget => widget.sessionContext)?.sessionContext"
        page.wait_for(f"window.jupyterapp && {session}?.session?.kernel?.status == 'idle'")
        page.run("jupyterapp.commands.execute('notebook:run-all-cells'), 0")
        yield page


def _wait(read, seconds: float = 60):
    end = time.monotonic() + seconds
    while True:
        try:
            return read()
        except (StopIteration, OSError, ValueError, IndexError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
