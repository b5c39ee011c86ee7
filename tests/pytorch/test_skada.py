"""Lesson 08a's CORAL and z-scores per domain beside the library skada, on the same features.

skada loads every framework that it finds, so it runs in a process of its own, with POT's backends switched off. Its
pipelines standardise source and target together unless told otherwise; here each domain is scaled by itself.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from tests.exercises import NOTEBOOKS
from tlhelpers.drawn_pets import draw_pets
from tlhelpers.pytorch.heads import replace_head
from tlhelpers.pytorch.networks import load_network

LESSON = NOTEBOOKS / "en/08a_domain_adaptation_pytorch.ipynb"
PROGRAM = """
import json, sys
import numpy as np
from skada import CORALAdapter, PerDomain, make_da_pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

data = np.load(sys.argv[1])
x = np.concatenate([data["source"], data["target"]])
domain = np.repeat([1, -2], [len(data["source"]), len(data["target"])])  # negative: a target
y = np.concatenate([data["y"], np.full(len(data["target"]), -1)])  # masked
found = {}
for name, adapter in (("z", []), ("coral", [CORALAdapter(reg=0.5)])):  # the lesson adds the identity: half and half
    model = make_da_pipeline(PerDomain(StandardScaler()), *adapter, LogisticRegression(C=0.02, max_iter=2000))
    model.fit(x, y, sample_domain=domain)
    answers = model.predict(data["test"], sample_domain=np.full(len(data["test"]), -2))
    found[name] = float(np.mean(answers == data["truth"]))
print(json.dumps(found))
"""


def read_functions() -> dict:
    """`standardise` and `coral`, from the lesson's cells."""
    space = {"torch": torch}
    for cell in json.loads(LESSON.read_text(encoding="utf-8"))["cells"]:
        code = "".join(cell["source"])
        if cell["cell_type"] == "code" and ("def standardise(" in code or "def coral(" in code):
            exec(code, space)
    return space


@pytest.fixture(scope="module")
def features() -> dict:
    """Labelled photos, unlabelled sketches, and other sketches for the test: features of the frozen network."""
    network, prepare = load_network("mini_resnet")
    replace_head(network, 0)
    network.eval()

    def features_of(images):
        with torch.inference_mode():
            return network(prepare(torch.from_numpy(images).permute(0, 3, 1, 2))).numpy()

    source, target = draw_pets(320, seed=5), draw_pets(640, seed=6, style="sketch")
    x = features_of(target.images)
    return {
        "source": features_of(source.images), "y": source.breeds,
        "target": x[:320], "test": x[320:], "truth": target.breeds[320:],
    }  # fmt: skip


def test_coral_and_scores_per_domain_are_as_good_as_skadas(features, tmp_path: Path):
    if importlib.util.find_spec("skada") is None:
        pytest.skip("skada is not installed: a dependency of development only")
    np.savez(tmp_path / "features.npz", **features)
    backends = {f"POT_BACKEND_DISABLE_{name}": "1" for name in ("PYTORCH", "TENSORFLOW", "JAX", "CUPY")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "features.npz")],
        capture_output=True, text=True, timeout=300, env=os.environ | backends,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout.splitlines()[-1])
    functions = read_functions()
    standardise, coral = functions["standardise"], functions["coral"]
    source, target = (standardise(features[name], features[name]) for name in ("source", "target"))
    test = standardise(features["test"], features["target"])
    for name, learnt_from in (("z", source), ("coral", coral(source, source, target))):
        answers = LogisticRegression(C=0.02, max_iter=2000).fit(learnt_from, features["y"]).predict(test)
        assert abs(np.mean(answers == features["truth"]) - theirs[name]) <= 0.015, (name, theirs)
        assert theirs[name] > 0.3, "both far above guessing among sixteen breeds"
