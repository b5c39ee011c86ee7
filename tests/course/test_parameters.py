"""Parameters, checked before a kernel starts: kind, range, names, and paths that begin where the person stands."""

import os
from pathlib import Path

import nbformat
import pytest

from tlcourse import parameters, runner
from tlhelpers.errors import DatasetError, ParameterError, UnknownNameError

CELL = """\
LANGUAGE = "en"  # of figures: "en" or "es"
SEED = 0  # also for split(seed=0)
DATASET = "drawn_pets"  # or "cats_vs_dogs", a folder
BACKBONE = "mini_resnet"  # or "efficientnet_lite0", "resnet50", ...
STYLE = "photo"  # of drawings: "photo" or "night"
PHOTOS = ""  # nothing, or a name
LABELS = 10
RATE: float = 0.1
NOISE = 2.0
RATES: list = [
    0.1,
    0.2,
]
QUICK = True
LIMIT = None
"""


@pytest.fixture
def notebook(tmp_path):
    tagged = nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]})
    show = nbformat.v4.new_code_cell("print(DATASET)")
    path = tmp_path / "en" / "01_tiny_pytorch.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=[tagged, show]), path)
    return path


SEEDS = "a whole number from 0 to 4000000"
COUNT = "a whole number from 3 to 1000000"


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        *(("SEED", value, SEEDS) for value in ("one", True, 1.5, -1, 99999999999, float("nan"), "nan", [0])),
        *(("LABELS", value, COUNT) for value in (2.5, 10.0, 2, 0, -3, float("inf"))),
        *(("RATE", value, "a number above 0") for value in (0, -0.1, float("nan"), float("inf"), "1e-3", True)),
        ("NOISE", -1, "a number from 0 on"),
        ("LANGUAGE", 3, "a text that is not empty"),
        *(("DATASET", value, "a text that is not empty") for value in ("", " ", 2024, None)),
        ("RATES", 0.1, "a list"),
        ("QUICK", 1, "True or False"),
    ],
)
def test_a_value_of_another_kind_or_out_of_range_is_refused(notebook, name, value, wanted):
    with pytest.raises(ParameterError, match=f"expected {wanted} for {name} .*Give {wanted}"):
        parameters.check_parameters(notebook, {name: value})


def test_a_refusal_speaks_the_readers_language(notebook, monkeypatch):
    monkeypatch.setenv("TLHELPERS_LANGUAGE", "es")
    with pytest.raises(ParameterError, match=r"para NOISE se esperaba un número desde 0 .* y llegó -1"):
        parameters.check_parameters(notebook, {"NOISE": -1})


def test_a_value_that_fits_is_taken(notebook):
    values = {"SEED": 20, "LANGUAGE": "es", "RATES": (1,), "QUICK": False, "LIMIT": "any", "LABELS": 3,
              "RATE": 1, "NOISE": 0, "STYLE": "night", "BACKBONE": "resnet50", "PHOTOS": "",
              "DATASET": "cats_vs_dogs"}  # fmt: skip
    assert parameters.check_parameters(notebook, values) == values


@pytest.mark.parametrize(("name", "value", "close"), [("LANGUAGE", "fr", "en, es"), ("STYLE", "nigth", "'night'")])
def test_a_text_that_the_comment_does_not_list_is_refused(notebook, name, value, close):
    with pytest.raises(UnknownNameError, match=f"Unknown {name} '{value}'.*{close}"):
        parameters.check_parameters(notebook, {name: value})


def test_a_network_that_the_framework_does_not_know_is_refused(notebook):
    pytest.importorskip("torch", reason="the notebook is one in PyTorch")
    parameters.check_parameters(notebook, {"BACKBONE": "squeezenet1_1"})
    with pytest.raises(UnknownNameError, match=r"Did you mean 'resnet50'.*PyTorch says: .*resnt50"):
        parameters.check_parameters(notebook, {"BACKBONE": "resnt50"})


@pytest.mark.parametrize("given", ["./my photos", "my photos", "../here/my photos", "~/here/my photos"])
def test_a_folder_begins_where_the_person_stands(notebook, tmp_path, monkeypatch, given):
    (tmp_path / "here" / "my photos").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    params = tmp_path / "params.yaml"
    params.write_text(f"DATASET: {given}\n", encoding="utf-8")
    result = runner.run(notebook, tmp_path / "x.ipynb", params_file=params, progress=False)
    (output,) = nbformat.read(result.output, as_version=4).cells[-1].outputs
    assert os.path.samefile(output.text.strip(), tmp_path / "here" / "my photos")


def test_a_folder_that_is_not_there_is_told_with_its_whole_path(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatasetError, match=str(tmp_path / "mine")):
        parameters.check_parameters(notebook, {"DATASET": "./mine"})
    with pytest.raises(UnknownNameError, match=f"Did you mean 'cats_vs_dogs'.*none at {tmp_path / 'cat_vs_dogs'}"):
        parameters.check_parameters(notebook, {"DATASET": "cat_vs_dogs"})


def test_a_name_twice_in_a_file_is_refused(notebook, tmp_path):
    path = tmp_path / "params.yaml"
    for text in ("SEED: 1\nLABELS: 3\nSEED: 3\n", "01_tiny:\n  SEED: 1\n  SEED: 2\n"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ParameterError, match="the key 'SEED' occurs twice"):
            parameters.read_params(path, notebook)


@pytest.mark.parametrize("text", ["- SEED\n", "SEED: [\n", "1: 2\n", "just text"])
def test_a_file_that_holds_no_parameters_is_refused(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParameterError, match=r"params\.yaml: expected"):
        parameters.read_params(path, Path("01_tiny_pytorch.ipynb"))


def test_a_lesson_gets_its_own_section_and_no_other(tmp_path):
    params = tmp_path / "p.yaml"
    params.write_text("SEED: 1\n01_tiny: {SEED: 2}\n02_other: {UNKNOWN: 3}\n", encoding="utf-8")
    assert parameters.read_params(params, Path("01_tiny_pytorch.ipynb")) == {"SEED": 2}
    assert parameters.read_params(params, Path("03_more_tensorflow.ipynb")) == {"SEED": 1}


def test_a_lesson_can_do_without_a_parameter_of_all_lessons(tmp_path):
    params = tmp_path / "p.yaml"
    params.write_text("SEED: 1\nSIZE: 64\n01_tiny:\n  SIZE:\n", encoding="utf-8")
    assert parameters.read_params(params, Path("01_tiny_pytorch.ipynb")) == {"SEED": 1}
    assert parameters.read_params(params, Path("03_more_tensorflow.ipynb")) == {"SEED": 1, "SIZE": 64}


def test_a_section_for_nearly_a_lesson_is_refused_with_its_name(tmp_path):
    params = tmp_path / "p.yaml"
    notebook = Path(__file__).parents[2] / "notebooks/en/01_cats_vs_dogs_pytorch.ipynb"
    for section, meant in {"01_cats_vs_dog": "01_cats_vs_dogs", "02_what_layers_know": "02a_what_layers_know"}.items():
        params.write_text(f"{section}: {{LABELS: 5}}\n", encoding="utf-8")
        with pytest.raises(UnknownNameError, match=f"Did you mean '{meant}'"):
            parameters.read_params(params, notebook)


@pytest.mark.parametrize(("lesson", "name"), [("04", "MAX_A_CLASS"), ("11a", "IMAGES"), ("11b", "IMAGES")])
def test_images_of_a_class_are_not_fewer_than_a_folder_has_to_have(lesson, name):
    (notebook,) = (Path(__file__).parents[2] / "notebooks/en").glob(f"{lesson}_*_pytorch.ipynb")
    with pytest.raises(ParameterError, match="a whole number from 8"):
        parameters.check_parameters(notebook, {name: 7})
    assert parameters.check_parameters(notebook, {name: 8}) == {name: 8}


def test_a_section_that_holds_no_parameters_is_refused(tmp_path):
    params = tmp_path / "p.yaml"
    params.write_text("01_tiny: 3\n", encoding="utf-8")
    with pytest.raises(ParameterError, match="below 01_tiny"):
        parameters.read_params(params, Path("01_tiny_pytorch.ipynb"))
