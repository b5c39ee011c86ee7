"""The command `tlcourse`, run as a user runs it: in a process of its own, in a small course."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tlcourse import builder
from tlcourse.cli import COMMANDS

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def course(tmp_path):
    """A course of one tiny lesson, with the real parameter files."""
    shutil.copytree(ROOT / "notebooks" / "params", tmp_path / "notebooks" / "params")
    (tmp_path / "notebooks" / "src").mkdir()
    shutil.copy(GOLDEN / "01_tiny.py", tmp_path / "notebooks" / "src")
    return tmp_path


def tlcourse(folder, *args, code=0):
    """Runs the command; what it printed, after a look at its exit code."""
    command = [sys.executable, "-m", "tlcourse", *map(str, args)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    if code:  # an expected error is one message; in a run that succeeds, a dying kernel may still write to our stderr
        assert ("Traceback" in done.stderr) == ("--debug" in args), done.stderr
    return done.stdout if code == 0 else done.stderr


def build(course):
    builder.build(course / "notebooks/src/01_tiny.py", course / "notebooks")


def test_help_is_quick_and_names_every_command(tmp_path):
    start = time.perf_counter()
    text = tlcourse(tmp_path, "--help")
    assert time.perf_counter() - start < 3  # far from the half second it should take; a machine may be busy
    for name in COMMANDS:
        assert f"\n    {name} " in text


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_tells_what_it_takes_without_loading_a_framework(tmp_path, name):
    call = f"from tlcourse.cli import main\ntry: main(['{name}', '--help'])\n"
    code = f"import sys; {call}finally: print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    usage, modules = done.stdout.rsplit("[", 1)
    assert usage.startswith(f"usage: tlcourse {name}")
    assert not {"torch", "tensorflow", "papermill", "matplotlib"} & set(modules.replace("'", "").split(", "))


def test_help_asks_for_nothing_but_the_standard_library(tmp_path):
    code = (
        "import sys; from tlcourse.cli import main\ntry: main(['--help'])\n"
        "except SystemExit: print([m for m in ('yaml', 'numpy', 'nbformat', 'tlcourse.builder') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_build_then_check_then_a_stale_notebook_is_reported_and_mended(course):
    assert "4 notebooks stand in" in tlcourse(course, "build")
    assert (course / "notebooks/es/01_tiny_tensorflow.ipynb").exists()
    source = course / "notebooks/src/01_tiny.py"
    source.write_text(source.read_text(encoding="utf-8").replace("SEED = 0", "SEED = 1"), encoding="utf-8")
    shutil.copy(course / "notebooks/en/01_tiny_pytorch.ipynb", course / "notebooks/en/07_old_pytorch.ipynb")
    report = tlcourse(course, "build", "--check", code=1)
    assert report.count("01_tiny_") == 4
    assert "07_old_pytorch.ipynb: no source gives this notebook" in report
    assert "Mend it with: tlcourse build" in report
    (course / "notebooks/en/07_old_pytorch.ipynb").unlink()
    tlcourse(course, "build")
    assert "are as their sources give them" in tlcourse(course, "build", "--check")


def test_expected_errors_are_one_message_and_debug_shows_more(course):
    assert "tlcourse: Unknown lesson '10'" in tlcourse(course, "build", "10", code=1)
    assert "LessonError" not in tlcourse(course, "run", "01", "--framework", "both", code=1)
    report = tlcourse(course, "build", "tyni", "--debug", code=1)
    assert "UnknownNameError" in report
    outside = tlcourse(course.parent, "claims", course / "none.ipynb", code=1)
    assert "expected an executed notebook" in outside
    tlcourse(course, "biuld", code=2)


def test_run_takes_a_lesson_with_parameters_and_leaves_notebooks_and_html(course):
    build(course)
    report = tlcourse(course, "run", "01", "--framework", "both", "--language", "both", "-p", "SEDE", "3", code=1)
    assert "Did you mean 'SEED'?" in report
    assert not (course / "results").exists()
    (course / "a folder").mkdir()
    tlcourse(
        course, *("run", "1", "--framework", "tensorflow", "--language", "es", "--html"),
        *("-f", "notebooks/params/photos.yaml", "-p", "SEED", "3", "-p", "DATASET", "a folder"),
    )  # fmt: skip
    assert sorted(os.listdir(course / "results")) == ["01_tiny_tensorflow_es.html", "01_tiny_tensorflow_es.ipynb"]
    text = (course / "results/01_tiny_tensorflow_es.ipynb").read_text(encoding="utf-8")
    assert "tensorflow in es, seed 3, 224 px" in text
    assert f'"data": "{course / "a folder"}"' in text


def test_a_run_that_fails_in_one_framework_still_runs_the_other(course):
    source = course / "notebooks/src/01_tiny.py"
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("accuracy = 0.90625", "accuracy = 0.5"), encoding="utf-8")
    build(course)
    report = tlcourse(course, "run", "01", "--framework", "both", code=1)
    assert "01_tiny_pytorch.ipynb failed in its cell" in report
    assert "ClaimError: The frozen network tells cats from dogs.\n  measured 0.5, expected ≥ 0.9" in report
    made = sorted(course.glob("results/*.ipynb"))
    assert [path.name for path in made] == ["01_tiny_pytorch_en.ipynb", "01_tiny_tensorflow_en.ipynb"]

    report = tlcourse(course, "claims", *made, code=1)
    assert "01_tiny (pytorch), accuracy: 0.5, expected ≥ 0.9" in report
    record = json.loads((course / "results/claims.json").read_text(encoding="utf-8"))
    assert [(claim["framework"], claim["passed"]) for claim in record] == [("pytorch", False), ("tensorflow", True)]
    table = (course / "results/claims.md").read_text(encoding="utf-8")
    row = "| 01_tiny | The frozen network tells cats from dogs. | 0.5     | 0.9125     | ≥ 0.9 | **no** |"
    assert row in table.splitlines()


def test_demo_prints_the_table_of_both_frameworks(course):
    build(course)
    printed = tlcourse(course, "demo", "--dataset", "cats_vs_dogs", "--language", "es")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if line.startswith("|")]
    assert rows[0][:4] == ["Biblioteca", "Datos", "Red base", "Etiquetas por clase"]
    assert rows[0][4:] == ["Congelada", "Ajuste fino", "Desde cero", "Segundos"]
    interval = "(85.0–95.0)"
    assert [row[:7] for row in rows[2:]] == [
        ["PyTorch", "cats_vs_dogs", "efficientnet_lite0", "–", f"90.6 % {interval}", "–", f"90.6 % {interval}"],
        ["TensorFlow", "cats_vs_dogs", "efficientnet_lite0", "–", f"91.2 % {interval}", "–", f"91.2 % {interval}"],
    ]
    assert all(int(row[7]) < 120 for row in rows[2:])
    stem = "01_tiny_{}_es.{}"
    expected = [stem.format(name, kind) for name in ("pytorch", "tensorflow") for kind in ("html", "ipynb")]
    assert sorted(os.listdir(course / "results")) == [*expected, "results.json", "results.md"]
    record = json.loads((course / "results/results.json").read_text(encoding="utf-8"))
    assert len(record["results"]) == 4
    assert [run["framework"] for run in record["runs"]] == ["pytorch", "tensorflow"]


def test_build_execute_writes_outputs_that_check_accepts(course):
    tlcourse(course, "build", "--execute", "--language", "en", "--framework", "pytorch")
    tlcourse(course, "build", "--check")
    text = (course / "notebooks/en/01_tiny_pytorch.ipynb").read_text(encoding="utf-8")
    assert "pytorch in en, seed 0, 64 px" in text
    assert '"outputs": []' in (course / "notebooks/en/01_tiny_tensorflow.ipynb").read_text(encoding="utf-8")
    report = tlcourse(course, "build", "--check-outputs", code=1)  # of the three that were not run
    assert report.count("this code and what follows it was not run") == 3
    assert "Mend it with: tlcourse build --execute" in report
    tlcourse(course / "notebooks", "build", "--clear", "1")
    assert "seed 0, 64 px" not in (course / "notebooks/en/01_tiny_pytorch.ipynb").read_text(encoding="utf-8")


def test_folders_and_files_that_are_closed_in_the_way_or_no_notebooks_are_a_line_each(course, ordinary):
    build(course)
    (course / "closed").mkdir(mode=0o555)
    (course / "dark").mkdir(mode=0o000)
    (course / "in the way").write_text("a file")
    executed = sorted((ROOT / "notebooks" / "en").glob("00_*_pytorch.ipynb"))[0]
    lesson = ("run", "01", "--framework", "pytorch")
    for words, says in (
        ((*lesson, "--out", "closed"), "closed (Permission denied). Take another folder"),
        ((*lesson, "--out", "closed/x"), "closed/x: Permission denied. Take a folder"),
        (("demo", "--framework", "pytorch", "--out", "in the way/x"), "in the way/x: Not a directory. Correct"),
        ((*lesson, "-p", "DATASET", "./dark"), "dark may not be read by this account"),
        ((*lesson, "-f", "dark/p.yaml"), "Permission denied: 'dark/p.yaml'"),
        (("run", "dark/x.ipynb"), "dark/x.ipynb: Permission denied"),
        (("claims", executed, "--out", "closed/x"), "closed/x: Permission denied"),
        (("claims", "in the way"), "in the way: expected an executed notebook"),
    ):
        command = [sys.executable, "-m", "tlcourse", *words]
        done = subprocess.run(command, cwd=course, capture_output=True, text=True, preexec_fn=ordinary, timeout=120)
        assert done.returncode == 1, done.stdout
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    assert list((course / "closed").iterdir()) == []
    (course / "dark").chmod(0o755)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_terminal_of_few_characters_gets_others_in_their_place(course, encoding):
    build(course)
    environment = os.environ | {"PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    for words in (("run", "01", "--framework", "pytorch"), ("claims", "results/01_tiny_pytorch_en.ipynb")):
        command = [sys.executable, "-m", "tlcourse", *words]
        done = subprocess.run(command, cwd=course, capture_output=True, env=environment, timeout=120)
        assert done.returncode == 0, done.stderr
    assert "| ? 0.9 |" in done.stdout.decode(encoding)


def test_native_counts_and_changes_nothing(course):
    report = tlcourse(course, "build", "01", "--native")
    assert "| 01_tiny | PyTorch    | 0 " in report
    assert "TensorFlow, train, lacks: .compile(" in report
    assert not (course / "notebooks/en").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_ends_the_kernel_too_and_leaves_nothing_half_written(course):
    source = course / "notebooks/src/01_tiny.py"
    text = source.read_text(encoding="utf-8")
    waiting = '# %%\nimport os, time\nopen("pid", "w").write(str(os.getpid()))\ntime.sleep(100)\n'
    source.write_text(text + "\n" + waiting, encoding="utf-8")
    build(course)
    command = [sys.executable, "-m", "tlcourse", "run", "01", "--framework", "pytorch"]
    running = subprocess.Popen(
        command, cwd=course, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a shell's background jobs ignore
    )  # fmt: skip
    pid = course / "notebooks/en/pid"
    deadline = time.monotonic() + 60
    while not (pid.exists() and pid.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    kernel = int(pid.read_text())
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 130, errors
    assert "Traceback" not in errors
    assert list((course / "results").iterdir()) == []
    deadline = time.monotonic() + 20
    while Path(f"/proc/{kernel}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(kernel, 0)
