"""What holds the project together: pins, workflows, READMEs, size of files, how fast the package is imported."""

import importlib.util
import json
import re
import shutil
import statistics
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import yaml

import tlhelpers
from tlcourse.ledger import write_results
from tlcourse.records import Result
from tlhelpers.cli import COMMANDS

requirements = pytest.importorskip("packaging.requirements", reason="packaging reads requirement lines")
utils = pytest.importorskip("packaging.utils", reason="packaging reads requirement lines")
ROOT = Path(__file__).resolve().parents[2]
EXTRAS = {"tlhelpers": ("pytorch", "tensorflow", "lab"), "tlcourse": ("dev", "site"), "tlgrade": ("cluster",)}
READMES = ("README.md", "README.es.md")
USING = ("docs/using.md", "docs/uso.md")
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PLATFORMS = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64"))
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def read_project(package: str = "tlhelpers") -> str:
    folder = ROOT if package == "tlhelpers" else ROOT / package
    return (folder / "pyproject.toml").read_text(encoding="utf-8")


def read_dependencies(package: str) -> dict[str, list]:
    """The requirements of a package by extra; `base` is always needed. (Python 3.10 has no tomllib.)"""
    blocks = re.findall(r"^(\w+) = \[\n(.*?)^\]", read_project(package), re.MULTILINE | re.DOTALL)
    found = {
        "base" if name == "dependencies" else name: [
            requirements.Requirement(line) for line in re.findall(r'^    "([^"]+)"', block, re.MULTILINE)
        ]
        for name, block in blocks
        if name in ("dependencies", *EXTRAS[package])
    }
    assert set(found) == {"base", *EXTRAS[package]}
    return found


def list_needed() -> list:
    """All requirements of the three packages, without the packages themselves."""
    extras = chain.from_iterable(read_dependencies(package).values() for package in EXTRAS)
    return [needed for needed in chain.from_iterable(extras) if needed.name not in EXTRAS]


def read_pins() -> list:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [requirements.Requirement(line) for line in lines if line and not line.lstrip().startswith("#")]


def make_environment(python: str, system: str, machine: str) -> dict[str, str]:
    return {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": system,
        "platform_machine": machine,
        "os_name": "nt" if system == "win32" else "posix",
        "implementation_name": "cpython",
        "extra": "",
    }


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize(("system", "machine"), PLATFORMS)
def test_every_dependency_has_one_pin_that_satisfies_it(python, system, machine):
    here = make_environment(python, system, machine)
    pins = {}
    for pin in read_pins():
        if pin.marker is None or pin.marker.evaluate(here):
            assert pin.name not in pins, f"two pins of {pin.name} for Python {python} on {system}"
            (pins[pin.name],) = [spec.version for spec in pin.specifier if spec.operator == "=="]
    for needed in list_needed():
        if needed.marker is None or needed.marker.evaluate(here):
            pin = pins[utils.canonicalize_name(needed.name)]
            assert needed.specifier.contains(pin), f"{needed} against the pin {pin}"
    assert pins["torchvision"] == "0.29.2"
    assert pins.get("tensorflow") == (None if python == "3.14" else "2.21.0")
    assert pins["torch"] == ("2.14.1" if python == "3.10" else "2.15.0")


def test_requirements_name_no_index_and_no_path():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^-|/\w+/", text, re.MULTILINE)


def test_requirements_are_what_the_lock_gives_and_it_names_the_public_index_alone(tmp_path):
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    what = ["--all-packages", "--all-extras", "--no-hashes", "--no-emit-workspace", "--no-header"]
    command = [uv, "export", "--frozen", "--offline", "--quiet", *what]
    exported = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == exported.splitlines()
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    assert set(re.findall(r'registry = "([^"]*)"', lock)) == {"https://pypi.org/simple"}
    assert set(re.findall(r'url = "(https?://[^/]*)', lock)) == {"https://files.pythonhosted.org"}


@pytest.mark.parametrize(
    ("file", "framework"), [("environment.yml", "pytorch"), ("environment-tensorflow.yml", "tensorflow")]
)
def test_conda_environments_install_the_course_with_one_framework(file, framework):
    python, pip, section = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["dependencies"]
    assert pip == "pip"
    assert python.removeprefix("python=") in PYTHONS
    assert section["pip"] == ["-c requirements.txt", f"-e .[{framework},lab]", "-e ./tlcourse"]


def test_binder_gets_processors_alone_and_the_pins():
    lines = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert lines[1:] == [
        "--extra-index-url https://download.pytorch.org/whl/cpu",
        "-c ../requirements.txt",
        "-e .[pytorch,lab]",
    ]
    assert (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-") in PYTHONS


@pytest.mark.parametrize("package", EXTRAS)
def test_every_dependency_says_what_it_is_for(package):
    names = {needed.name for part in read_dependencies(package).values() for needed in part} - set(EXTRAS)
    lines = read_project(package).splitlines()
    for name in names - {"torch", "torchvision", "pytest", "ruff", "ipykernel", "jupyterlab"}:
        places = [i for i, line in enumerate(lines) if line.startswith(f'    "{name}')]
        assert all("#" in lines[i] or "#" in lines[i - 1] for i in places), name


def test_versions_agree():
    for package in EXTRAS:
        assert f'version = "{tlhelpers.__version__}"' in read_project(package)
    assert f"\nversion: {tlhelpers.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {tlhelpers.__version__} (" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_workflows_follow_their_schema():
    pytest.importorskip("check_jsonschema", reason="needs the extra dev")
    files = sorted(map(str, (ROOT / ".github" / "workflows").glob("*.yml")))
    assert len(files) >= 3
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("job", "frameworks"), [("neutral", []), ("pytorch", ["pytorch"]), ("tensorflow", ["tensorflow"])]
)
def test_a_ci_job_installs_only_its_framework(job, frameworks):
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    steps = [step.get("run", "") for step in jobs[job]["steps"]]
    (install,) = [step for step in steps if "scripts/setup.py" in step]
    assert re.findall("pytorch|tensorflow", install) == frameworks
    assert any(f"scripts/test.py {job}" in step for step in steps)


def test_workflows_run_each_part_of_the_suite_and_only_parts_that_there_are():
    spec = importlib.util.spec_from_file_location("suite", ROOT / "scripts" / "test.py")
    suite = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(suite)
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    text = text.replace("${{ matrix.framework }}", "pytorch").replace(
        "notebooks/test_pytorch.py", " ".join(suite.PARTS[:2])
    )
    named = set(
        chain.from_iterable(
            re.findall(r"[\w/.]+", line) for line in re.findall(r"run: .*scripts/test.py ([^-\n]+)", text)
        )
    )
    assert named == set(suite.PARTS)


def test_a_part_of_the_suite_can_be_named():
    program = [sys.executable, "scripts/test.py", "neutral", "--collect-only", "-q", "-k", "percent"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tests/neutral" in done.stdout
    assert "tests/course" not in done.stdout


def test_actions_are_pinned_by_commit():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        for used in re.findall(r"uses: (.+)", path.read_text(encoding="utf-8")):
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", used), f"{path.name}: {used}"


def test_importing_the_package_is_quick_and_loads_no_framework():
    program = (
        "import sys, time; start = time.perf_counter(); import tlhelpers; seconds = time.perf_counter() - start; "
        "assert not {'torch', 'tensorflow', 'keras'} & set(sys.modules); print(seconds)"
    )
    run = [sys.executable, "-c", program]
    seconds = [float(subprocess.run(run, capture_output=True, text=True, check=True).stdout) for _ in range(9)]
    assert statistics.median(seconds) <= 0.15


def test_neutral_modules_load_no_framework():
    folder = ROOT / "tlhelpers"
    files = [
        file for file in folder.rglob("*.py") if not {"pytorch", "tensorflow"} & set(file.relative_to(folder).parts)
    ]
    names = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in files}
    names = sorted(name for name in names if not name.endswith("__main__"))
    program = (
        f"import importlib, sys\nfor name in {names}:\n    importlib.import_module(name)\n"
        "print(sorted({'torch', 'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    program = "import sys; from tlhelpers.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", program, name, "--help"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"tlhelpers {name}" in done.stdout


def test_no_file_is_too_large():
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a clone: there is no list of the files that belong to the project")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    files = [ROOT / name for name in names if name and (ROOT / name).is_file()]
    assert len(files) > 20
    limits = {file: 1e6 if file.suffix == ".ipynb" else 5e6 for file in files}
    assert [file.name for file, limit in limits.items() if file.stat().st_size > limit] == []


@pytest.mark.parametrize("name", [*READMES, *USING])
def test_links_resolve(name):
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / name).read_text(encoding="utf-8"))
    local = [link.split("#")[0] for link in links if "://" not in link]
    assert local
    assert [link for link in local if not ((ROOT / name).parent / link).exists()] == []


@pytest.mark.parametrize("pair", [READMES, USING])
def test_a_page_and_its_translation_have_the_same_structure(pair):
    def outline(name):
        text = (ROOT / name).read_text(encoding="utf-8")
        # What a script fills in has as many rows as there were runs and claims, in either language.
        text = re.sub(r"(?s)<!-- results:start -->.*<!-- results:end -->", "(results)", text)
        prose = FENCE.sub("```", text)
        marks = (re.match(r"#+ |- |\|(?! ---)|```|\(results\)", line) for line in prose.splitlines())
        return [mark.group().strip() for mark in marks if mark]

    english, spanish = map(outline, pair)
    assert english.count("##") >= 4
    assert english == spanish


@pytest.mark.parametrize("name", READMES)
def test_readme_begins_with_demo_and_test_and_names_only_targets_that_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    first = FENCE.search(text).group()
    assert re.findall(r"^make (\w+)", first, re.MULTILINE) == ["demo", "test"]
    targets = set(re.findall(r"^([a-z.]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)(?:[A-Z_]+=\S+ )*make ([a-z]+)", text, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def load_script(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_results_go_into_both_readmes_and_nothing_else_changes(tmp_path):
    fields = {"method": "frozen", "accuracy": 0.934, "low": 0.901, "high": 0.959, "data": "d", "backbone": "b"}
    result = Result("accuracy", fields, lesson="01_cats_vs_dogs", framework="pytorch")
    write_results([result], {("01_cats_vs_dogs", "pytorch"): 61.2}, tmp_path / "run")
    for name in READMES:
        shutil.copy(ROOT / name, tmp_path)
    script = load_script("update_readme")
    command = [str(tmp_path / "run"), "--root", str(tmp_path)]
    assert script.main(command) == 0
    for name in READMES:
        before, after = ((folder / name).read_text(encoding="utf-8") for folder in (ROOT, tmp_path))
        assert "93.4 %" in after
        assert after.split(script.START)[0] == before.split(script.START)[0]
        assert after.split(script.END)[1] == before.split(script.END)[1]
    again = [(tmp_path / name).read_bytes() for name in READMES]
    assert script.main(command) == 0
    assert [(tmp_path / name).read_bytes() for name in READMES] == again


def test_the_page_of_claims_has_each_claim_of_both_frameworks_and_none_that_failed():
    script = load_script("claims_page")
    for language in script.PAGES:
        page = script.make_page(language, ROOT / "notebooks")
        rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
        assert len(rows) >= 40
        for row in rows:  # only a sentence about one framework may have no number of the other
            assert " – " not in row or row.startswith(("| PyTorch:", "| Keras:", "| TensorFlow:")), row
        assert "**no**" not in page
        for lesson in (ROOT / "notebooks/src").glob("*.py"):
            assert f"## {lesson.stem.split('_')[0]} " in page


def test_results_that_are_not_there_leave_the_readmes_alone(tmp_path, capsys):
    for name in READMES:
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "results.json").write_text(json.dumps({"results": []}))
    assert load_script("update_readme").main([str(tmp_path), "--root", str(tmp_path)]) == 1
    assert "make demo" in capsys.readouterr().err
    assert (tmp_path / "README.md").read_bytes() == (ROOT / "README.md").read_bytes()
