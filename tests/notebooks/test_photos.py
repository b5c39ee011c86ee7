"""The Cats vs Dogs lesson on real photos with a real backbone, cut down to what a test has time for."""

import os
from pathlib import Path

import pytest

from tlcourse.records import collect, collect_results
from tlcourse.runner import run, to_html

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"LABELS_A_CLASS": 20, "SEEDS": 1, "SCRATCH_SEEDS": 1, "SCRATCH_EPOCHS": 2, "FINE_TUNE_EPOCHS": 1}


@pytest.mark.timeout(1500)  # a MobileNet at 224 pixels, also from scratch: minutes on two cores
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
    claims = collect([done.output])
    assert claims
    assert all(claim.passed for claim in claims)
    accuracy = {result.fields["method"]: result.fields for result in collect_results([done.output])}
    assert accuracy["frozen"]["data"] == "cats_vs_dogs"
    assert accuracy["frozen"]["backbone"] == "mobilenet"
    assert accuracy["frozen"]["accuracy"] >= 0.9  # twenty labels a class; the bound of the course is for all of them
    assert accuracy["frozen"]["accuracy"] > accuracy["scratch"]["accuracy"]
    page = to_html(done.output, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<img" in page
