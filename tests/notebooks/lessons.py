"""Each lesson from top to bottom with the small parameters of `params/ci.yaml`, and the first one on real photos.

`test_pytorch.py` and `test_tensorflow.py` run it, so that each framework has a process, and each language is read once.
Whether the claims hold is seen in the committed outputs, which `scripts/lint.py` checks: here they are only shown.
"""

import os
from pathlib import Path

import pytest
from PIL import Image

from tlcourse.notebook_files import read_notebook
from tlcourse.records import collect, collect_results
from tlcourse.runner import run, to_html
from tlhelpers.drawn_pets import BREEDS, draw_pets

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LANGUAGES = {"pytorch": "en", "tensorflow": "es"}
# Claims that hold at any size: small parameters are no excuse.
ALWAYS = {"defects_found", "frozen_does_not_move", "saved_equals_loaded", "held_means_held", "export_answers_alike"}
ALWAYS_IN_THE_FIRST = {"script_agrees"}  # whose script has enough labels with the small parameters, too
PHOTOS = {"LABELS": 15, "FEW_LABELS": 10, "ROUNDS": 1}  # a true network on a processor takes a second a step
LESSONS = sorted(path.stem for path in (NOTEBOOKS / "src").glob("*.py"))
TAKE_A_FOLDER = [lesson for lesson in LESSONS if lesson < "07"]
SMALL = [  # classes, photos of each
    pytest.param(lesson, *size, marks=[] if lesson.startswith("00") and size == (3, 8) else pytest.mark.slow)
    for lesson in TAKE_A_FOLDER
    for size in ((3, 8), (2, 12), (12, 8))
]


def run_lesson(lesson, framework, params, folder, monkeypatch, **parameters):
    """Runs a lesson; the committed notebook, and its executed copy."""
    monkeypatch.setenv("TLHELPERS_CLAIMS", "show")
    notebook = NOTEBOOKS / LANGUAGES[framework] / f"{lesson}_{framework}.ipynb"
    params_file = NOTEBOOKS / "params" / params
    return notebook, run(notebook, folder / notebook.name, parameters, params_file, progress=False).output


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_runs_to_its_end_and_measures_what_it_claims(lesson, framework, tmp_path, monkeypatch):
    notebook, done = run_lesson(lesson, framework, "ci.yaml", tmp_path, monkeypatch)
    claims, claimed = (collect([path], asserted=False) for path in (done, notebook))
    assert [claim.name for claim in claims] == [claim.name for claim in claimed]
    always = ALWAYS | (ALWAYS_IN_THE_FIRST if lesson.startswith("01") else set())
    assert [claim.name for claim in claims if claim.name in always and not claim.passed] == []


@pytest.mark.parametrize(("lesson", "classes", "photos"), SMALL)
def test_a_lesson_runs_to_its_end_on_a_small_folder(lesson, classes, photos, framework, tmp_path, monkeypatch):
    monkeypatch.delenv("TLHELPERS_CLAIMS", raising=False)
    pets = draw_pets(len(BREEDS) * photos, seed=5, size=96)
    for i, (image, breed) in enumerate(zip(pets.images, pets.breeds, strict=True)):
        if breed < classes:
            place = tmp_path / "mis fotos" / f"año {breed} de María"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{i}.jpg")
    notebook = NOTEBOOKS / LANGUAGES[framework] / f"{lesson}_{framework}.ipynb"
    parameters = {"DATASET": str(tmp_path / "mis fotos")}
    small = NOTEBOOKS / "params" / "ci.yaml"
    done = run(notebook, tmp_path / "done" / notebook.name, parameters, small, progress=False).output
    claims = collect([done], asserted=False)
    known = [claim.name for claim in collect([notebook], asserted=False)]
    assert [name for name in known if name in {claim.name for claim in claims}] == [claim.name for claim in claims]
    assert not any(claim.asserted for claim in claims)
    first = "".join(str(cell["outputs"]) for cell in read_notebook(done)["cells"][:6] if cell["cell_type"] == "code")
    assert {"en": "Your photos: ", "es": "Sus fotos: "}[LANGUAGES[framework]] + str(classes * photos) in first


@pytest.mark.timeout(1500)
def test_the_first_lesson_on_real_photos(framework, tmp_path, monkeypatch):
    if not os.environ.get("TLHELPERS_DATA"):
        pytest.skip("needs the photos in TLHELPERS_DATA")
    _, done = run_lesson("01_cats_vs_dogs", framework, "photos.yaml", tmp_path, monkeypatch, **PHOTOS)
    claims = {claim.name: claim for claim in collect([done], asserted=False)}
    assert claims["frozen_does_not_move"].passed
    assert claims["saved_equals_loaded"].passed
    results = [result.fields for result in collect_results([done])]
    assert {(result["data"], result["backbone"]) for result in results} == {("cats_vs_dogs", "efficientnet_lite0")}
    accuracy = {(result["method"], result["labels_a_class"]): result["accuracy"] for result in results}
    assert accuracy["frozen", 15] >= 0.9  # cut short after one round; the bound of the course is for whole training
    assert accuracy["frozen", 15] > accuracy["scratch", 15] + 0.1
    page = to_html(done, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<img" in page
