"""Limits kept by the system: real control groups where this process may make them, and none where it may not."""

import os
import subprocess
import sys

import pytest

from tlgrade import cgroups
from tlgrade.settings import Limits

SMALL = Limits(memory=64 << 20, scratch_bytes=0, shared_bytes=0, artefact_bytes=0, processes=8)


@pytest.fixture
def group():
    made = cgroups.make_group(SMALL)
    if not made.limited:
        pytest.skip("this process may make no control groups (root outside of a service may)")
    yield made
    made.remove()


def run_in(group, code: str) -> subprocess.Popen:
    """Runs code in a group: it waits for a line, and by then is in."""
    command = [sys.executable, "-c", f"input()\n{code}"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    group.add(process.pid)
    return process


def test_a_burst_of_memory_is_ended_by_the_system_and_told(group):
    process = run_in(group, "block = bytearray(400_000_000)\nprint('held', len(block))")
    told, _ = process.communicate("\n", timeout=60)
    assert (told, process.returncode) == ("", -9)
    assert group.ran_out_of_memory()


def test_what_stays_below_its_limits_is_left_alone_and_nothing_is_left(group):
    process = run_in(group, "block = bytearray(10_000_000)\nprint('held', len(block))")
    assert process.communicate("\n", timeout=60)[0] == "held 10000000\n"
    assert not group.ran_out_of_memory()
    folders = list(group._folders)
    group.remove()
    assert folders
    assert not any(folder.exists() for folder in folders)


def test_processes_beyond_the_limit_cannot_be_started(group):
    code = (
        "import subprocess\n"
        "try:\n    held = [subprocess.Popen(['sleep', '9'], stdout=-3) for _ in range(20)]\n"
        "except OSError as error:\n    print(type(error).__name__)"
    )
    process = run_in(group, code)
    try:
        assert process.communicate("\n", timeout=60)[0] == "BlockingIOError\n"
    finally:
        for folder in group._folders:
            for pid in (folder / "cgroup.procs").read_text().split():
                subprocess.run(["kill", "-9", pid], check=False)


def test_groups_of_a_grader_that_is_gone_are_swept(group):
    cgroups.sweep(lambda pid: False)
    assert all(folder.exists() for folder in group._folders)
    cgroups.sweep(lambda pid: pid == os.getpid())  # as if this grader were: others may grade beside it
    assert not any(folder.exists() for folder in group._folders)


def test_where_no_group_can_be_made_there_is_none_and_no_error(tmp_path, monkeypatch):
    monkeypatch.setattr(cgroups, "MOUNT", tmp_path)
    nothing = cgroups.make_group(SMALL)
    nothing.add(1)
    assert not nothing.limited
    assert not nothing.ran_out_of_memory()
    nothing.remove()


@pytest.mark.parametrize(("controllers", "limited"), [("cpu memory pids", True), ("cpu", False)])
def test_version_2_is_used_where_its_group_hands_the_controllers_on(tmp_path, monkeypatch, controllers, limited):
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (tmp_path / "cgroup.subtree_control").write_text(controllers)
    monkeypatch.setattr(cgroups, "MOUNT", tmp_path)
    group = cgroups.make_group(SMALL)
    assert group.limited == limited
    if limited:
        (folder,) = group._folders
        assert {path.name: path.read_text() for path in folder.iterdir()} == {
            "memory.max": str(64 << 20), "pids.max": "8"
        }  # fmt: skip
        group.add(42)
        (folder / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
        assert group.ran_out_of_memory()
