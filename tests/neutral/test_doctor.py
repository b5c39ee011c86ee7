"""`tlhelpers doctor` in real processes: on this environment, and on environments broken in one way each."""

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tlhelpers import doctor, doctor_probes, paths

BROKEN_TORCH = """
__version__ = "2.15.0"
class cuda:
    is_available = staticmethod(lambda: False)
class backends:
    class mps:
        is_available = staticmethod(lambda: False)
"""
START = "import sys; from tlhelpers.cli import main; sys.exit(main())"


@pytest.fixture
def fake_modules(tmp_path, monkeypatch):
    """A folder whose modules are found before the installed ones, here and in processes that are started from here."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")])))
    monkeypatch.syspath_prepend(str(folder))
    return folder


def make_report(**changes):
    """A report of a healthy environment, with changes."""
    folder = {"path": "/somewhere", "exists": True, "writable": True, "bytes": 0, "free_bytes": 10**11}
    framework = {"installed": True, "version": "1.0", "accelerator": None, "problem": None}
    healthy = {
        "tlhelpers": "0.1.0",
        "python": {"version": "3.12.1", "executable": "/env/bin/python"},
        "shadowed": "",
        "packages": {"base": {"numpy": "2.4.6"}, "lab": {"ipykernel": "7.4.0"}},
        "frameworks": {"pytorch": dict(framework), "tensorflow": dict(framework)},
        "nvidia_gpus": [],
        "kernel": {"python": "/env/bin/python", "problem": None},
        "data_folder": None,
        "cache_folder": folder,
        "embedded_weights": ["mini_resnet.safetensors", "mini_resnet_narrow.safetensors"],
        "data": {},
        "weights": [],
    }
    return healthy | changes


def test_the_command_reports_this_environment_as_json(tmp_path):
    environment = os.environ | {"TLHELPERS_CACHE": str(tmp_path / "cache"), "TLHELPERS_DATA": str(tmp_path / "absent")}
    command = [sys.executable, "-c", START, "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["lesson_can_run"] else 1)
    assert report["python"]["executable"] == sys.executable
    assert report["packages"]["base"]["numpy"]
    assert not report["data_folder"]["exists"]
    assert any(str(tmp_path / "absent") in problem["what"] for problem in report["problems"])
    assert not (tmp_path / "cache").exists(), "looking must not create the cache"


def test_torchvision_of_another_torch_is_named_with_its_mend(fake_modules):
    (fake_modules / "torch.py").write_text(BROKEN_TORCH)
    (fake_modules / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    answer = doctor_probes.ask_framework("pytorch", 60)
    assert "operator torchvision::nms does not exist" in answer["problem"]
    report = make_report()
    report["frameworks"]["pytorch"] = answer
    (problem,) = doctor.list_problems(report)
    assert "pip install" in problem["mend"]
    assert "pytorch" in problem["mend"]
    assert not problem["stops"], "TensorFlow still works"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise ImportError('libcudart.so.13: cannot open shared object file')", "libcudart.so.13"),
        ("import os; os.abort()", "does not import"),
        ("import time; time.sleep(60)", "did not answer within 1 seconds"),
    ],
)
def test_a_framework_that_fails_dies_or_hangs_is_reported(fake_modules, source, said):
    (fake_modules / "tensorflow.py").write_text(source)
    answer = doctor_probes.ask_framework("tensorflow", 1 if "sleep" in source else 60)
    assert answer["installed"]
    assert said in answer["problem"]


def test_no_framework_stops_the_lesson_and_one_is_enough():
    absent = {"installed": False, "problem": None, "accelerator": None}
    report = make_report()
    report["frameworks"]["tensorflow"] = absent
    assert doctor.list_problems(report) == []
    report["frameworks"]["pytorch"] = absent
    problems = doctor.list_problems(report)
    assert all(problem["stops"] for problem in problems)
    assert any("[tensorflow]" in problem["mend"] for problem in problems)


@pytest.mark.parametrize(
    ("changes", "said", "mend", "stops"),
    [
        ({"python": {"version": "3.15.0", "executable": "python"}}, "expected 3.10 to 3.14", "make PYTHON=", True),
        ({"packages": {"base": {"numpy": None}}}, "missing packages: numpy", "pip install", True),
        ({"packages": {}}, "not installed", "pip install", True),
        ({"kernel": {"python": None, "problem": "no kernel"}}, "no kernel", "ipykernel install --sys-prefix", True),
        ({"embedded_weights": []}, "weights are missing", "git checkout", True),
        ({"nvidia_gpus": ["GPU 0: H200"]}, "TensorFlow does not see the GPU", "tensorflow[and-cuda]", False),
    ],
)
def test_each_problem_has_its_mend(changes, said, mend, stops):
    problems = doctor.list_problems(make_report(**changes))
    (problem,) = [problem for problem in problems if said in problem["what"]]
    assert mend in problem["mend"]
    assert problem["stops"] is stops


def test_problems_are_told_in_the_language_of_the_reader(monkeypatch):
    monkeypatch.setenv("TLHELPERS_LANGUAGE", "es")
    (problem,) = doctor.list_problems(make_report(packages={"base": {"numpy": None}}))
    assert problem["what"] == "faltan paquetes: numpy"
    text = doctor.as_text(doctor.examine())
    assert text.endswith(("La lección puede ejecutarse.", "La lección no puede ejecutarse."))
    english = re.findall(r"\b(the|installed|not|folders?|missing|problems?|here|free|cores)\b", text, re.IGNORECASE)
    assert english == []


def test_a_cache_that_cannot_be_written_stops_the_lesson(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    folder = doctor_probes.look_at_folder(blocked / "cache", size=True)
    assert not folder["exists"]
    monkeypatch.setattr(doctor_probes, "_can_write", lambda folder: False)  # a root user may write anywhere
    folder = doctor_probes.look_at_folder(tmp_path / "cache", size=True)
    (problem,) = doctor.list_problems(make_report(cache_folder=folder))
    assert problem["stops"]
    assert "TLHELPERS_CACHE" in problem["mend"]


def test_data_are_found_only_when_complete(tmp_path):
    pack, downloads = tmp_path / "pack", tmp_path / "downloads"
    for path in (pack / "oxford_iiit_pet/images.tar.gz", pack / "cats_vs_dogs/kagglecatsanddogs_subset.zip"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    folders = [tmp_path / "absent", pack, downloads]
    assert doctor_probes.find_data(folders) == {"cats_vs_dogs": str(pack), "oxford_iiit_pet": None}
    (downloads / "oxford_iiit_pet").mkdir(parents=True)
    (downloads / "oxford_iiit_pet" / "annotations.tar.gz").write_bytes(b"x")
    assert doctor_probes.find_data(folders)["oxford_iiit_pet"] == str(pack)


def test_weights_of_pack_and_cache_are_listed(tmp_path):
    hub = "pack/huggingface/hub/models--timm--c/blobs/1"
    for name in ("pack/weights/b.safetensors", "downloads/keras/models/a.h5", "downloads/keras/models/.a.h5", hub):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    found = doctor_probes.find_weights([tmp_path / "pack", tmp_path / "downloads", tmp_path / "absent"])
    assert found == ["a.h5", "b.safetensors", "models--timm--c"]


def test_a_kernel_of_another_environment_is_a_problem(tmp_path, monkeypatch):
    pytest.importorskip("ipykernel", reason="needs the extra lab")
    assert doctor_probes.find_kernel()["problem"] is None
    spec = tmp_path / "kernels" / "python3"
    spec.mkdir(parents=True)
    command = [str(tmp_path / "other" / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "Other", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    assert "another environment" in doctor_probes.find_kernel()["problem"]


def test_the_text_names_every_problem_and_its_mend():
    report = make_report(embedded_weights=[], nvidia_gpus=["GPU 0: H200"])
    report["problems"] = doctor.list_problems(report)
    report["lesson_can_run"] = False
    text = doctor.as_text(report)
    assert len(report["problems"]) >= 3
    for problem in report["problems"]:
        assert problem["what"] in text
        assert problem["mend"] in text
    assert text.endswith("The default lesson cannot run.")


def test_another_tlhelpers_on_the_path_is_told_by_the_doctor_the_first_cell_and_the_runner(tmp_path):
    installed = paths.Path(paths.__file__).parent
    if paths.shadow_warning() or not list(importlib.metadata.distributions(name="tlhelpers")):
        pytest.skip("tlhelpers is not installed here")
    shutil.copytree(
        installed, tmp_path / "old ñ" / "tlhelpers", ignore=shutil.ignore_patterns("__pycache__", "quizzes")
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "old ñ"), "TLHELPERS_CACHE": str(tmp_path / "cache")}
    environment.pop("TLHELPERS_DATA", None)
    first_cell = "from tlhelpers.data.network_weights import use_pack_caches; use_pack_caches()"
    doctor_lists = "from tlhelpers import doctor; print(doctor.as_text(doctor.examine()))"
    for code in (first_cell, doctor_lists):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
        )
        said = done.stdout + done.stderr
        assert f"imported from {tmp_path / 'old ñ' / 'tlhelpers'}, and the installed one is {installed}" in said
    pytest.importorskip("tlcourse", reason="authors' package")
    (tmp_path / "old ñ" / "tlhelpers" / "cli.py").write_text("")  # as in an older one, with another command line
    done = subprocess.run(
        [sys.executable, "-m", "tlcourse", "--help"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert f"tlhelpers comes from {tmp_path / 'old ñ'}" in done.stderr
    assert "Traceback" not in done.stderr


def mends_of(python, folder, **environment):
    """What `doctor` of the tlhelpers in a folder tells a Python to do."""
    done = subprocess.run(
        [str(python), "-c", START, "doctor", "--json"], cwd=folder, capture_output=True, text=True, timeout=300,
        env=os.environ | {"PYTHONPATH": str(folder), "TLHELPERS_LANGUAGE": "en"} | environment,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    return [problem["mend"] for problem in json.loads(done.stdout)["problems"]]


@pytest.fixture
def bare(tmp_path):
    """A Python without pip and without any package."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    return next(path for path in (tmp_path / "bare").rglob("python*") if path.name in ("python", "python.exe"))


@pytest.fixture
def unpacked(tmp_path):
    """The package as a wheel lays it down: no clone around it, and its metadata beside it."""
    if not list(importlib.metadata.distributions(name="tlhelpers")):
        pytest.skip("tlhelpers is not installed here")
    folder, package = tmp_path / "site", paths.Path(paths.__file__).parent
    shutil.copytree(package, folder / "tlhelpers", ignore=shutil.ignore_patterns("__pycache__", "quizzes"))
    (folder / "tlhelpers-0.1.0.dist-info").mkdir()
    text = importlib.metadata.metadata("tlhelpers").as_string()
    (folder / "tlhelpers-0.1.0.dist-info" / "METADATA").write_text(text, encoding="utf-8")
    return folder


def test_without_pip_the_mends_are_uvs(bare):
    mends = mends_of(bare, paths.Path(paths.__file__).parents[1])
    assert len(mends) >= 3
    assert not [mend for mend in mends if "-m pip" in mend]
    assert any(mend.startswith(f'uv pip install --python "{bare.parent}') for mend in mends)


def test_no_index_is_asked_for_tlhelpers_itself(bare, unpacked):
    mends = mends_of(bare, unpacked)
    assert any('"torch>=' in mend and '"numpy"' in mend for mend in mends)
    assert not [mend for mend in mends if "tlhelpers" in mend]
    shutil.rmtree(unpacked / "tlhelpers-0.1.0.dist-info")
    assert not [mend for mend in mends_of(bare, unpacked) if "tlhelpers" in mend]


def test_what_another_platform_needs_is_not_missing_here(unpacked, monkeypatch):
    metadata = unpacked / "tlhelpers-0.1.0.dist-info" / "METADATA"
    lines = "Requires-Dist: numpy\nRequires-Dist: nowhere-at-all; sys_platform == 'plan9'\n"
    metadata.write_text(f"Metadata-Version: 2.1\nName: tlhelpers\nVersion: 0.1.0\n{lines}", encoding="utf-8")
    monkeypatch.syspath_prepend(str(unpacked))
    assert list(doctor_probes.list_packages()["base"]) == ["numpy"]
