"""How much of its framework a lesson speaks: what is counted, and the bounds of lessons written by the native rule."""

from pathlib import Path

import pytest

from tlcourse import toolbox_text
from tlcourse.lessons import read_lesson
from tlcourse.native import NATIVE_RULE, measure, report
from tlcourse.variants import FRAMEWORKS

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
SOURCE = """# %% tags=["parameters"]
LANGUAGE = "en"

# %% framework="pytorch"
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import get_model
from helpers import Linear

# %% framework="tensorflow"
import tensorflow as tf
from keras import layers as l

# %% framework="pytorch"
model = get_model("resnet18", weights="DEFAULT")
model.fc = nn.Linear(3, 2)
head = nn.Linear(model.fc.in_features, 2)
with torch.inference_mode():
    F.relu(torch.zeros(3))
model(1).sum()  # methods of objects are not counted: torch.relu(1)
Linear(3)
v2.Resize(3)  # an alias that everybody knows

# %% framework="tensorflow"
l.Dense(3)(l.Flatten()(x))
tf.data.Dataset.from_tensor_slices(3)
model.fit(3)

# %% framework="pytorch" shows="tlhelpers.pytorch.more.act"
def by_hand():
    "torch.relu(1), named_parameters("

# %% framework="tensorflow"
pass

# %%
nn.Linear(3, 4)
"""


@pytest.fixture
def counted(tmp_path, monkeypatch):
    package = tmp_path / "tlhelpers" / "pytorch"
    package.mkdir(parents=True)
    (package / "more.py").write_text(
        "import torch\n\n\ndef act(model):\n    model.eval()\n    return torch.relu(model.named_parameters())\n"
    )
    monkeypatch.setattr(toolbox_text, "PACKAGES", tmp_path)
    (tmp_path / "01_counted.py").write_text(SOURCE, encoding="utf-8")
    return read_lesson(tmp_path / "01_counted.py")


def test_calls_count_where_their_root_is_the_framework(counted):
    found = measure(counted, "pytorch")
    assert found.calls == {
        "torchvision.models.get_model": 1,
        "torch.nn.Linear": 3,
        "torch.inference_mode": 1,
        "torch.nn.functional.relu": 1,
        "torch.zeros": 1,
        "torchvision.transforms.v2.Resize": 1,
        "torch.relu": 1,
    }
    assert found.calls - found.own_calls == {"torch.relu": 1}  # it stands in the text that a cell shows
    assert measure(counted, "tensorflow").calls == {
        "keras.layers.Dense": 1,
        "keras.layers.Flatten": 1,
        "tensorflow.data.Dataset.from_tensor_slices": 1,
    }


def test_acts_are_known_by_their_code_and_not_by_comments_and_docstrings(counted):
    missing = measure(counted, "pytorch").missing
    assert "cut, replace the head" not in missing
    assert missing["freeze, and verify it"] == ["requires_grad = False | requires_grad_(False)"]
    assert measure(counted, "tensorflow").missing.keys() == NATIVE_RULE.keys()


def test_the_report_says_what_one_lesson_lacks(counted):
    text = report([counted])
    assert "| 01_counted | PyTorch    | 9 " in text
    assert "PyTorch, freeze, and verify it, lacks: requires_grad = False or requires_grad_(False)" in text


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_lesson_01_speaks_its_framework_and_shows_every_act_of_the_native_rule(framework):
    found = measure(read_lesson(ROOT / "notebooks/src/01_cats_vs_dogs.py"), framework)
    least = {"pytorch": 40, "tensorflow": 30}[framework]
    assert found.own_calls.total() >= least  # in the open: the texts of tools do not count
    assert found.missing == {}


LESSONS = sorted(path.stem for path in (ROOT / "notebooks/src").glob("*.py"))
LATER = [name for name in LESSONS if not name.startswith(("00", "01"))]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", LATER)
def test_a_lesson_speaks_its_framework(name, framework):
    assert measure(read_lesson(ROOT / f"notebooks/src/{name}.py"), framework).own_calls.total() >= 15


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", LATER)
def test_a_lesson_has_few_cells_and_short_ones(name, framework):
    lesson = read_lesson(ROOT / f"notebooks/src/{name}.py")
    cells = [cell for cell in lesson.cells if cell.kind == "code" and cell.belongs_to("en", framework)]
    assert len(cells) + 1 <= 45  # with the cell of words and claims that the builder adds
    read = [cell.text for cell in cells if "folded" not in cell.tags and "%%writefile" not in cell.text]
    lengths = [len(text.strip().splitlines()) for text in read]
    assert max(lengths) <= 25
    assert sum(length > 15 for length in lengths) <= len(lengths) / 2
