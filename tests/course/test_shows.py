"""Cells that show the toolbox's text, and the refusal of what no lesson has shown."""

import ast
from pathlib import Path

import pytest

from tlcourse import builder, toolbox_text
from tlcourse.black_boxes import check_black_boxes
from tlcourse.course_map import read_course
from tlcourse.errors import LessonError
from tlcourse.lab_builder import read_source
from tlcourse.lessons import read_lesson
from tlcourse.notebook_files import read_notebook, text_of
from tlcourse.toolbox_text import read_tool

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
PARAMETERS = '# %% tags=["parameters"]\nLANGUAGE = "en"\nSEED = 0\n\n'
PAIR = '# %% framework="pytorch"{}\n{}\n\n# %% framework="tensorflow"\npass\n'
TRAINING = "tlhelpers.pytorch.training"


@pytest.fixture
def toolbox(monkeypatch):
    """The small toolbox beside this file, instead of the package's own."""
    monkeypatch.setattr(toolbox_text, "PACKAGES", GOLDEN / "toolbox")


def write(folder: Path, body: str, name: str = "02_other.py") -> Path:
    (folder / "src").mkdir(exist_ok=True)
    path = folder / "src" / name
    path.write_text(PARAMETERS + body, encoding="utf-8")
    return path


def refusal(folder: Path, body: str, name: str = "02_other.py") -> str:
    """What the build of a lesson with this code says; nothing may be written."""
    path = write(folder, body, name)
    with pytest.raises(LessonError) as caught:
        builder.build(path, folder / "out")
    assert not (folder / "out").exists()
    return str(caught.value)


@pytest.mark.usefixtures("toolbox")
@pytest.mark.parametrize(
    ("name", "begins", "ends", "lines"),
    [
        (f"{TRAINING}.step", "@functools.cache  # the decorator", "    return loss * RATE", 4),
        (f"{TRAINING}.fit", "# A comment right above belongs to the text.\ndef fit(", "    return losses", 13),
        (f"{TRAINING}.STEPS", "STEPS = 3  # passes over the data", "data", 1),
        (f"{TRAINING}.RATE", "# Of the loss.", "RATE = 0.5", 2),
        ("tlhelpers.pytorch.heads.Head", "class Head:", "        return self.rate * x", 8),
    ],
)
def test_the_text_of_a_tool_is_that_of_its_file(name, begins, ends, lines):
    tool = read_tool(name)
    assert tool.text.startswith(begins)
    assert tool.text.endswith(ends)
    assert len(tool.text.splitlines()) == lines
    assert tool.text in tool.path.read_text(encoding="utf-8")


@pytest.mark.usefixtures("toolbox")
@pytest.mark.parametrize(
    ("name", "own", "needs"),
    [
        ("step", {"training.RATE"}, {"RATE", "functools"}),
        ("fit", {"training.step", "training.STEPS"}, {"step", "STEPS", "math"}),
        ("with_head", {"heads.Head"}, {"Head"}),
        ("through_module", {"heads.Head", "heads.freeze"}, {"Head", "h"}),
        ("late", {"heads.freeze"}, set()),
        ("by_table", {"heads.freeze"}, {"h"}),
    ],
)
def test_what_a_tool_uses_around_it_is_found(name, own, needs):
    tool = read_tool(f"{TRAINING}.{name}")
    assert tool.own == {f"tlhelpers.pytorch.{part}" for part in own}
    assert tool.needs == needs


@pytest.mark.usefixtures("toolbox")
def test_a_cell_has_the_texts_with_blank_lines_as_pep_8_asks_for_and_then_its_own(tmp_path):
    names = ", ".join(f"{TRAINING}.{name}" for name in ("STEPS", "RATE", "step", "fit"))
    body = "# %%\nimport functools\nimport math\n\n" + PAIR.format(f' shows="{names}"', "print(fit(8))")
    built = builder.build(write(tmp_path, body), tmp_path)
    source = text_of(read_notebook(built[0])["cells"][3])
    assert "data\n# Of the loss.\nRATE = 0.5\n\n\n@functools" in source
    assert "return loss * RATE\n\n\n# A comment" in source
    assert source.endswith("    return losses\n\n\nprint(fit(8))")
    with_numbers: dict = {}
    exec("import functools\nimport math\n" + source, with_numbers)  # the text runs as it stands
    assert with_numbers["fit"](8) == [4, 2, 1]
    assert text_of(read_notebook(built[1])["cells"][3]) == "pass"


@pytest.mark.usefixtures("toolbox")
def test_cells_that_show_other_tools_have_other_ids_that_stay(tmp_path):
    cells = "".join(f'# %% shows="tlhelpers.metrics.share"\nx = {i}\n\n' for i in range(2))
    first = [cell["id"] for cell in read_notebook(builder.build(write(tmp_path, cells), tmp_path)[0])["cells"]]
    assert len(set(first)) == 4  # with the first cell and the parameters
    (tmp_path / "src/02_other.py").write_text(PARAMETERS + "# %%\nnew = 1\n\n" + cells, encoding="utf-8")
    again = [cell["id"] for cell in read_notebook(builder.build(tmp_path / "src/02_other.py", tmp_path)[0])["cells"]]
    assert again[:2] == first[:2]
    assert again[3:] == first[2:]


@pytest.mark.usefixtures("toolbox")
@pytest.mark.parametrize(
    ("marks", "says"),
    [
        (f' shows="{TRAINING}.fti"', "came 'fti'. Did you mean 'fit'?"),
        (' shows="tlhelpers.pytorch.trainign.fit"', "Did you mean tlhelpers.pytorch.training?"),
        (' shows="os.path.join"', "expected a module of tlhelpers"),
        (' shows="tlhelpers.tensorflow.training.fit"', 'expected framework="tensorflow"'),
        (' shows=""', 'expected shows="tlhelpers.metrics.NAME"'),
    ],
)
def test_what_cannot_be_shown_is_refused_with_its_line(tmp_path, marks, says):
    message = refusal(tmp_path, PAIR.format(marks, ""))
    assert message.startswith(f"{tmp_path}/src/02_other.py, line 5: expected")
    assert says in message


@pytest.mark.usefixtures("toolbox")
def test_prose_shows_nothing(tmp_path):
    assert "(markdown)" in refusal(tmp_path, '# %% [markdown] lang="en" shows="tlhelpers.metrics.share"\n# x\n')


@pytest.mark.parametrize(
    ("kind", "lines", "folded", "refused"),
    [
        ("def", 45, False, False),
        ("def", 46, False, True),
        ("class", 60, False, False),
        ("class", 61, False, True),
        ("class", 90, True, False),
        ("class", 91, True, True),
        ("def", 90, True, False),
    ],
)
def test_what_is_too_long_to_read_is_refused(tmp_path, monkeypatch, kind, lines, folded, refused):
    package = tmp_path / "tlhelpers"
    package.mkdir()
    head = "def long():" if kind == "def" else "class long:"
    body = "\n".join(["    x = 1"] * (lines - 1))
    (package / "metrics.py").write_text(f"{head}\n{body}\n", encoding="utf-8")
    monkeypatch.setattr(toolbox_text, "PACKAGES", tmp_path)
    tags = ' tags=["folded"]' if folded else ""
    cell = f'# %% shows="tlhelpers.metrics.long"{tags}\n'
    if refused:
        assert f"came {lines} of tlhelpers.metrics.long" in refusal(tmp_path, cell)
    else:
        assert len(builder.build(write(tmp_path, cell), tmp_path)) == 4


@pytest.mark.usefixtures("toolbox")
def test_a_tool_that_uses_what_was_not_shown_is_refused_until_an_earlier_lesson_shows_it(tmp_path):
    body = "# %%\nimport math\n\n" + PAIR.format(f' shows="{TRAINING}.fit"', "")
    message = refusal(tmp_path, body)
    assert f"expected that {TRAINING}.fit uses what was shown, came {TRAINING}.STEPS. No lesson shows it" in message
    assert "imports or defines STEPS, step, which" in message
    shown = PAIR.format(f' shows="{TRAINING}.STEPS {TRAINING}.RATE {TRAINING}.step"', "")
    write(tmp_path, "# %%\nimport functools\n\n" + shown, "01_before.py")
    assert "imports or defines STEPS, step, which" in refusal(tmp_path, body)  # shown, but it is not there yet
    body += PAIR.format("", f"from {TRAINING} import STEPS, step")
    assert len(builder.build(write(tmp_path, body), tmp_path)) == 4


@pytest.mark.usefixtures("toolbox")
def test_an_import_that_a_shown_tool_needs_is_asked_for(tmp_path):
    body = PAIR.format(f' shows="{TRAINING}.STEPS {TRAINING}.RATE {TRAINING}.step"', "")
    message = refusal(tmp_path, body)
    assert "expected a cell that imports or defines functools, which" in message
    assert "came none for PyTorch" in message
    assert len(builder.build(write(tmp_path, PAIR.format("", "import functools") + body), tmp_path)) == 4


@pytest.mark.usefixtures("toolbox")
@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("from tlhelpers.pytorch.training import fit", f"{TRAINING}.fit"),
        ("from tlhelpers.pytorch.training import STEPS, fit as f", f"{TRAINING}.STEPS"),
        ("def g():\n    from tlhelpers.pytorch.training import fit", f"{TRAINING}.fit"),
        ("from tlhelpers.pytorch import training\ntraining.fit(1)", f"{TRAINING}.fit"),
        ("import tlhelpers.pytorch.training as t\nt.fit(1)", f"{TRAINING}.fit"),
        ("from tlhelpers.pytorch import training\ng = [training][0].fit", f"{TRAINING}.fit"),
        ("from tlhelpers import pytorch\npytorch.training.fit(1)", TRAINING),
        ("from tlhelpers.pytorch.training import *", f"{TRAINING}.*"),
    ],
)
def test_a_black_box_is_refused_however_it_is_imported(tmp_path, code, missing):
    message = refusal(tmp_path, PAIR.format("", code))
    assert f"expected imports of what was shown, came {missing}." in message


@pytest.mark.usefixtures("toolbox")
def test_the_refusal_says_which_lesson_could_show_it(tmp_path):
    wanted = PAIR.format("", "from tlhelpers.pytorch.heads import Head")
    shown = PAIR.format(' shows="tlhelpers.pytorch.heads.Head"', "")
    assert 'put a cell # %% framework="pytorch" shows="tlhelpers.pytorch.heads.Head" here' in refusal(tmp_path, wanted)
    write(tmp_path, shown, "03_later.py")
    assert "03_later shows it, later" in refusal(tmp_path, wanted)
    write(tmp_path, shown, "01_before.py")
    assert len(builder.build(write(tmp_path, wanted), tmp_path)) == 4
    assert (
        len(builder.build(write(tmp_path, wanted + shown, "00_both.py"), tmp_path)) == 4
    )  # shown in the lesson itself


@pytest.mark.usefixtures("toolbox")
def test_all_black_boxes_of_a_lesson_are_named_at_once(tmp_path):
    body = PAIR.format("", "from tlhelpers.pytorch.heads import Head") * 2 + PAIR.format(
        "", f"from {TRAINING} import fit"
    )
    assert len(refusal(tmp_path, body).splitlines()) == 3


def test_lessons_and_lab_have_no_black_boxes():
    course = read_course(ROOT / "notebooks/src")
    assert len(course) >= 9
    for lesson in [*(read_lesson(outline.path) for outline in course), read_source(ROOT / "lab/src/pets_lab.py")]:
        check_black_boxes(lesson, course)


def test_every_tool_that_lessons_show_can_be_read_by_itself():
    names = {name for outline in read_course(ROOT / "notebooks/src") for n in outline.shows.values() for name in n}
    for name in names:
        ast.parse(read_tool(name).text)
