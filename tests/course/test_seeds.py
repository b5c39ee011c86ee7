"""`tlcourse claims --seeds`: a tiny lesson run over seeds in real kernels, stopped, called again, changed."""

import subprocess
import sys

import pytest

from tlcourse import builder
from tlcourse.cli import main

SOURCE = """\
# %% [markdown] lang="en"
# # A tiny lesson

# %% [markdown] lang="es"
# # Una lección mínima

# %% tags=["parameters"]
SEED = 0
LABELS = 10

# %%
from pathlib import Path

if SEED == 2 and not Path("third.txt").exists():
    raise RuntimeError("the third seed needs a file")
accuracy = 80 + 10 * (SEED == 0)

# %%
claim("accurate", accuracy)

# %%
claim("labels", LABELS)
"""
SENTENCES = """\
claims:
  accurate: {en: It is right., es: Acierta., at_least: 85, unit: "%"}
  labels: {en: Ten labels will do., es: Bastan diez etiquetas., at_most: 10}
"""


@pytest.fixture
def course(tmp_path):
    (tmp_path / "notebooks" / "params").mkdir(parents=True)
    (tmp_path / "notebooks" / "params" / "sample.yaml").write_text("LABELS: 10\n", encoding="utf-8")
    write(tmp_path, SOURCE, SENTENCES)
    return tmp_path


def write(course, source, sentences):
    path = course / "notebooks" / "src" / "01_tiny.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(source, encoding="utf-8")
    path.with_suffix(".yaml").write_text(sentences, encoding="utf-8")
    builder.build(path, course / "notebooks")


def over_seeds(course, seeds, *more, code=0):
    """Runs the command; what it printed, and the rows of its table without blanks."""
    command = [sys.executable, "-m", "tlcourse", "claims", "--seeds", str(seeds), "--framework", "pytorch", *more]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr, rows(done.stdout)


def rows(text):
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return table[2:]


@pytest.mark.parametrize("seeds", ["0", "-2", "2.5", "two"])
def test_no_seeds_are_no_run_in_which_all_claims_hold(seeds, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["claims", "--seeds", seeds, "01"])
    assert stopped.value.code == 2
    assert f"--seeds: expected a whole number from 1 on, came '{seeds}'" in capsys.readouterr().err


def test_a_claim_that_fails_stops_nothing_and_the_page_shows_every_seed(course):
    page = course / "docs" / "claims_over_seeds.md"
    printed, table = over_seeds(course, 2, code=1)
    assert table == [
        ["It is right.", "90, 80 %", "7.1", "≥ 85 %", "0.0", "**1 of 2**"],
        ["Ten labels will do.", "10, 10", "0", "≤ 10", "–", "2 of 2"],
    ]
    assert "01_tiny, PyTorch, seed 1, accurate: 80 %, expected ≥ 85 %" in printed
    assert "\n## 01_tiny, PyTorch\n\nSeeds 0, 1; parameters of the sample;" in page.read_text(encoding="utf-8")
    assert rows(page.read_text(encoding="utf-8")) == table

    # A bound that is set anew is held against the runs that are there. Other lessons' sections stay.
    write(course, SOURCE, SENTENCES.replace("85", "75"))
    page.write_text(page.read_text(encoding="utf-8") + "\n## 02_other, PyTorch\n\nOther numbers.\n", encoding="utf-8")
    printed, table = over_seeds(course, 2)
    assert printed.count("(kept)") == 2
    assert table[0] == ["It is right.", "90, 80 %", "7.1", "≥ 75 %", "1.4", "2 of 2"]
    text = page.read_text(encoding="utf-8")
    assert rows(text) == table
    assert text.endswith("\n\n## 02_other, PyTorch\n\nOther numbers.\n")

    # Other parameters are other runs, and none of the page's.
    printed, table = over_seeds(course, 1, "-p", "LABELS", "20", code=1)
    assert table[1] == ["Ten labels will do.", "20", "–", "≤ 10", "–", "**0 of 1**"]
    assert page.read_text(encoding="utf-8") == text


def test_a_run_that_breaks_off_is_made_again_and_no_other(course):
    write(course, SOURCE, SENTENCES.replace("85", "75"))
    printed, table = over_seeds(course, 3, "01", code=1)
    assert "seed 2: did not come to its end" in printed
    assert "RuntimeError: the third seed needs a file" in printed
    assert [row[-1] for row in table] == ["2 of 2", "2 of 2"]
    (course / "notebooks" / "en" / "third.txt").touch()
    printed, table = over_seeds(course, 3, "01")
    assert printed.count("(kept)") == 2
    assert table[0][1] == "90, 80, 80 %"

    write(course, SOURCE.replace("80 + 10", "82 + 10"), SENTENCES)  # other code: nothing of before counts
    printed, table = over_seeds(course, 1)
    assert "(kept)" not in printed
    assert table[0][1] == "92 %"


def test_what_the_command_cannot_do_is_said_before_anything_runs(course):
    printed, _ = over_seeds(course, 1, "-p", "LABLES", "20", code=1)
    assert "Did you mean 'LABELS'?" in printed
    command = [sys.executable, "-m", "tlcourse", "claims"]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, timeout=60)
    assert "Expected executed notebooks, or --seeds N and lessons" in done.stderr
    assert not (course / "results").exists()
