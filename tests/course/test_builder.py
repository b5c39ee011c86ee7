"""The builder: four notebooks from one source, the same bytes each time, and a refusal that says what to do."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from tlcourse import builder, outputs, runner
from tlcourse.errors import LessonError

GOLDEN = Path(__file__).parent / "golden"
PARAMETERS = '# %% tags=["parameters"]\nLANGUAGE = "en"\nSEED = 0\n\n'
PAIR = '# %% [markdown] lang="en"\n# Cat\n\n# %% [markdown] lang="es"\n# Gato\n\n'


@pytest.fixture
def lesson(tmp_path):
    (tmp_path / "src").mkdir()
    return Path(shutil.copy(GOLDEN / "01_tiny.py", tmp_path / "src"))


def write(folder: Path, text: str, name: str = "02_other.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def code_cells(path: Path) -> list[dict]:
    return outputs.lesson_cells(read(path))


def test_the_four_notebooks_are_the_golden_ones_byte_for_byte(lesson, tmp_path):
    built = builder.build(lesson, tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in built] == [
        f"{language}/01_tiny_{framework}.ipynb" for language in ("en", "es") for framework in ("pytorch", "tensorflow")
    ]
    for path in built:
        assert path.read_bytes() == (GOLDEN / path.relative_to(tmp_path)).read_bytes()
        nbformat.validate(nbformat.read(path, as_version=4))


def test_building_again_changes_no_byte(lesson, tmp_path):
    before = {path: path.read_bytes() for path in builder.build(lesson, tmp_path)}
    assert {path: path.read_bytes() for path in builder.build(lesson, tmp_path)} == before
    assert builder.check([lesson], tmp_path) == []


def test_ids_of_other_cells_stay_when_a_cell_is_put_in(lesson, tmp_path):
    path = builder.build(lesson, tmp_path)[0]
    before = [cell["id"] for cell in read(path)["cells"]]
    assert len(set(before)) == len(before)  # also where a cell is repeated
    lesson.write_text(lesson.read_text(encoding="utf-8").replace('# %% tags=["NB', '# %%\nnew = 1\n\n# %% tags=["NB'))
    builder.build(lesson, tmp_path)
    after = [cell["id"] for cell in read(path)["cells"]]
    assert len(after) == len(before) + 1
    assert [cell_id for cell_id in after if cell_id in before] == before


@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        (PARAMETERS + '# %% [markdown] lang="en"\n# Cat\n', 5, 'its partner with lang="es"'),
        (PARAMETERS + PAIR.replace('lang="es"', 'lang="en"'), 5, 'its partner with lang="es"'),
        (PARAMETERS + '# %% framework="tensorflow"\nx = 1\n\n# %%\ny = 1\n', 5, 'its partner with framework="pytorch"'),
        (
            PARAMETERS + PAIR.replace('lang="e', 'framework="pytorch" lang="e'),
            5,
            'lang="en" framework="tensorflow" and lang="es" framework="tensorflow"',
        ),
        (PARAMETERS + PAIR.replace('"es"', '"se"'), 8, "came 'se'. Did you mean 'es'?"),
        (PARAMETERS + '# %% framework="pytorhc"\nx = 1\n', 5, "Did you mean 'pytorch'?"),
        (PARAMETERS + '# %% framwork="pytorch"\nx = 1\n', 5, "came 'framwork'. Did you mean 'framework'?"),
        (PARAMETERS + "# %% framework=pytorch\nx = 1\n", 5, "Put quotation marks"),
        (PARAMETERS + "# %% [markdown]\n# Cat\n", 5, 'expected lang="en" or lang="es"'),
        (PARAMETERS + '# %% lang="en"\nx = 1\n', 5, "expected code shared by the languages"),
        (PARAMETERS + "# %% [raw]\n# x\n", 5, "came [raw]"),
        (PARAMETERS + "# %%\nx = 1\ny = = 2\n", 7, "came 'y = = 2'"),
        (PARAMETERS + PARAMETERS, 5, "came: 1, 5. Keep one"),
        (PAIR, 1, "came: none. Keep one"),
        (PARAMETERS + "import os\n", 5, "expected only NAME = constant"),
        (PARAMETERS.replace("0", "1 + x"), 3, "came 'SEED = 1 + x'"),
        (PARAMETERS.replace("LANGUAGE", "LANG"), 1, 'expected LANGUAGE = "en"'),
        (
            "".join(PARAMETERS.replace("%% ", f'%% framework="{name}" ') for name in ("pytorch", "tensorflow")),
            5,
            "exactly one shared code cell",
        ),
        ("x = 1\n\n" + PARAMETERS, 3, "Put nothing before the first"),
        (PARAMETERS + '# %%\nx = """\n# %% no\n"""\n', 1, "begin no line inside a string"),
    ],
)
def test_a_bad_source_is_refused_with_file_and_line_and_nothing_is_written(tmp_path, source, line, says):
    path = write(tmp_path, source)
    with pytest.raises(LessonError) as caught:
        builder.build(path, tmp_path / "out")
    message = str(caught.value)
    assert message.startswith(f"{path}, line {line}: expected")
    assert says in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["cats.py", "1_cats.py", "01_Cats.py", "01-cats.py", "01_cats.txt"])
def test_a_file_name_that_is_no_lesson_is_refused(tmp_path, name):
    with pytest.raises(LessonError, match=r"expected a file name NN_topic\.py"):
        builder.build(write(tmp_path, PARAMETERS, name), tmp_path)


def test_a_subject_may_have_two_lessons_with_letters(tmp_path):
    for name in ("02a_layers.py", "02b_maps.py"):
        path = write(tmp_path, PARAMETERS, name)
        assert {built.name.rsplit("_", 1)[0] for built in builder.build(path, tmp_path)} == {path.stem}


def test_magics_commands_and_markdown_as_a_string_are_accepted(tmp_path):
    code = "# %%\n# %time x = 1\nif x:\n    # !ls\nfiles = [1]\n\n# %%\n# %%bash\n# ls | wc -l\n"
    path = write(
        tmp_path,
        PARAMETERS + code + '\n# %% [markdown] lang="es"\n"""\nGato\n"""\n\n' + PAIR[: PAIR.index("\n\n")] + "\n",
    )
    cells = read(builder.build(path, tmp_path)[2])["cells"]
    assert ["".join(cell["source"]) for cell in cells[2:]] == [
        "%time x = 1\nif x:\n    !ls\nfiles = [1]",
        "%%bash\nls | wc -l",
        "Gato",
    ]


def give_outputs(path: Path, text: str = "old") -> None:
    notebook = read(path)
    for count, cell in enumerate(code_cells(path), 1):
        target = next(other for other in notebook["cells"] if other["id"] == cell["id"])
        target["outputs"] = [{"output_type": "stream", "name": "stdout", "text": [f"{text}\n"]}]
        target["execution_count"] = count
    path.write_text(json.dumps(notebook), encoding="utf-8")


def test_outputs_stay_up_to_the_first_code_cell_that_changed(lesson, tmp_path):
    path = builder.build(lesson, tmp_path)[0]
    give_outputs(path)
    lesson.write_text(lesson.read_text(encoding="utf-8").replace("accuracy = 0.90625", "accuracy = 0.5"))
    builder.build(lesson, tmp_path)
    assert [bool(cell["outputs"]) for cell in code_cells(path)] == [True, True, True, False, False, False, False, False]
    assert [cell["execution_count"] for cell in code_cells(path)] == [1, 2, 3, None, None, None, None, None]


def test_outputs_stay_when_only_prose_changed_and_go_when_asked(lesson, tmp_path):
    path = builder.build(lesson, tmp_path)[0]
    give_outputs(path)
    lesson.write_text(lesson.read_text(encoding="utf-8").replace("A module in", "A nice module in"))
    builder.build(lesson, tmp_path)
    assert all(cell["outputs"] for cell in code_cells(path))
    builder.build(lesson, tmp_path, keep_outputs=False)
    assert not any(cell["outputs"] for cell in code_cells(path))


def test_the_code_of_a_solution_starts_folded(tmp_path):
    source = write(tmp_path, PARAMETERS + '# %%\nanswer = None\n\n# %% tags=["solution"]\nanswer = 42\n')
    *others, solution = code_cells(builder.build(source, tmp_path)[0])
    assert solution["metadata"] == {"jupyter": {"outputs_hidden": True, "source_hidden": True}, "tags": ["solution"]}
    assert not any("jupyter" in cell["metadata"] for cell in others)


def test_check_tells_each_difference_and_ignores_outputs(lesson, tmp_path):
    first, second, third, fourth = builder.build(lesson, tmp_path)
    give_outputs(first)
    assert builder.check([lesson], tmp_path) == []
    second.unlink()
    third.write_text(third.read_text(encoding="utf-8").replace("SEED = 0", "SEED = 1"), encoding="utf-8")
    notebook = read(fourth)
    notebook["metadata"]["widgets"] = {}
    fourth.write_text(json.dumps(notebook), encoding="utf-8")
    stray = Path(shutil.copy(first, tmp_path / "en" / "09_gone_pytorch.ipynb"))
    differences = builder.check([lesson], tmp_path)
    assert [line.split(": ", 1)[0] for line in differences] == list(map(str, (second, third, fourth, stray)))
    assert "is not there" in differences[0]
    assert "cell 4 ('LANGUAGE = " in differences[1]
    assert differences[1].endswith("source differ")
    assert differences[2].endswith("metadata 'widgets' differ")
    assert differences[3].endswith("no source gives this notebook")


def test_a_notebook_with_a_merge_conflict_is_named(lesson, tmp_path):
    path = builder.build(lesson, tmp_path)[0]
    path.write_text("<<<<<<< HEAD\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(LessonError, match=r"01_tiny_pytorch\.ipynb: expected a notebook"):
        builder.build(lesson, tmp_path)


def test_a_run_leaves_its_outputs_in_the_notebook_and_nothing_else(lesson, tmp_path):
    path = builder.build(lesson, tmp_path)[2]
    executed = tmp_path / "results" / "copy.ipynb"
    runner.run(path, executed, {"IMAGE_SIZE": 64, "SEED": 0}, progress=False)
    outputs.adopt_run(path, executed)
    assert builder.check([lesson], tmp_path) == []
    cells = code_cells(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, 9))
    assert cells[4]["outputs"][0]["text"] == ["pytorch in es, seed 0, 64 px\n"]
    assert cells[7]["outputs"][0]["execution_count"] == 8
    assert "papermill" not in path.read_text(encoding="utf-8")
    before = path.read_bytes()
    builder.build(lesson, tmp_path)
    assert path.read_bytes() == before


def test_what_changes_from_run_to_run_is_left_out_of_outputs():
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "ab"}, "text/plain": "0%|"}
    raw = [
        {"output_type": "stream", "name": "stderr", "text": "10%\r50%\r100%\nready\n"},
        {"output_type": "stream", "name": "stderr", "text": "50%\r"},
        {"output_type": "display_data", "data": widget, "metadata": {}},
        {"output_type": "display_data", "data": widget | {"image/png": "aaaa"}, "metadata": {}},
        {"output_type": "execute_result", "data": {"text/plain": "<Axes at 0x7f01ab>"}, "metadata": {}},
    ]
    cleaned = outputs.clean_outputs(raw)
    assert [output["output_type"] for output in cleaned] == ["stream", "display_data", "execute_result"]
    assert cleaned[0]["text"] == ["100%\n", "ready\n"]
    assert cleaned[1]["data"] == {"image/png": "aaaa"}
    assert cleaned[2]["data"]["text/plain"] == ["<Axes>"]
