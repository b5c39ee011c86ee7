"""The runner: real kernels, parameters checked before anything runs, and an output that is never half-written."""

import os
import re
from urllib.parse import unquote

import nbformat
import pytest

from tlcourse import runner
from tlhelpers.errors import ParameterError

DEFAULTS = """\
LANGUAGE = "en"
SEED = 0  # also for split(seed=0)
RATES: list = [
    0.1,
    0.2,
]
QUICK = True
LIMIT = None
"""


@pytest.fixture
def make(tmp_path):
    def write(*cells, parameters=DEFAULTS, folder="en", name="01_tiny_pytorch", **metadata):
        tagged = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        made = [cell if hasattr(cell, "cell_type") else nbformat.v4.new_code_cell(cell) for cell in cells]
        notebook = nbformat.v4.new_notebook(cells=[tagged, *made], metadata=metadata)
        path = tmp_path / folder / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)
        return path

    return write


def printed(path):
    cells = nbformat.read(path, as_version=4).cells
    return "".join(o.text for cell in cells for o in cell.get("outputs", []) if o.output_type == "stream")


def test_parameters_reach_the_notebook_which_runs_in_its_own_folder(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TLHELPERS_DATA", "pack")
    notebook = make("import os\nprint(LANGUAGE, SEED, RATES, LIMIT, os.getcwd(), os.environ['TLHELPERS_DATA'])")
    before = notebook.read_bytes()
    params = tmp_path / "params.yaml"
    params.write_text("SEED: 1  # one\nRATES: [0.5]\n", encoding="utf-8")
    result = runner.run(notebook, tmp_path / "out" / "x.ipynb", {"SEED": 2, "LIMIT": 5}, params, progress=False)
    assert printed(result.output) == f"en 2 [0.5] 5 {notebook.parent} {tmp_path / 'pack'}\n"
    assert result.parameters == {"SEED": 2, "RATES": [0.5], "LIMIT": 5}
    assert result.seconds > 0
    assert notebook.read_bytes() == before
    assert os.environ["TLHELPERS_DATA"] == "pack"
    assert os.listdir(tmp_path / "out") == ["x.ipynb"]
    assert str(tmp_path / "out") not in result.output.read_text(encoding="utf-8")


def test_a_misspelled_parameter_is_refused_before_anything_runs(make, tmp_path):
    notebook = make("open('ran', 'w')")
    with pytest.raises(ParameterError) as caught:
        runner.run(notebook, tmp_path / "out" / "x.ipynb", {"SEDE": 1}, progress=False)
    message = str(caught.value)
    assert "01_tiny_pytorch.ipynb has no parameter 'SEDE'. Did you mean 'SEED'?" in message
    for line in ("LANGUAGE = 'en'", "SEED = 0", "RATES = [0.1, 0.2]", "QUICK = True", "LIMIT = None"):
        assert f"\n  {line}" in message
    assert not (tmp_path / "out").exists()
    assert not (notebook.parent / "ran").exists()


def test_a_notebook_without_a_parameters_cell_and_a_file_that_is_none_are_refused(make, tmp_path):
    notebook = make("x = 1")
    node = nbformat.read(notebook, as_version=4)
    node.cells = node.cells[1:]
    nbformat.write(node, notebook)
    with pytest.raises(ParameterError, match="expected one cell tagged 'parameters', came 0"):
        runner.run(notebook, tmp_path / "x.ipynb")
    notebook.write_text("text", encoding="utf-8")
    with pytest.raises(ParameterError, match="expected a notebook, came something else"):
        runner.run(notebook, tmp_path / "x.ipynb")
    with pytest.raises(ParameterError, match="there is no such file"):
        runner.run(tmp_path / "none.ipynb", tmp_path / "x.ipynb")


def test_a_failing_cell_is_named_and_the_notebook_is_kept_as_far_as_it_got(make, tmp_path):
    notebook = make("print('before')", "# a reason\nx = 1\nraise ValueError('too few cats')", "print('after')")
    output = tmp_path / "out" / "x.ipynb"
    with pytest.raises(runner.NotebookFailedError) as caught:
        runner.run(notebook, output, {"SEED": 1}, progress=False)
    assert str(caught.value).splitlines() == [
        "01_tiny_pytorch.ipynb failed in its cell [4]:",
        "    x = 1",
        "    raise ValueError('too few cats')",
        "ValueError: too few cats",
        f"The notebook as far as it got: {output}",
    ]
    assert printed(output) == "before\n"
    assert os.listdir(output.parent) == ["x.ipynb"]
    html = runner.to_html(output, tmp_path / "x.html").read_text(encoding="utf-8")
    assert "too few cats" in html


@pytest.mark.parametrize(
    ("cell", "timeout", "says"),
    [
        ("import os, time; os._exit(1)", None, "its kernel died"),
        ("import time; time.sleep(60)", 1, "expected each cell to end within 1 seconds"),
        ("import timm_is_not_there", None, "ModuleNotFoundError"),
    ],
)
def test_a_kernel_that_dies_hangs_or_lacks_a_module_is_reported(make, tmp_path, cell, timeout, says):
    notebook = make("print('before')", cell)
    with pytest.raises(runner.NotebookFailedError, match=says):
        runner.run(notebook, tmp_path / "x.ipynb", progress=False, timeout=timeout)
    assert printed(tmp_path / "x.ipynb") == "before\n"


def test_html_holds_images_and_formulas_and_asks_the_network_for_nothing(make, tmp_path):
    picture = (
        "import matplotlib.pyplot as plt, ipywidgets\nfrom IPython.display import display\n"
        "display(ipywidgets.IntSlider())\nplt.figure(figsize=(1, 1)); plt.plot([1, 2]); plt.show()\n"
        "from tlhelpers.claims import lesson_claims, record_result\nrecord_result('accuracy', accuracy=0.5)\n"
        "lesson_claims({'x': {'en': 'It <holds>.', 'es': 'Se <cumple>.', 'at_least': 0}}, 'es', True)('x', 1)"
    )
    folded = "<details><summary>Respuesta</summary>\n\nEscondida\n\n</details>"
    text = nbformat.v4.new_markdown_cell(
        f"# Gatos\n\n$D = \\{{X, P(X)\\}}$ y `$x$`\n\n$$\\frac{{a}}{{b}}$$\n\n$\\undefined{{$\n\n{folded}"
    )
    solution = nbformat.v4.new_code_cell("answer = 42", metadata={"tags": ["solution"]})
    caption = nbformat.v4.new_markdown_cell("*Una recta que sube, «1» a «2».* Nada más.")
    notebook = make("%matplotlib inline", text, picture, caption, solution, tlhelpers={"language": "es"})
    runner.run(notebook, tmp_path / "x.ipynb", progress=False)
    page = runner.to_html(tmp_path / "x.ipynb", tmp_path / "html" / "x.html").read_text(encoding="utf-8")
    assert '<html lang="es">' in page
    assert re.findall(r'<img[^>]* alt="([^"]*)"', page) == ["Una recta que sube, «1» a «2»."]
    assert page.count("<math") == 2
    assert "<mfrac" in page
    assert re.search(r"<details><summary>Respuesta</summary>\s*<p>Escondida</p>\s*</details>", page)
    assert page.count('<details class="folded"><summary>Solución</summary>') == 1
    assert page.index("<summary>Solución") < page.index(">42<") < page.rindex("</details>")
    assert "$x$</code>" in page
    assert "</b> · Se &lt;cumple&gt;.<br" in page  # the claim as shown, in the parameter's language
    assert "</b> · It" not in page
    assert "jupyter.widget-view" not in page
    loaded = re.findall(
        r"""<(?:script|link|img|iframe)[^>]+(?:src|href)=["'](?!data:)([^"']+)|import\(([^)]+)\)""", page
    )
    assert loaded == []


def test_links_of_an_html_page_lead_to_the_courses_files_from_where_it_stands(make, tmp_path):
    glossary = tmp_path / "docs" / "glosario del año.md"
    glossary.parent.mkdir()
    glossary.touch()
    (tmp_path / "notebooks" / "en").mkdir(parents=True)
    text = "[a](../../docs/glosario%20del%20a%C3%B1o.md#b) [c](../../docs/none.md) [d](https://example.org/x)"
    notebook = make(nbformat.v4.new_markdown_cell(text))
    page = tmp_path / "results" / "html" / "x.html"
    links = re.findall(r'<a href="([^"#]+)(#\w+)?"', runner.to_html(notebook, page).read_text(encoding="utf-8"))
    (link, part), *others = [found for found in links if found[0]]
    assert (page.parent / unquote(link)).resolve() == glossary.resolve()
    assert part == "#b"
    assert others == [("../../docs/none.md", ""), ("https://example.org/x", "")]
