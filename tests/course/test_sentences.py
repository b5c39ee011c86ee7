"""Words and claims in a YAML file beside the lesson: what the notebook gets of them, and what is refused."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest

from tlcourse import builder, outputs, runner, toolbox_text
from tlcourse.errors import LessonError
from tlcourse.lessons import read_lesson
from tlcourse.notebook_files import read_notebook, text_of, write_notebook
from tlcourse.records import collect

GOLDEN = Path(__file__).parent / "golden"
PARAMETERS = '# %% tags=["parameters"]\nSEED = 0\nSIZE = 64\n\n'
WORDS = "words:\n  frozen: {en: frozen, es: congelada}\n"
CLAIMS = "claims:\n  ahead:\n    en: It is ahead.\n    es: Va delante.\n    at_least: 10\n"
USED = '# %%\nprint(words["frozen"])\nclaim("ahead", 12)\n'


@pytest.fixture(autouse=True)
def toolbox(monkeypatch):
    """The small toolbox of the golden lessons."""
    monkeypatch.setattr(toolbox_text, "PACKAGES", GOLDEN / "toolbox")


@pytest.fixture
def small(tmp_path):
    """The two golden lessons in a course of their own; the path of the second's source."""
    (tmp_path / "src").mkdir()
    for name in ("01_tiny.py", "02_small.py", "02_small.yaml"):
        shutil.copy(GOLDEN / name, tmp_path / "src")
    return tmp_path / "src/02_small.py"


def write(folder: Path, source: str, table: str) -> Path:
    (folder / "src").mkdir(exist_ok=True)
    path = folder / "src/02_other.py"
    path.write_text(source, encoding="utf-8")
    path.with_suffix(".yaml").write_text(table, encoding="utf-8")
    return path


def change(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_the_notebooks_of_a_lesson_with_a_table_are_the_golden_ones_byte_for_byte(small, tmp_path):
    for path in builder.build(small, tmp_path):
        assert path.read_bytes() == (GOLDEN / path.relative_to(tmp_path)).read_bytes()
        nbformat.validate(nbformat.read(path, as_version=4))
    assert builder.check([small], tmp_path, whole=False) == []


@pytest.fixture(scope="module")
def run_once(tmp_path_factory):
    """The second golden lesson in Spanish for PyTorch, run with its own parameters and another seed."""
    folder = tmp_path_factory.mktemp("run")
    runner.run(GOLDEN / "es/02_small_pytorch.ipynb", folder / "copy.ipynb", {"SEED": 3}, progress=False)
    return folder / "copy.ipynb"


@pytest.fixture
def executed(small, tmp_path, run_once):
    """The Spanish notebook for PyTorch with the outputs of its run."""
    path = builder.build(small, tmp_path)[2]
    outputs.adopt_run(path, run_once)
    return path


def printed(path: Path) -> list[str]:
    """What each code cell left, as text."""
    kept = [cell["outputs"] for cell in outputs.lesson_cells(read_notebook(path))]
    return [
        "".join(text for o in cell for text in o.get("text", o.get("data", {}).get("text/plain", ""))) for cell in kept
    ]


def test_words_claims_and_shown_functions_work_in_a_run_and_solutions_are_kept_without_outputs(executed, small):
    *_, words, claim, solution, names = printed(executed)
    assert words == "«última» 1 pytorch es\n"
    assert claim == "✔ La última pérdida es un cuarto de la primera. (se cumple: medido 25 %, esperado ≤ 25 %)"
    assert (solution, names) == ("", "primera\n«última»\n")
    assert outputs.check_outputs(read_lesson(small), executed) == []


def test_claims_are_asserted_with_the_lessons_own_parameters_only(small, tmp_path, monkeypatch):
    path = builder.build(small, tmp_path)[1]
    for parameters, asserted in (({"SEED": 7}, True), ({"STARTS": [8.0]}, False)):
        copy = tmp_path / "copy.ipynb"
        runner.run(path, copy, parameters, progress=False)
        assert [claim.asserted for claim in collect([copy], asserted=False)] == [asserted]
    assert "was shown with other parameters" in outputs.check_outputs(read_lesson(small), copy)[-1]
    monkeypatch.setenv("TLHELPERS_CLAIMS", "show")
    runner.run(path, copy, progress=False)
    assert [claim.asserted for claim in collect([copy], asserted=False)] == [False]


def test_another_sentence_and_bound_keep_all_outputs_and_are_said_anew(executed, small, tmp_path):
    before = printed(executed)
    change(
        small.with_suffix(".yaml"), "es: La última pérdida es\n      un cuarto de la primera.", "es: Baja a un cuarto."
    )
    change(small.with_suffix(".yaml"), "at_most: 25", "at_most: 30")
    faults = outputs.check_outputs(read_lesson(small), executed)
    assert faults == ["claim falls: its sentence, bound or unit is not that of 02_small.yaml"]
    builder.build(small, tmp_path)
    after = printed(executed)
    assert after[-3] == "✔ Baja a un cuarto. (se cumple: medido 25 %, esperado ≤ 30 %)"
    assert after[:-3] + after[-2:] == before[:-3] + before[-2:]
    assert outputs.check_outputs(read_lesson(small), executed) == []
    change(small.with_suffix(".yaml"), "at_most: 30", "at_most: 20")  # the number stays, and meets the bound no more
    builder.build(small, tmp_path)
    assert outputs.check_outputs(read_lesson(small), executed) == ["claim falls: does not hold, 25 % against ≤ 20 %"]


def test_comments_of_parameters_are_in_the_notebooks_language_and_drop_no_output(executed, small, tmp_path):
    def parameters(number):
        return text_of(outputs.lesson_cells(read_notebook(builder.build(small, tmp_path)[number]))[0])

    assert "IMAGE_SIZE = 64  # pixels" in parameters(0)
    assert "IMAGE_SIZE = 64  # píxeles" in parameters(2)
    before = printed(executed)
    change(small.with_suffix(".yaml"), "píxeles", "píxeles de lado")
    assert "IMAGE_SIZE = 64  # píxeles de lado" in parameters(2)
    assert printed(executed) == before


@pytest.mark.parametrize(
    ("source", "spanish"),
    [
        ("SIZE = 64  # pixels", "{}"),
        ("SIZE = 64", "{SIZE: píxeles}"),
        ('SIZE = "a"  # or "b"', "{SIZE: o bien}"),
        ('SIZE = "a"  # or "b"', "{SIZE: 'o \"c\"'}"),
    ],
)
def test_a_parameter_without_its_comment_in_spanish_or_with_other_choices_is_refused(tmp_path, source, spanish):
    path = write(tmp_path, PARAMETERS.replace("SIZE = 64", source), f"parameters: {spanish}\n")
    with pytest.raises(LessonError, match="parameters: SIZE: expected in Spanish what the source says"):
        builder.build(path, tmp_path)


def test_another_word_drops_the_outputs_from_the_first_cell_that_names_it(executed, small, tmp_path):
    change(small.with_suffix(".yaml"), "es: primera", "es: inicial")
    builder.build(small, tmp_path)
    assert printed(executed)[-4].startswith("«última»")
    assert [cell["execution_count"] for cell in outputs.lesson_cells(read_notebook(executed))] == [*range(1, 10), None]
    (fault,) = outputs.check_outputs(read_lesson(small), executed)
    assert fault.startswith("code cell 10 ('for name in")
    assert fault.endswith("this code and what follows it was not run")


def test_outputs_that_are_not_of_one_whole_run_are_reported(executed, small):
    notebook = read_notebook(executed)
    cells = outputs.lesson_cells(notebook)
    cells[3]["execution_count"], cells[4]["execution_count"] = 5, 4
    cells[1]["outputs"] = [{"output_type": "error", "ename": "E", "evalue": "", "traceback": []}]
    cells[8]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["42\n"]}]
    write_notebook(executed, notebook)
    first, second = outputs.check_outputs(read_lesson(small), executed)
    assert first.endswith("ended with an error")
    assert second.endswith("was run before the cell above it")
    cells[3]["execution_count"], cells[4]["execution_count"] = 4, 5
    write_notebook(executed, notebook)
    assert outputs.check_outputs(read_lesson(small), executed)[-1].endswith("expected a solution without outputs")


def test_a_failed_claim_in_the_outputs_is_reported(executed, small):
    text = executed.read_text(encoding="utf-8")
    executed.write_text(text.replace('"value": 25.0', '"value": 26.0'), encoding="utf-8")
    assert outputs.check_outputs(read_lesson(small), executed) == ["claim falls: does not hold, 26 % against ≤ 25 %"]


@pytest.mark.parametrize(
    ("source", "table", "says"),
    [
        (
            USED.replace('"ahead"', '"behind"'),
            WORDS + CLAIMS,
            "expected one of the claims of 02_other.yaml, came 'behind'",
        ),
        (
            USED.replace('["frozen"]', '["frosen"]'),
            WORDS + CLAIMS,
            "expected one of the words of 02_other.yaml, came 'fr",
        ),
        (USED.replace('claim("ahead", 12)', ""), WORDS + CLAIMS, "expected claims that 02_other.py uses, came 'ahead'"),
        (USED.replace('words["frozen"]', "1"), WORDS + CLAIMS, "expected words that 02_other.py uses, came 'frozen'"),
        (USED.replace("12", "12, at_least=3"), WORDS + CLAIMS, 'expected claim("name", value), came'),
        (USED.replace('"ahead", 12', 'f"ahead{1}", 12'), WORDS + CLAIMS, 'expected claim("name", value), came'),
        (USED, WORDS.replace(", es: congelada", "") + CLAIMS, "words: frozen: expected es:, came none"),
        (USED, WORDS.replace("es: congelada", "es: no") + CLAIMS, "words: frozen: expected a text for es, came False"),
        (USED, WORDS.replace("es: congelada", "es: ' '") + CLAIMS, "words: frozen: expected a text for es"),
        (USED, WORDS.replace("es:", "fr: x, es:") + CLAIMS, "words: frozen: expected only en, es, came 'fr'"),
        (USED, WORDS + CLAIMS.replace("at_least", "atleast"), "claims: ahead: expected only en, es, at_least"),
        (USED, WORDS + CLAIMS.replace("    at_least: 10\n", ""), "claims: ahead: expected at_least: or at_most:"),
        (USED, WORDS + CLAIMS.replace("10", "'10'"), "claims: ahead: expected a number for at_least, came '10'"),
        (USED, WORDS + CLAIMS + "    at_most: 9\n", "claims: ahead: expected at_least: not above at_most:"),
        (USED, WORDS + CLAIMS.replace("10", "yes"), "claims: ahead: expected a number for at_least, came True"),
        (USED, WORDS + CLAIMS + "    unit: {en: points}\n", "claims: ahead: unit: expected es:, came none"),
        (
            USED,
            WORDS + CLAIMS + "sentences:\n",
            "expected only question, words, claims, photos, parameters, came 'sentences'",
        ),
        (USED, WORDS + WORDS.partition("\n")[2] + CLAIMS, "the key 'frozen' occurs twice"),
        (USED, "question: x\n" + WORDS + CLAIMS, "question: expected en, es below, came 'x'"),
        (USED, "- 1\n", "expected question, words, claims, photos, parameters below"),
        (
            USED,
            WORDS + CLAIMS + "photos: {image_size: SIZE}\n",
            "photos: expected labels: and values that are parameters",
        ),
        (USED, WORDS + CLAIMS + "photos: {labels: [SIZES]}\n", "beside DATASET, came ['SIZES']"),
        (USED, WORDS + CLAIMS + "  - 3\n", "expected a YAML file"),
    ],
)
def test_a_table_that_does_not_fit_the_source_is_refused(tmp_path, source, table, says):
    path = write(tmp_path, PARAMETERS + source, table)
    with pytest.raises(LessonError) as caught:
        builder.build(path, tmp_path / "out")
    assert says in str(caught.value)
    assert "02_other." in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_lesson_with_a_table_has_no_parameter_of_language(tmp_path):
    path = write(tmp_path, PARAMETERS.replace("SEED", 'LANGUAGE = "en"\nSEED') + USED, WORDS + CLAIMS)
    with pytest.raises(LessonError, match=r"line 1: expected no LANGUAGE in the parameters"):
        builder.build(path, tmp_path)


def test_a_unit_may_differ_by_language_and_a_lesson_may_have_one_parameter_or_none(tmp_path):
    table = WORDS + CLAIMS + "    unit: {en: points, es: puntos}\n"
    for parameters, asserted in (("SEED = 0\nSIZE = 64", '(SIZE,) == ("a\\"b",)'), ("SEED = 0", "() == ()")):
        source = PARAMETERS.replace("SEED = 0\nSIZE = 64", parameters).replace("64", "'a\"b'") + USED
        built = builder.build(write(tmp_path, source, table), tmp_path)
        english, spanish = (text_of(outputs.lesson_cells(read_notebook(path))[1]) for path in (built[0], built[2]))
        assert f"asserted={asserted}," in english
        assert ('"unit": "points"' in english, '"unit": "puntos"' in spanish) == (True, True)


def test_a_lesson_that_takes_photos_fits_its_labels_to_them_before_anything_else(tmp_path):
    source = PARAMETERS.replace("SIZE = 64", 'SIZE = 64\nDATASET = "drawn_pets"\nMANY = 20\nFEW = 5') + USED
    table = WORDS + CLAIMS + "photos: {labels: [MANY, FEW], image_size: SIZE, test_fraction: 0.4}\n"
    for path in builder.build(write(tmp_path, source, table), tmp_path):
        setup = text_of(outputs.lesson_cells(read_notebook(path))[1])
        assert "\n[MANY, FEW] = labels_for(DATASET, [MANY, FEW], image_size=SIZE, test_fraction=0.4)" in setup


def test_the_next_lesson_and_the_map_carry_titles_questions_and_links(small, tmp_path):
    first = builder.build(small.parent / "01_tiny.py", tmp_path)[3]
    last = json.loads(first.read_text(encoding="utf-8"))["cells"][-1]
    assert last["source"] == [
        "**Siguiente:** [02 Una lección pequeña en TensorFlow](02_small_tensorflow.ipynb)",
    ]
    shutil.copy(small, small.parent / "03_more.py")
    shutil.copy(small.with_suffix(".yaml"), small.parent / "03_more.yaml")
    change(small.parent / "03_more.yaml", "question:\n  en: How small can a lesson be?\n", "")
    change(small.parent / "03_more.yaml", "  es: ¿Cuánto puede encoger una lección?\n", "")
    text = text_of(read_notebook(builder.build(small, tmp_path)[2])["cells"][0])
    assert "| [01 Una lección mínima en PyTorch](01_tiny_pytorch.ipynb) " in text
    assert "| Enseña lo que usa. " in text  # lesson 03 has no question: its opening, as far as whole sentences go
    assert "encoger" not in text  # the lesson that holds the map is not in it
    (tmp_path / "src/00_map.py").write_text(small.read_text(encoding="utf-8"), encoding="utf-8")
    shutil.copy(small.with_suffix(".yaml"), small.parent / "00_map.yaml")
    assert "¿Cuánto puede encoger una lección?" in text_of(
        read_notebook(builder.build(small.parent / "00_map.py", tmp_path)[2])["cells"][0]
    )


def test_a_lesson_that_is_being_written_stops_only_its_own_build(small, tmp_path):
    (small.parent / "03_draft.py").write_text("# %%\nthis is no code\n", encoding="utf-8")
    last = read_notebook(builder.build(small, tmp_path)[0])["cells"][-1]
    assert text_of(last) == "**Next:** [03 03_draft](03_draft_pytorch.ipynb)"
