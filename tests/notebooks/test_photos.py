"""The Cats vs Dogs lesson on real photos with a real backbone, cut down to what a test has time for."""

import os
from pathlib import Path

import pytest

from tlcourse.records import collect, collect_results
from tlcourse.runner import run, to_html

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"LABELS": 15, "FEW_LABELS": 10, "ROUNDS": 3, "PATIENCE": 1}


@pytest.mark.timeout(1500)  # a true network at 224 pixels, also from scratch: minutes on two cores
@pytest.mark.parametrize(("framework", "language"), [("pytorch", "en"), ("tensorflow", "es")])
def test_lesson_on_real_photos(framework, language, tmp_path):
    if not os.environ.get("TLHELPERS_DATA"):
        pytest.skip("needs the photos and weights in TLHELPERS_DATA")
    notebook = ROOT / "notebooks" / language / f"01_cats_vs_dogs_{framework}.ipynb"
    done = run(
        notebook,
        tmp_path / notebook.name,
        parameters=SMALL,
        params_file=ROOT / "notebooks" / "params" / "photos.yaml",
        progress=False,
    )
    claims = {claim.name: claim for claim in collect([done.output], asserted=False)}
    assert claims["frozen_does_not_move"].passed
    assert claims["saved_equals_loaded"].passed
    results = [result.fields for result in collect_results([done.output])]
    assert {(result["data"], result["backbone"]) for result in results} == {("cats_vs_dogs", "efficientnet_lite0")}
    accuracy = {(result["method"], result["labels_a_class"]): result["accuracy"] for result in results}
    assert accuracy["frozen", 15] >= 0.9  # cut short after three rounds; the bound of the course is for whole training
    assert accuracy["frozen", 15] > accuracy["scratch", 15] + 0.1
    page = to_html(done.output, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<img" in page
