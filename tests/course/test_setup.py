"""scripts/setup.py makes real environments here, from a package index on this machine that serves tiny wheels."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest

from tests.course.setup_clone import ROOT, Clone, Indexes, make_wheel, pin_of

SPEC = importlib.util.spec_from_file_location("setup_script", ROOT / "scripts/setup.py")
setup = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(setup)
posix = pytest.mark.skipif(os.name != "posix", reason="looks into .venv/bin")
without_gpu = pytest.mark.skipif(
    sys.platform != "linux" or setup.has_nvidia_gpu(), reason="PyTorch's build is chosen on Linux without a GPU"
)


@pytest.fixture
def clone(tmp_path):
    """A clone without `.venv`; the registry has no uv, so that pip installs."""
    with Indexes(tmp_path / "served") as indexes:
        yield Clone(tmp_path / "clone", indexes)


@pytest.fixture(scope="module")
def venv_with_uv(tmp_path_factory):
    try:
        uv = importlib.metadata.distribution("uv")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("uv is not installed beside these tests")
    venv = tmp_path_factory.mktemp("template") / ".venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    for file in uv.files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(uv.locate_file(file), site / file)
    return venv


@pytest.fixture
def clone_with_uv(clone, venv_with_uv):
    """A clone with an environment that holds pip and uv alone."""
    shutil.copytree(venv_with_uv, clone.root / ".venv", symlinks=True, copy_function=os.link)
    return clone


@without_gpu
def test_without_a_gpu_pytorch_comes_from_its_index_for_processors_also_with_pip(clone):
    done = clone.setup("--extras", "pytorch,lab")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"build for processors, from {clone.indexes.address}/cpu" in done.stdout
    found = clone.versions()
    assert found["torch"] == pin_of("torch") + "+cpu"
    assert found["torchvision"] == pin_of("torchvision") + "+cpu"
    assert {"tlhelpers", "tlcourse"} <= set(found)
    assert not {"nvidia_stand_in", "tensorflow", "tlgrade"} & set(found)


@without_gpu
def test_what_is_there_stays_and_what_is_missing_is_added(clone_with_uv):
    clone, asked = clone_with_uv, clone_with_uv.indexes.asked
    assert clone.setup("--extras", "pytorch,lab").returncode == 0
    for less in ("pytorch,lab", "lab"):
        asked.clear()
        done = clone.setup("--extras", less)
        assert (done.returncode, done.stdout, asked) == (0, "", [])
    done = clone.setup("--extras", "tensorflow,lab")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "up to 0.6 GB to fetch, 2.1 GB on the disk" in done.stdout  # of TensorFlow alone
    assert {path.rsplit("/", 1)[1] for path in asked if path.endswith(".whl")} == {clone.indexes.tensorflow.name}
    assert clone.setup("--extras", "pytorch,tensorflow,lab").stdout == ""
    assert "tlgrade" not in clone.versions()
    assert clone.setup().returncode == 0
    assert {"torch": pin_of("torch") + "+cpu", "tlgrade": "0.1.0"}.items() <= clone.versions().items()
    with (clone.root / "requirements.txt").open("a") as pins:
        pins.write("# another pin\n")
    assert "what has changed" in clone.setup("--extras", "lab").stdout


@without_gpu
@pytest.mark.parametrize("trouble", ["closed", "silent", "another version"])
def test_where_the_index_is_of_no_use_the_registry_serves(trouble, clone_with_uv):
    clone = clone_with_uv
    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        address = f"http://127.0.0.1:{never_answers.getsockname()[1]}/cpu"
        if trouble == "closed":
            never_answers.close()
        elif trouble == "another version":
            address = None
            clone.indexes.cpu_torch.unlink()
            make_wheel(clone.indexes.cpu_torch.parent, "torch", "1.0+cpu")
        done = clone.setup("--extras", "pytorch,lab", cpu_index=address)
    assert done.returncode == 0, done.stdout + done.stderr
    found = clone.versions()
    assert (found["torch"], found["nvidia_stand_in"]) == (pin_of("torch"), "1")
    if address:
        assert f"{address} does not answer" in done.stdout
        assert "up to 3.2 GB to fetch, 6.5 GB on the disk" in done.stdout
    else:
        assert "up to 0.4 GB to fetch, 1.6 GB on the disk" in done.stdout
        assert "registry's build: up to 2.8 GB to fetch, 4.8 GB on the disk more" in done.stdout


def test_an_index_that_does_not_answer_costs_no_more_than_it_is_given():
    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        port, start = never_answers.getsockname()[1], time.monotonic()
        assert not setup.answers(f"http://127.0.0.1:{port}", seconds=1)
        assert time.monotonic() - start < 4
    start = time.monotonic()
    assert not setup.answers(f"http://127.0.0.1:{port}", seconds=60)  # closed by now: a refusal needs no patience
    assert time.monotonic() - start < 20


@posix
def test_an_installation_that_broke_off_is_taken_up_again(clone_with_uv):
    wheel = clone_with_uv.indexes.tensorflow
    away = wheel.rename(wheel.with_suffix(".away"))
    failed = clone_with_uv.setup("--extras", "tensorflow,lab")
    assert failed.returncode != 0
    assert "The same command goes on from here" in failed.stderr
    away.rename(wheel)
    assert "Ready" in clone_with_uv.setup("--extras", "tensorflow,lab").stdout
    assert clone_with_uv.versions()["tensorflow"] == pin_of("tensorflow")


@pytest.mark.parametrize(("backend", "with_cuda"), [("cpu", False), ("cu132", True)])
def test_a_build_that_the_environment_names_wins(backend, with_cuda, monkeypatch):
    monkeypatch.setenv("UV_TORCH_BACKEND", backend)
    from_cpu_index, cuda, sentence = setup.choose_torch()
    assert (from_cpu_index, cuda) == (False, with_cuda)
    assert backend in sentence


@without_gpu
@pytest.mark.parametrize(
    ("says", "seen"), [("echo 'GPU 0: NVIDIA T4'", True), ("echo 'No devices were found'; exit 6", False)]
)
def test_a_gpu_is_one_that_nvidias_tool_lists(says, seen, tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{says}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    assert setup.has_nvidia_gpu() == seen
    assert not seen or setup.choose_torch()[:2] == (False, True)


def test_an_unknown_extra_is_refused(clone):
    done = clone.setup("--extras", "torch,lab")
    assert done.returncode == 2
    assert "came 'torch'" in done.stderr
    assert not (clone.root / ".venv").exists()


@pytest.mark.parametrize(("framework", "extras"), [("pytorch", "pytorch,lab"), (None, "pytorch,tensorflow,lab")])
def test_make_demo_asks_for_what_its_frameworks_need(framework, extras):
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    command = ["make", "-n", "demo", *([f"FRAMEWORK={framework}"] if framework else [])]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"scripts/setup.py --extras {extras}\n" in said
    assert f"tlcourse demo --framework {framework or 'both'} " in said


@pytest.mark.parametrize("name", ["using.md", "uso.md"])
def test_the_page_on_installing_gives_the_sizes_that_setup_adds_up(name):
    text = (ROOT / "docs" / name).read_text(encoding="utf-8").replace(",", ".")
    rows = re.findall(r"^\| .* \| ([\d.]+) GB \| ([\d.]+) GB \|$", text, re.MULTILINE)
    *parts, whole = [tuple(map(float, row)) for row in rows]
    assert parts == list(setup.SIZES.values())
    assert whole == pytest.approx([sum(column) for column in zip(*parts, strict=True)])


@pytest.mark.parametrize(("version", "said"), [((3, 9, 18), "came 3.9"), ((3, 15, 0), "came 3.15")])
def test_setup_says_which_python_it_needs(version, said, monkeypatch):
    monkeypatch.setattr(setup.sys, "version_info", version)
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit) as stop:
        setup.find_python()
    assert said in str(stop.value)
    assert "make PYTHON=" in str(stop.value)


@pytest.mark.parametrize(("own", "newest"), [((3, 15, 0), (3, 14)), ((3, 14, 2), setup.TENSORFLOW_NEWEST)])
def test_setup_takes_another_python_that_fits(own, newest, monkeypatch):
    here = "python3." + str(sys.implementation.version.minor)
    monkeypatch.setattr(setup.sys, "version_info", own)
    monkeypatch.setattr(setup.shutil, "which", lambda name: sys.executable if name == here else None)
    assert setup.find_python(newest) == sys.executable


def test_a_machine_that_has_python_3_14_alone_gets_all_but_tensorflow(monkeypatch):
    monkeypatch.setattr(setup.sys, "version_info", (3, 14, 2))
    monkeypatch.setattr(setup.sys, "executable", "the 3.14 of this machine")
    monkeypatch.setattr(setup, "version_of", lambda python: (3, 14) if "3.14" in python else None)
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    assert setup.find_python(setup.TENSORFLOW_NEWEST) == "the 3.14 of this machine"
