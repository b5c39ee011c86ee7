"""Claims: shown, recorded, and refused when the number does not bear them out."""

import json
import math
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlcourse import ledger
from tlcourse.records import Result, collect, collect_results
from tlhelpers.claims import CLAIM_MIME, RESULT_MIME, Claim, lesson_claims, record_result
from tlhelpers.errors import LANGUAGE_VARIABLE, ClaimError, TlhelpersError, UnknownNameError
from tlhelpers.metrics import Estimate

SENTENCES = {"en": "Transfer needs fewer labels.", "es": "La transferencia necesita menos etiquetas."}
finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.fixture(autouse=True, scope="module")
def keep_language():
    """`lesson_claims` sets it for the whole process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LANGUAGE_VARIABLE, "en")
        yield


def claim(name, value, language="en", **said):
    lesson_claims({name: said}, language, asserted=True)(name, value)


@given(value=finite, bound=finite)
def test_a_claim_holds_exactly_when_the_value_is_within_its_bound(value, bound):
    def passes(**bounds):
        try:
            claim("x", value, **SENTENCES, **bounds)
        except ClaimError:
            return False
        return True

    assert passes(at_least=bound) == (value >= bound)
    assert passes(at_most=bound) == (value <= bound)
    assert passes(at_least=bound, at_most=bound) == (value == bound)


@given(finite, finite)
def test_a_failed_claim_never_looks_as_if_it_were_met(value, bound):
    shown = Claim("x", value, "a", "b", at_least=bound)
    if not shown.passed:
        assert shown.measured != shown.bound.removeprefix("≥ ")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_a_number_that_is_not_finite_bears_nothing_out(value):
    with pytest.raises(ClaimError, match="measured"):
        claim("x", value, **SENTENCES, at_least=-1e300, at_most=math.inf)


@pytest.mark.parametrize("value", [np.float32(0.5), np.int64(1), 1, np.float64(0.5)])
def test_numpy_numbers_are_numbers(value, capsys):
    claim("x", value, **SENTENCES, at_least=0.5)
    assert capsys.readouterr().out.startswith("✔ Transfer needs fewer labels. (holds: measured")


@pytest.mark.parametrize("value", ["0.9", None, True, np.array([0.9]), np.bool_(True)])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match="expected a number"):
        claim("x", value, **SENTENCES, at_least=0.5)


def test_an_unknown_language_is_refused():
    with pytest.raises(UnknownNameError, match="Unknown language 'fr'"):
        claim("x", 1.0, "fr", **SENTENCES, at_least=0)


def test_the_error_says_sentence_number_bound_and_meaning_in_the_language(capsys):
    with pytest.raises(ClaimError) as caught:
        claim("x", 89.99996, **SENTENCES, at_least=90, unit="%", language="es")
    message = str(caught.value)
    assert message.startswith(SENTENCES["es"])
    assert "medido 89.99996 %, esperado ≥ 90 %" in message
    assert "la afirmación no se sostiene" in message
    assert capsys.readouterr().out.startswith("✘ La transferencia")  # shown before it is raised


def run_as_notebook(tmp_path, *sources, language="en", framework="pytorch"):
    """Runs cells in a real kernel, as far as they go."""
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(
        metadata={
            "tlhelpers": {"lesson": "01_tiny", "language": language, "framework": framework},
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
        },
        cells=[nbformat.v4.new_code_cell(source) for source in sources],
    )
    NotebookClient(notebook, allow_errors=True, timeout=60).execute()
    path = tmp_path / f"{framework}_{language}.ipynb"
    nbformat.write(notebook, path)
    return path


def test_claims_and_results_are_found_again_in_an_executed_notebook(tmp_path):
    path = run_as_notebook(
        tmp_path,
        "from tlhelpers.claims import lesson_claims, record_result\nfrom tlhelpers.metrics import Estimate\n"
        f"S = {SENTENCES!r}\n"
        "table = {'points': S | {'at_least': 25, 'at_most': 100, 'unit': 'points'}, 'broken': S | {'at_least': 0.9},\n"
        "         'nothing': S | {'at_most': 1}}\n"
        "claim = lesson_claims(table, 'es', asserted=True)",
        "claim('points', Estimate(25.5, 20, 31))",
        "claim('broken', 0.2)",
        "claim('nothing', float('nan'))",
        "record_result('accuracy', method='frozen', accuracy=0.9, low=None, n=3)",
    )
    found = collect([path])
    about = {"lesson": "01_tiny", "language": "en", "framework": "pytorch"}
    assert found[0] == Claim(
        "points", 25.5, **SENTENCES, at_least=25, at_most=100, unit="points", low=20, high=31, **about
    )
    assert [(claim.name, claim.passed) for claim in found] == [("points", True), ("broken", False), ("nothing", False)]
    assert math.isnan(found[2].value)
    fields = {"method": "frozen", "accuracy": 0.9, "low": None, "n": 3}
    assert collect_results([path]) == [Result("accuracy", fields, **about)]

    outputs = [cell.outputs for cell in nbformat.read(path, 4).cells]
    assert "se cumple" in outputs[1][0].data["text/html"]
    assert outputs[1][0].data["text/plain"].startswith("✔ La transferencia")
    assert outputs[1][0].data[CLAIM_MIME]["passed"] is True
    assert outputs[2][1].ename == "ClaimError"
    assert outputs[4][0].data[RESULT_MIME]["name"] == "accuracy"
    assert outputs[4][0].data["text/html"] == ""  # nothing to see


def test_with_other_data_number_and_bound_are_shown_and_nothing_stops(tmp_path):
    path = run_as_notebook(
        tmp_path,
        "from tlhelpers.claims import lesson_claims",
        f"lesson_claims({TABLE!r}, 'es', asserted=False)('points', -2.5)",
    )
    (output,) = nbformat.read(path, 4).cells[1].outputs
    assert output.data["text/plain"].startswith(SENTENCES["es"])
    assert "≥ 25 points" in output.data["text/plain"]
    assert "con estos: -2.5 points" in output.data["text/plain"]
    assert collect([path]) == []  # no table of what holds has it
    assert [(claim.name, claim.value) for claim in collect([path], asserted=False)] == [("points", -2.5)]


TABLE = {"points": SENTENCES | {"at_least": 25, "unit": "points"}}


def test_a_lesson_claims_by_name_what_its_table_says(capsys):
    lesson_claims(TABLE, "es", asserted=True)("points", 30)
    assert capsys.readouterr().out == f"✔ {SENTENCES['es']} (se cumple: medido 30 points, esperado ≥ 25 points)\n"
    with pytest.raises(ClaimError, match="measured 3 points"):
        lesson_claims(TABLE, "en", asserted=True)("points", 3)
    with pytest.raises(UnknownNameError, match="Did you mean 'points'"):
        lesson_claims(TABLE, "en", asserted=True)("point", 3)


def test_an_estimate_brings_its_interval_into_the_line_and_the_error(capsys):
    estimate = 100 * Estimate(0.3, 0.18, 0.42)
    lesson_claims(TABLE, "en", asserted=True)("points", estimate)
    assert "(holds: measured 30 points (95 % interval 18 to 42), expected ≥ 25 points)" in capsys.readouterr().out
    lesson_claims(TABLE, "es", asserted=True)("points", estimate)
    assert "medido 30 points (intervalo del 95 %: de 18 a 42), esperado" in capsys.readouterr().out
    with pytest.raises(ClaimError, match=r"measured 3 points \(95 % interval 1\.8 to 4\.2\), expected"):
        lesson_claims(TABLE, "en", asserted=True)("points", 10 * Estimate(0.3, 0.18, 0.42))


def test_with_other_parameters_or_when_asked_a_lesson_shows_its_claims_and_asserts_none(capsys, monkeypatch):
    lesson_claims(TABLE, "en", asserted=False)("points", 3)
    monkeypatch.setenv("TLHELPERS_CLAIMS", "show")
    lesson_claims(TABLE, "en", asserted=True)("points", 3)
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert first.endswith("(said of the course's own data: ≥ 25 points; with these: 3 points)")


def test_a_result_that_cannot_be_written_down_is_refused():
    with pytest.raises(TypeError, match="Result 'accuracy': expected a number or a text for scores"):
        record_result("accuracy", scores=[1, 2])


def test_a_file_that_is_no_notebook_is_named(tmp_path):
    path = tmp_path / "x.ipynb"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(TlhelpersError, match=r"x.ipynb: expected an executed notebook"):
        collect([path])


def test_the_table_puts_frameworks_side_by_side_and_loses_no_repeated_claim(tmp_path):
    def made(value, framework, language="en", name="a|b"):
        about = {"lesson": "01_tiny", "language": language, "framework": framework}
        return Claim(name, value, "Up | down.", "Sube.", at_least=90, unit="%", **about)

    claims = [made(95, "tensorflow"), made(91, "pytorch"), made(12, "pytorch"), made(math.nan, "pytorch", "es")]
    data, table = ledger.write_claims(claims, tmp_path)
    assert table.read_text(encoding="utf-8").splitlines() == [
        "| Lesson  | Claim       | PyTorch | TensorFlow | Bound  | Holds  |",
        "| ------- | ----------- | ------- | ---------- | ------ | ------ |",
        "| 01_tiny | Up \\| down. | 91 %    | 95 %       | ≥ 90 % | yes    |",
        "| 01_tiny | Up \\| down. | 12 %    | –          | ≥ 90 % | **no** |",
        "",
        "| Lección | Afirmación | PyTorch | Cota   | Se cumple |",
        "| ------- | ---------- | ------- | ------ | --------- |",
        "| 01_tiny | Sube.      | nan %   | ≥ 90 % | **no**    |",
    ]
    assert [record["value"] for record in json.loads(data.read_text(encoding="utf-8"))] == [95, 91, 12, None]


def test_importing_claims_needs_no_notebook_tool():
    code = "import sys, tlhelpers.claims; print(sorted({'IPython', 'nbformat', 'torch', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
