"""The box itself: what it says where it cannot be built, what a notebook finds in it, and who can use it."""

import contextlib
import importlib.util
import os
import signal
import stat
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient import NotebookClient

from tests.grading.processes import find_processes, wait_until_none
from tests.grading.tiny_lab import make_notebook
from tlgrade import box as box_module
from tlgrade import launch, provisioner
from tlgrade.box import self_test
from tlgrade.mounts import BoxError
from tlgrade.run_submission import ClientProcess, run_submission
from tlgrade.settings import BoxSettings
from tlgrade.submissions import parse_notebook


def ask(client, settings, *cells: str, framework: str | None = None) -> str:
    """What cells write into `answer.txt`."""
    write = "open(os.environ['TLHELPERS_LAB_OUT'] + '/answer.txt', 'w').write(str(answer))"
    notebook = parse_notebook(make_notebook("import os", *cells, write, function=None, framework=framework))
    run, found = run_submission(client, notebook, ["answer.txt"], settings)
    assert run["outcome"] == "finished"
    return found["answer.txt"].decode()


def test_a_missing_program_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BoxError, match="apt-get install bubblewrap"):
        self_test()


@pytest.fixture
def open_folder():
    """A folder that every user may read, as root's box runs as another user (pytest's own folders are closed)."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.parametrize(
    ("told", "mend"),
    [
        ("bwrap: Unknown option --disable-userns", "--only-upgrade bubblewrap"),
        ("bwrap: No permissions to create new namespace, likely user namespace", "user.max_user_namespaces"),
        ("bwrap: something new", "bwrap --unshare-all"),
    ],
)
def test_a_box_that_cannot_be_built_says_how_to_mend_it(open_folder, monkeypatch, told, mend):
    fake = open_folder / "bwrap"
    fake.write_text(f"#!/bin/sh\necho '{told}' >&2\nexit 1\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{open_folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(box_module.platform, "system", lambda: "Linux")
    with pytest.raises(BoxError) as caught:
        self_test()
    assert mend in str(caught.value)


def test_no_box_elsewhere_than_on_linux(monkeypatch):
    monkeypatch.setattr(box_module.platform, "system", lambda: "Darwin")
    with pytest.raises(BoxError, match="expected Linux"):
        self_test()


@pytest.mark.parametrize("fork", [False, True])
def test_nothing_of_the_graders_environment_is_in_the_box(client, make_settings, monkeypatch, fork):
    settings = BoxSettings.from_json({**make_settings().to_json(), "fork": fork})
    names = ask(client, settings, "answer = sorted(os.environ)").strip("[]").replace("'", "").split(", ")
    assert {"HOME", "TLHELPERS_LAB_DATA", "TLHELPERS_LAB_OUT"} <= set(names)
    assert not {name for name in names if name in os.environ} - set(box_module.environment(settings)) - {
        "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "GIT_PAGER", "JPY_PARENT_PID", "LC_CTYPE", "MPLBACKEND", "PAGER",
        "PWD", "PYDEVD_USE_FRAME_EVAL", "SHLVL", "TERM", "_",
    }  # fmt: skip


@pytest.mark.parametrize("fork", [False, True])
def test_every_kernel_starts_in_an_empty_home(client, make_settings, fork):
    settings = BoxSettings.from_json({**make_settings().to_json(), "fork": fork})
    look = "import glob; answer = [os.path.exists(p) for p in ('left', '/tmp/left', '/dev/shm/left', '/out/left')]"
    leave = "[open(p, 'w') for p in ('left', '/tmp/left', '/dev/shm/left', '/out/left')]"
    for _ in range(2):
        assert ask(client, settings, look, leave) == str([False] * 4)


@pytest.mark.parametrize("fork", [False, True])
def test_limits_hold_inside(client, make_settings, fork):
    settings = BoxSettings.from_json({**make_settings(open_files=200, processes=100).to_json(), "fork": fork})
    assert ask(client, settings, "import resource; answer = resource.getrlimit(resource.RLIMIT_NOFILE)[1]") == "200"
    # Not 0: a system that hands cores to a program would start it all the same.
    assert ask(client, settings, "import resource; answer = resource.getrlimit(resource.RLIMIT_CORE)[1]") == "1"
    many = "import threading, time\nanswer = 0\ntry:\n    while True:\n        answer += 1\n"
    many += "        threading.Thread(target=time.sleep, args=(2,), daemon=True).start()\nexcept RuntimeError: pass"
    assert int(ask(client, settings, many)) <= 100


@pytest.mark.parametrize(
    ("framework", "module", "draw"),
    [
        (None, "numpy", "import random, numpy as np; answer = (random.random(), np.random.rand())"),
        ("pytorch", "torch", "import torch; answer = torch.rand(3).tolist()"),
        ("tensorflow", "tensorflow", "import tensorflow as tf; answer = tf.random.uniform([3]).numpy()"),
    ],
)
def test_forks_do_not_share_their_chance(client, make_settings, framework, module, draw):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    drawn = {ask(client, make_settings(wall=60), draw, framework=framework) for _ in range(3)}
    assert len(drawn) == 3


def test_where_no_template_starts_kernels_start_cold(make_settings, client):
    notebook = replace(parse_notebook(make_notebook(function=None)), framework="no such framework")
    run, _ = run_submission(client, notebook, [], make_settings())
    assert run["outcome"] == "finished"
    assert not run["forked"]


def test_any_client_can_use_the_provisioner(box, tmp_path):
    manager = AsyncKernelManager()
    manager._kernel_spec = KernelSpec(
        argv=["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        metadata={"kernel_provisioner": {"provisioner_name": provisioner.register()}},
    )
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import os; print(os.getpid(), os.getcwd())")])
    NotebookClient(node, km=manager, timeout=60).execute(cleanup_kc=True)
    assert node.cells[0].outputs[0].text == "1 /home/learner\n"


def test_memory_counts_all_processes_of_a_box(make_settings):
    boxed = launch.launch("functions.py", make_settings())
    try:
        assert 1 << 20 < launch.used_memory(boxed.pid) < 1 << 30
        assert boxed.is_alive()
        boxed.kill()
        assert boxed.wait(10)
        assert launch.used_memory(boxed.pid) == 0
    finally:
        boxed.close()


def test_memory_that_takes_long_to_count_does_not_keep_the_time_from_ending(make_settings, monkeypatch):
    monkeypatch.setattr(launch, "used_memory", lambda pid: time.sleep(60) or 0)  # as with very many mappings
    settings = make_settings()
    boxed = launch.launch("functions.py", settings)
    try:
        boxed.guard(2, settings.limits)
        assert boxed.wait(20)
        assert boxed.stopped_by == "time"
    finally:
        boxed.close()


@pytest.mark.parametrize("fork", [False, True])
def test_the_box_ends_with_the_process_that_started_it(make_settings, fork, tmp_path):
    settings = BoxSettings.from_json({**make_settings().to_json(), "fork": fork})
    others = find_processes()  # such as a client that another test keeps
    process = ClientProcess()
    notebook = parse_notebook(make_notebook("import time; time.sleep(1000)", function=None))
    running = threading.Thread(target=run_submission, args=(process, notebook, [], settings), daemon=True)
    running.start()
    deadline = time.monotonic() + 30
    name = "/box/template.py" if fork else "/box/kernel.py"
    while not find_processes(name) - others and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    boxed = find_processes("/box/") - others
    assert boxed
    os.kill(process._process.pid, signal.SIGKILL)
    assert wait_until_none(lambda: find_processes() & boxed, seconds=5) == set()
    while running.is_alive():  # a client that died is given the notebook once more
        with contextlib.suppress(AttributeError, ProcessLookupError):
            os.kill(process._process.pid, signal.SIGKILL)
        running.join(0.5)
