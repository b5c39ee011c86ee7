"""What a task's check accepts the grader accepts, and nothing else: each answer goes through both, as it was written.

The check runs in an IPython shell that has run the notebook's cells, as in a notebook. The grader's part is the one
that runs in a box, called here without the box: what it calls and compares is the same.
"""

import json

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

from tlcourse import lab_builder
from tlgrade import functions
from tlgrade.inside.functions import call as call_in_box
from tlgrade.scoring import read_definition
from tlgrade.submissions import Notebook
from tlhelpers.lab import checks
from tlhelpers.lab import data as lab_data

KEYS = [f"{k:032x}" for k in (2**101 + 1, 2**102 + 5, 2**103 + 9)]
TASKS = {task["id"]: task for task in read_definition(lab_builder.find_lab() / "pets.yaml")["tasks"]}
FIRST = "import numpy as np\n\nfrom tlhelpers import metrics"  # the lab's own imports

# Each answer: the task, other cells of the notebook (run before), and the task's cell.
RIGHT = {
    "scikit-learn's top-k": ("top_k", ["from sklearn.metrics import top_k_accuracy_score"], """
def top_k_accuracy(labels, probabilities, k):
    return top_k_accuracy_score(labels, probabilities, k=k, labels=range(len(probabilities[0])))"""),
    "the course's interval": ("interval", ["from tlhelpers.metrics import wilson_interval"], """
def accuracy_interval(right, total):
    found = wilson_interval(right / total, total)
    return found.low, found.high"""),
    "the course's interval, imported inside": ("interval", [], """
def accuracy_interval(right, total):
    from tlhelpers import metrics as m
    found = m.wilson_interval(right / total, total)
    return [found.low, found.high]"""),
    "scipy's interval": ("interval", ["from scipy.stats import binomtest"], """
def accuracy_interval(right, total):
    found = binomtest(right, total).proportion_ci(method="wilson")
    return [found.low, found.high]"""),
    "z of scipy": ("interval", ["from scipy.stats import norm"], """
def accuracy_interval(right, total):
    z, p, n = norm.ppf(0.975), right / total, total
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.array([middle - half, middle + half]) / (1 + z**2 / n)"""),
    "z in another cell": ("interval", ["Z = 1.959964"], """
def accuracy_interval(right, total):
    p, part = right / total, Z**2 / total
    half = Z * np.sqrt(p * (1 - p) / total + part / (4 * total))
    return (p + part / 2 - half) / (1 + part), (p + part / 2 + half) / (1 + part)"""),
    "Counter of another cell": ("balance", ["from collections import Counter"], """
def class_balance(labels, num_classes):
    counts = Counter(np.asarray(labels).tolist())
    return [counts[k] for k in range(num_classes)]"""),
    "a helper, and a helper of the helper": ("balance", ["def is_one(x, k): return x == k",
        "def count(labels, k):\n    return sum(is_one(label, k) for label in labels)"],
        "def class_balance(labels, num_classes):\n    return tuple(count(labels, k) for k in range(num_classes))"),
    "a helper that another cell defines anew, later": ("balance", ["def count(labels, k): return (labels == k).sum()"],
        "def class_balance(labels, num_classes):\n    return np.array([count(labels, k) for k in range(num_classes)])",
        "def count(labels): return len(labels)"),
    "counts of a histogram": ("balance", [], """
def class_balance(labels, num_classes):
    return np.histogram(labels, bins=np.arange(num_classes + 1))[0]"""),
    "floats": ("balance", [], "def class_balance(labels, n):\n    return np.bincount(labels, minlength=n) * 1.0"),
    "objects": ("balance", [], "def class_balance(labels, n):\n"
        "    return np.array([int((labels == k).sum()) for k in range(n)], dtype=object)"),
    "a matrix of scikit-learn": ("confused", ["from sklearn.metrics import confusion_matrix"], """
def most_confused(labels, predicted, num_classes):
    counts = confusion_matrix(labels, predicted, labels=range(num_classes))
    np.fill_diagonal(counts, 0)
    return (*np.unravel_index(counts.argmax(), counts.shape), counts.max())"""),
    "pairs in a Counter": ("confused", ["from collections import Counter"], """
def most_confused(labels, predicted, num_classes):
    pairs = Counter((a, b) for a, b in zip(labels, predicted) if a != b)
    (true, answer), count = pairs.most_common(1)[0]
    return [true, answer, count]"""),
    "defects in two passes": ("defects", [], """
def find_defects(images):
    seen, found = {}, []
    for i, image in enumerate(images):
        if seen.setdefault(image.tobytes(), i) != i:
            found.append(i)
    return found + [i for i, image in enumerate(images) if i not in found and (image == image[0, 0]).all()]"""),
    "defects twice": ("defects", [], """
def find_defects(images):
    blank = [i for i, image in enumerate(images) if len(np.unique(image.reshape(-1, 3), axis=0)) == 1]
    return blank + [i for i, a in enumerate(images) for b in images[:i] if np.array_equal(a, b)] + blank"""),
    "a set of defects": ("defects", [], """
def find_defects(images):
    first = {image.tobytes(): i for i, image in reversed(list(enumerate(images)))}
    return {i for i, image in enumerate(images) if first[image.tobytes()] < i or np.ptp(image, axis=(0, 1)).max() == 0}
"""),
    "numbers of rows that are new": ("defects", [], """
def find_defects(images):
    flat = np.asarray(images).reshape(len(images), -1)
    _, kept = np.unique(flat, axis=0, return_index=True)
    blank = (images == images[:, :1, :1]).all(axis=(1, 2, 3))
    return np.flatnonzero(~np.isin(np.arange(len(images)), kept) | blank)"""),
    "the mean of scikit-learn's balanced accuracy": ("macro", ["from sklearn.metrics import balanced_accuracy_score"],
        "def macro_accuracy(labels, predicted, num_classes):\n    return balanced_accuracy_score(labels, predicted)"),
    "classes up to the largest label, without those that are absent": ("macro", [], """
def macro_accuracy(labels, predicted, num_classes):
    return np.mean([(predicted[labels == k] == k).mean() for k in range(max(labels) + 1) if k in labels])"""),
    "names in an array": ("unsure", [], """
def name_or_nothing(probabilities, class_names, threshold):
    best = np.array(class_names, dtype=object)[np.argmax(probabilities, 1)]
    return np.where(np.max(probabilities, 1) >= threshold, best, None)"""),
    "names in a tuple": ("unsure", [], """
def name_or_nothing(probabilities, class_names, threshold):
    return tuple(class_names[np.argmax(p)] if max(p) >= threshold else None for p in probabilities)"""),
    "a cell of its own, under the task's": ("balance", ["def class_balance(labels, num_classes):\n"
        "    raise NotImplementedError('Task 1')"],
        "def class_balance(labels, num_classes):\n    return np.bincount(labels, minlength=num_classes)"),
}  # fmt: skip
WRONG = {
    "argsort without the minus": ("top_k", """
def top_k_accuracy(labels, probabilities, k):
    best = np.argsort(probabilities, axis=1)[:, :k]
    return np.mean([label in row for label, row in zip(labels, best)])"""),
    "a half": ("top_k", "def top_k_accuracy(labels, probabilities, k): return 0.5"),
    "a half, macro": ("macro", "def macro_accuracy(labels, predicted, num_classes): return 0.5"),
    "the recall of scikit-learn": ("macro", """
def macro_accuracy(labels, predicted, num_classes):
    from sklearn.metrics import recall_score
    return recall_score(labels, predicted, average="macro", zero_division=0)"""),
    "micro in place of macro": ("macro", """
def macro_accuracy(labels, predicted, num_classes): return np.mean(labels == predicted)"""),
    "classes up to the largest label": ("macro", """
def macro_accuracy(labels, predicted, num_classes):
    return np.mean([np.mean(predicted[labels == k] == k) for k in range(max(labels) + 1)])"""),
    "absent classes with 0": ("macro", """
def macro_accuracy(labels, predicted, num_classes):
    own = [np.mean(predicted[labels == k] == k) if k in labels else 0 for k in range(num_classes)]
    return sum(own) / num_classes"""),
    "precision in place of recall": ("macro", """
def macro_accuracy(labels, predicted, num_classes):
    return np.mean([np.mean(labels[predicted == k] == k) for k in range(num_classes) if k in predicted])"""),
    "the largest share": ("confused", """
def most_confused(labels, predicted, num_classes):
    counts = np.zeros((num_classes, num_classes))
    np.add.at(counts, (labels, predicted), 1)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    true, answer = np.unravel_index(shares.argmax(), shares.shape)
    return [int(true), int(answer), int(counts[true, answer])]"""),
    "the diagonal": ("confused", """
def most_confused(labels, predicted, num_classes):
    counts = np.zeros((num_classes, num_classes), int)
    np.add.at(counts, (labels, predicted), 1)
    true, answer = np.unravel_index(counts.argmax(), counts.shape)
    return [true, answer, counts.max()]"""),
    "rows and columns exchanged": ("confused", """
def most_confused(labels, predicted, num_classes):
    counts = np.zeros((num_classes, num_classes), int)
    np.add.at(counts, (predicted, labels), 1)
    np.fill_diagonal(counts, 0)
    true, answer = np.unravel_index(counts.argmax(), counts.shape)
    return [true, answer, counts.max()]"""),
    "an answer in a row of its own": ("confused", """
def most_confused(labels, predicted, num_classes):
    counts = np.zeros((num_classes, num_classes), int)
    np.add.at(counts, (labels, predicted), 1)
    np.fill_diagonal(counts, 0)
    return [[*np.unravel_index(counts.argmax(), counts.shape), counts.max()]]"""),
    "first row and last row": ("defects", """
def find_defects(images):
    seen, found = set(), []
    for i, image in enumerate(images):
        if (image[0] == image[-1]).all() or image.tobytes() in seen: found.append(i)
        seen.add(image.tobytes())
    return found"""),
    "corners": ("defects", """
def find_defects(images):
    seen, found = set(), []
    for i, image in enumerate(images):
        if (image[0, 0] == image[-1, -1]).all() or image.tobytes() in seen: found.append(i)
        seen.add(image.tobytes())
    return found"""),
    "the sum of the pixels": ("defects", """
def find_defects(images):
    seen, found = set(), []
    for i, image in enumerate(images):
        if (image == image[0, 0]).all() or image.sum() in seen: found.append(i)
        seen.add(image.sum())
    return found"""),
    "the pixels in order of size": ("defects", """
def find_defects(images):
    seen, found = set(), []
    for i, image in enumerate(images):
        content = np.sort(image.ravel()).tobytes()
        if (image == image[0, 0]).all() or content in seen: found.append(i)
        seen.add(content)
    return found"""),
    "only grey": ("defects", """
def find_defects(images):
    seen, found = set(), []
    for i, image in enumerate(images):
        if (image == image.flat[0]).all() or image.tobytes() in seen: found.append(i)
        seen.add(image.tobytes())
    return found"""),
    "the lab's size of images": ("defects", """
def find_defects(images):
    flat = np.asarray(images).reshape(len(images), 32 * 32, 3)
    seen, found = set(), []
    for i, image in enumerate(flat):
        if (image == image[0]).all() or image.tobytes() in seen: found.append(i)
        seen.add(image.tobytes())
    return found"""),
    "a mask of defects": ("defects", """
def find_defects(images):
    return [(image == image[0, 0]).all() for image in images]"""),
    "without minlength": ("balance", "def class_balance(labels, num_classes): return np.bincount(labels)"),
    "shares in place of counts": ("balance", """
def class_balance(labels, num_classes): return np.bincount(labels, minlength=num_classes) / len(labels)"""),
    "counts in two dimensions": ("balance", """
def class_balance(labels, num_classes): return np.bincount(labels, minlength=num_classes)[None]"""),
    "Wald's interval": ("interval", """
def accuracy_interval(right, total):
    p = right / total
    half = 1.96 * np.sqrt(p * (1 - p) / total)
    return [max(0, p - half), min(1, p + half)]"""),
    "an interval in percent": ("interval", """
def accuracy_interval(right, total):
    found = metrics.wilson_interval(right / total, total)
    return [100 * found.low, 100 * found.high]"""),
    "a name whatever the probability": ("unsure", """
def name_or_nothing(probabilities, class_names, threshold):
    return [class_names[np.argmax(p)] for p in probabilities]"""),
    "a word for nothing": ("unsure", """
def name_or_nothing(probabilities, class_names, threshold):
    return [class_names[np.argmax(p)] if max(p) >= threshold else "None" for p in probabilities]"""),
    "the images of the notebook": ("balance", """
counted = len(shown)
def class_balance(labels, num_classes): return np.bincount(labels, minlength=num_classes)[: len(shown) + 99]"""),
}  # fmt: skip
BEFORE = ["shown = [k for k in range(3)]"]  # a name that no grader has


@pytest.fixture(params=["en", "es"])
def shell(box, request, monkeypatch):
    """A shell in which the lab's first cells have run."""
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    monkeypatch.setenv("TLHELPERS_LANGUAGE", request.param)
    data = lab_data.read_lab_data(box[0])
    shell.push({"data": data, "checks": checks})
    yield shell
    InteractiveShell.clear_instance()


def run(shell, source):
    return shell.run_cell(source, store_history=True, silent=False)


def passes_check(shell, cells, task):
    for cell in cells:
        assert run(shell, cell).success, cell
    done = run(shell, f"checks.check_{task}(data, {TASKS[task]['function']})")
    assert isinstance(done.error_in_exec, checks.CheckFailedError | ValueError | None), done.error_in_exec
    return done.success


def graded(cells, task, place):
    """Points for what a grader's box makes of the cells, the least of three keys."""
    notebook = Notebook(tuple(cells), {task: place}, frozenset(), "en", None)
    order = {"sources": list(cells), "place": place, "function": TASKS[task]["function"]}
    points = []
    for key in KEYS:
        cases = functions.make_cases(TASKS[task], key)
        answers = call_in_box(json.loads(json.dumps(order | {"cases": [case["arguments"] for case in cases]})))
        points.append(functions.compare(answers.get("answers", []), TASKS[task], cases, notebook)[0])
    return min(points)


@pytest.mark.parametrize("kind", RIGHT)
def test_a_right_answer_passes_the_check_and_has_all_points(shell, kind):
    task, others, source, *later = RIGHT[kind]
    cells = [FIRST, *others, source]
    assert passes_check(shell, cells, task)
    assert graded([*cells, *later], task, len(others) if "of its own" in kind else len(others) + 1) == 1


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_answer_is_refused_by_the_check_and_has_not_all_points(shell, kind):
    task, source = WRONG[kind]
    cells = [FIRST, *BEFORE, source]
    assert not passes_check(shell, cells, task)
    assert graded(cells, task, 2) < 1


def test_a_right_tensor_is_right(shell):
    pytest.importorskip("torch")
    source = "def class_balance(labels, n):\n    return torch.bincount(torch.as_tensor(labels), minlength=n)"
    cells = [FIRST, "import torch", source]
    assert passes_check(shell, cells, "balance")
    assert graded(cells, "balance", 2) == 1


def test_a_helper_that_was_mended_is_the_one_that_the_check_uses(shell):
    use = "def class_balance(labels, num_classes):\n    return [count(labels, k) for k in range(num_classes)]"
    assert not passes_check(shell, [FIRST, "def count(labels, k): return 0", use], "balance")
    assert passes_check(shell, ["def count(labels, k): return int(sum(labels == k))"], "balance")


def test_a_cell_that_has_lost_its_mark_is_found_by_its_function():
    source = "def class_balance(labels, num_classes):\n    return np.bincount(labels, minlength=num_classes)"
    assert graded([FIRST, source], "balance", None) == 1
    assert call_in_box({"sources": [FIRST], "place": None, "function": "class_balance", "cases": []}) == {
        "error": "missing_cell"
    }


def test_none_of_these_answers_depends_on_chance():
    cases = functions.make_cases(TASKS["macro"], KEYS[0])
    for case in cases:
        labels, _, classes = case["arguments"]
        absent = set(range(classes)) - set(np.unique(labels).tolist())
        assert {1, classes - 1} <= absent
