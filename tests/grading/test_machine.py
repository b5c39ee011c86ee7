"""The grader's own machine: what lies in the working folder, in a home, in /tmp, and what people type."""

import contextlib
import csv
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from tests.grading.test_batch import hand_in, read_csv, run_grade
from tests.grading.tiny_lab import SOLVED_PREDICTIONS, make_notebook, write_lab
from tlgrade import box as boxes
from tlgrade import cgroups, commands, gradebooks, launch, mounts, syscalls
from tlgrade.gradebooks import Person, identify
from tlgrade.mounts import BoxError
from tlgrade.run_submission import sweep
from tlgrade.settings import BoxSettings
from tlhelpers.errors import TlhelpersError

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("multiprocessing", "subprocess", "pickle", "socket", "signal", "threading", "weakref", "json", "tlgrade")


@pytest.fixture
def folders(tmp_path):
    write_lab(tmp_path / "out" / "lab")
    (tmp_path / "submissions").mkdir()
    return tmp_path / "submissions", tmp_path / "out"


COMMANDS = {"the command": [f"{sys.prefix}/bin/tlgrade"], "the module": [sys.executable, "-m", "tlgrade"]}


@pytest.mark.parametrize("start", COMMANDS)
def test_nothing_is_imported_from_the_folder_of_submissions(box, folders, start):
    submissions, out = folders
    touched = submissions.parent / "touched"
    # Of all modules Python itself looks for the package in the working folder, before any of our code runs.
    for name in MODULES if start == "the command" else MODULES[:-1]:
        hand_in(submissions, name, make_notebook(SOLVED_PREDICTIONS))
        (submissions / name / "__init__.py").write_text(f"open({str(touched)!r}, 'a').write(__name__)")
    words = [".", "--out", str(out), "--lab", str(out / "lab/definition.yaml"), "--workers", "2", "--no-progress"]
    done = subprocess.run([*COMMANDS[start], *words], cwd=submissions, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not touched.exists()
    assert {row["points"] for row in read_csv(out / "grades.csv")} == {"4"}


def test_a_learner_with_the_name_of_any_module_is_imported_by_nobody(box, folders):
    submissions, out = folders
    touched = submissions.parent / "touched"
    names = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    for name in {
        *names,
        "numpy",
        "yaml",
        "zmq",
        "nbformat",
        "nbclient",
        "jupyter_client",
        "tqdm",
        "tlhelpers",
        "IPython",
    }:
        hand_in(submissions, name, make_notebook(SOLVED_PREDICTIONS))
        (submissions / name / "__init__.py").write_text(f"open({str(touched)!r}, 'a').write(__name__)")
    words = [".", "--out", str(out), "--lab", str(out / "lab/definition.yaml"), "--workers", "2", "--no-progress"]
    command = [f"{sys.prefix}/bin/tlgrade", *words]
    done = subprocess.run(command, cwd=submissions, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not touched.exists()


@pytest.mark.parametrize("place", ["results/grades", "out", "."])
def test_results_among_the_submissions_are_refused(folders, place):
    # There a learner's folder of that name could hold a lab with labels of its own.
    submissions, out = folders
    hand_in(submissions, "ana", make_notebook(SOLVED_PREDICTIONS))
    shutil.copytree(out / "lab", submissions / "results/grades/lab")
    words = ["--out", str(submissions / place), "--lab", str(out / "lab/definition.yaml"), "--trust-submissions"]
    done = subprocess.run([f"{sys.prefix}/bin/tlgrade", str(submissions), *words], capture_output=True, text=True)
    assert done.returncode == 1
    assert "outside of the submissions" in done.stderr
    assert not (submissions / place / "grades.csv").exists()


def test_while_a_class_is_graded_nothing_listens_for_others(folders, box):
    submissions, out = folders
    for learner in ("ana", "bo"):
        hand_in(submissions, learner, make_notebook(SOLVED_PREDICTIONS, f"import time; time.sleep(3)  # {learner}"))
    words = ["--out", str(out), "--lab", str(out / "lab/definition.yaml"), "--workers", "2", "--no-progress"]
    command = [f"{sys.prefix}/bin/tlgrade", str(submissions), *words]
    listening, most = set(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            ours = psutil.Process(process.pid)
            with contextlib.suppress(psutil.Error):
                family = [ours, *ours.children(recursive=True)]
                most = max(most, len(family))
                for member in family:
                    found = member.net_connections("inet")
                    listening |= {(member.name(), one.laddr) for one in found if one.status == psutil.CONN_LISTEN}
            time.sleep(0.1)
    assert process.returncode == 0
    assert most > 3  # it was really looked at while boxes were there
    assert listening == set()


def test_public_photos_are_for_practice_and_the_command_says_so(folders, capsys, monkeypatch):
    submissions, out = folders
    hand_in(submissions, "ana", make_notebook(SOLVED_PREDICTIONS))
    monkeypatch.setattr(commands, "PUBLIC_LABELS", ("drawn_pets_breeds",))  # the tiny lab's, in the place of photos
    assert run_grade(submissions, out, "--trust-submissions") == 0
    assert "for practice, not for grades" in capsys.readouterr().err


def test_a_labs_definition_never_comes_from_the_submissions(folders):
    submissions, out = folders
    (submissions / "lab").mkdir()
    shutil.copy(out / "lab/definition.yaml", submissions / "lab/pets.yaml")
    with pytest.raises(TlhelpersError, match="lies among the submissions"):
        run_grade(submissions, out, "--lab", str(submissions / "lab/pets.yaml"), "--trust-submissions")


@pytest.fixture
def links(monkeypatch):
    """Lets the interpreter be another, and forgets what was found out about it."""

    def forget():
        mounts._interpreter.cache_clear()
        mounts._links.cache_clear()

    forget()
    yield lambda path: (forget(), monkeypatch.setattr(sys, "executable", str(path)))
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize("place", ["bin", ".local/bin"])
def test_an_interpreter_that_is_a_link_in_a_home_does_not_show_the_home(box, tmp_path, monkeypatch, links, place):
    home = tmp_path / "home"
    (home / place).mkdir(parents=True)
    (home / "secret.txt").write_text("a secret")
    (home / place / "python3").symlink_to(sys.executable)
    monkeypatch.setenv("HOME", str(home))
    links(home / place / "python3")
    shown = [source for source, _ in mounts.readable_places(BoxSettings())]
    assert not any(Path(home).is_relative_to(source) or Path(source).is_relative_to(home) for source in shown)
    code = f"import os; print(os.path.exists({str(home / 'secret.txt')!r}), os.path.exists({str(home / place)!r}))"
    process = boxes.start(BoxSettings(), [str(home / place / "python3"), "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.communicate(timeout=60)[0] == "False True\n"


def test_an_interpreter_that_is_a_link_beside_the_environment_is_found(box, tmp_path, monkeypatch, links):
    """As in a home that has both `bin/python3`, a link, and the course's folder."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "course").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    links(tmp_path / "bin" / "python3")
    needed = mounts._interpreter()
    monkeypatch.setattr(mounts, "_interpreter", lambda: (*needed, str(tmp_path / "course")))
    code = [str(tmp_path / "bin" / "python3"), "-c", "print('found')"]
    process = boxes.start(BoxSettings(), code, stdout=subprocess.PIPE, text=True)
    assert process.communicate(timeout=60)[0] == "found\n"


@pytest.mark.parametrize(("prefix", "home"), [("everything", "everything/home"), ("home/.local", "home")])
def test_a_folder_that_holds_the_home_or_what_is_private_in_it_is_never_mounted(
    tmp_path, monkeypatch, links, prefix, home
):
    library = tmp_path / prefix / f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    library.mkdir(parents=True)
    (tmp_path / home / ".local/share").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / home))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / prefix))
    links(sys.executable)
    with pytest.raises(BoxError, match=r"in which .*(home|share) lies"):
        mounts.mount_options(BoxSettings())


@pytest.mark.parametrize("name", ["submissions", "out"])
def test_a_folder_that_holds_submissions_or_results_is_never_mounted(tmp_path, name):
    weights = tmp_path / "data" / "weights"
    (weights / name).mkdir(parents=True)
    with pytest.raises(BoxError, match=rf"in which .*{name} lies"):
        mounts.mount_options(BoxSettings(weights=str(weights), secret=(str(weights / name),)))


def test_of_a_font_cache_only_its_lists_are_shown_and_no_neighbour(tmp_path, monkeypatch):
    (tmp_path / "fontlist-v390.json").write_text("{}")
    (tmp_path / "fontlist-link.json").symlink_to("/etc/passwd")
    (tmp_path / "tmux-1000").mkdir()
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    shown = dict(mounts.readable_places(BoxSettings()))
    assert str(tmp_path / "fontlist-v390.json") in shown
    assert str(tmp_path) not in shown
    assert not any("link" in source or "tmux" in source for source in shown)


def test_a_socket_among_the_weights_is_refused(tmp_path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "agent"))
        with pytest.raises(BoxError, match="socket"):
            mounts.mount_options(BoxSettings(weights=str(tmp_path)))


def test_a_program_is_never_found_in_the_working_folder(tmp_path, monkeypatch):
    for name in ("bwrap", "prlimit"):
        (tmp_path / name).write_text("#!/bin/sh\ntouch touched\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f".:{os.environ['PATH']}")
    assert not Path(mounts.find_program("prlimit")).is_relative_to(tmp_path)


@pytest.mark.parametrize(
    "name", ["tlhelpers-99999999999999999999-x", "tlhelpers-²-x", "tlhelpers-run--x", "tlhelpers-x"]
)
def test_a_strangers_folder_in_tmp_stops_nothing(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sweep()
    assert (tmp_path / name).is_dir()


def test_a_box_has_a_filter_and_an_empty_keyring(box):
    settings = BoxSettings()
    code = "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('Seccomp:')])"
    process = boxes.start(settings, [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.communicate(timeout=60)[0] == "['2']\n"
    assert syscalls.filter_program("a machine nobody knows") is None
    for machine in syscalls.REFUSED:
        assert len(syscalls.filter_program(machine)) % 8 == 0


def test_page_tables_count_as_memory():
    code = (
        "import mmap\narea = mmap.mmap(-1, 8 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "for place in range(0, 8 << 30, 1 << 21): area[place]\ninput()"
    )
    process = subprocess.Popen([sys.executable, "-c", f"print(flush=True)\n{code}"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)  # fmt: skip
    try:
        process.stdout.readline()
        tables = f"/proc/{process.pid}/status"
        for _ in range(200):
            if launch._kibibytes(tables, "VmPTE:") > 12 << 20:
                break
            time.sleep(0.05)
        assert launch.used_memory(process.pid) > 12 << 20
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("words", [["--wall", "nan"], ["--wall", "inf"], ["--wall", "-1"], ["--processes", "8"],
                                   ["--workers", "-1"], ["--workers", "0"], ["--memory", "0"]])  # fmt: skip
def test_limits_that_make_no_sense_are_refused_before_anything_runs(folders, words):
    submissions, out = folders
    hand_in(submissions, "ana", make_notebook())
    with pytest.raises(TlhelpersError, match=words[0]):
        run_grade(submissions, out, "--trust-submissions", *words)


def test_results_can_be_read_by_their_owner_only(folders):
    submissions, out = folders
    hand_in(submissions, "ana", make_notebook(SOLVED_PREDICTIONS))
    assert run_grade(submissions, out, "--trust-submissions") == 0
    written = [path for path in out.rglob("*") if not path.is_relative_to(out / "lab")]
    assert {"grades.csv", "class.html", "feedback"} <= {path.name for path in written}
    assert [path for path in [out, *written] if path.stat().st_mode & 0o077] == []


def test_a_file_that_is_left_out_is_told_and_the_command_ends_with_one(folders, capsys):
    submissions, out = folders
    hand_in(submissions, "ana", make_notebook(SOLVED_PREDICTIONS))
    (submissions / "bo.zip").write_bytes(b"PK")
    hand_in(submissions, "cy", make_notebook())
    (submissions / "cy.ipynb").write_bytes(make_notebook(SOLVED_PREDICTIONS))
    assert run_grade(submissions, out, "--trust-submissions") == 1
    told = capsys.readouterr().err
    assert "left out: bo.zip" in told
    assert "cy handed in twice" in told
    assert [row["file"] for row in read_csv(out / "left_out.csv")] == ["bo.zip"]
    rows = {row["learner"]: row["points"] for row in read_csv(out / "grades.csv")}
    assert rows == {"ana": "4", "cy": ""}


@pytest.mark.parametrize(
    ("learner", "person"),
    [
        ("García López Ana_1234567_assignsubmission_file", Person("García López Ana", participant="1234567")),
        ("Bo Li_7_assignsubmission_file_", Person("Bo Li", participant="7")),
        ("garciaana_LATE_12345_67890_pets_lab_pytorch", Person("garciaana", canvas_id="12345")),
        ("garciaana_12345_67890_pets_lab-1", Person("garciaana", canvas_id="12345")),
        ("ana", Person("ana", id_number="ana", login="ana")),
        ("ana_garcia", Person("ana_garcia", id_number="ana_garcia", login="ana_garcia")),
    ],
)
def test_moodles_and_canvass_names_are_read(learner, person):
    assert identify(learner, {}) == person


def test_a_roster_says_who_is_who(folders):
    submissions, out = folders
    hand_in(submissions, "team 3", make_notebook(SOLVED_PREDICTIONS))
    roster = submissions.parent / "roster.csv"
    roster.write_text("\ufeffsubmission,name,id_number,canvas_id,login\nteam 3,Ana García,s-17,555,ana@x\n")
    assert run_grade(submissions, out, "--trust-submissions", "--roster", str(roster)) == 0
    (moodle,) = read_csv(out / "moodle.csv")
    assert (moodle["Full name"], moodle["ID number"], moodle["Grade"]) == ("Ana García", "s-17", "4")
    with open(out / "canvas.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[2][:4] == ["Ana García", "555", "", "ana@x"]
    roster.write_text("who,grade\n1,2\n")
    with pytest.raises(TlhelpersError, match="expected columns among"):
        gradebooks.read_roster(roster)


def test_a_group_gets_a_share_of_the_processors_where_there_are_groups():
    group = cgroups.make_group(BoxSettings().limits)
    if not group.limited:
        pytest.skip("this process may make no control groups (root outside of a service may)")
    try:
        shares = [folder for folder in group._folders if (folder / "cpu.shares").exists() or
                  (folder / "cpu.weight").exists()]  # fmt: skip
        assert shares or not (cgroups.MOUNT / "cpu").is_dir()
    finally:
        group.remove()
