"""Visible checks: what a beginner gets wrong is told in the learner's words, in both languages, and nothing else is."""

import numpy as np
import pytest

from tlhelpers.errors import said
from tlhelpers.lab import checks
from tlhelpers.lab import data as lab_data


@pytest.fixture(params=["en", "es"])
def data(box, request, monkeypatch):
    monkeypatch.setenv("TLHELPERS_LANGUAGE", request.param)
    return lab_data.read_lab_data(box[0])


def probabilities(labels, classes, share_right=1.0, seed=0):
    rng = np.random.default_rng(seed)
    answers = np.where(rng.random(len(labels)) < share_right, labels, rng.integers(0, classes, len(labels)))
    return 0.9 * np.eye(classes)[answers] + 0.1 / classes


def told(data, en, es, check, *arguments):
    """The check fails and says so in the learner's language."""
    with pytest.raises(checks.CheckFailedError) as caught:
        check(data, *arguments)
    assert said(en, es) in str(caught.value)
    assert caught.value._render_traceback_() == [str(caught.value)]


def bincount(labels, num_classes):
    return np.bincount(labels, minlength=num_classes)


def test_balance(data, capsys):
    checks.check_balance(data, bincount)
    assert "✓" in capsys.readouterr().out
    told(data, "minlength", "minlength", checks.check_balance, lambda labels, n: np.bincount(labels))
    told(data, "return?", "return?", checks.check_balance, lambda labels, n: None)
    told(data, "should give [2, 0, 1, 0]", "debería dar [2, 0, 1, 0]", checks.check_balance, lambda labels, n: [1] * n)


def find(images, copies=True, plain=True, both=False):
    seen, found = [], []
    for i, image in enumerate(images):
        earlier = [j for j, content in enumerate(seen) if content == image.tobytes()]
        if (plain and (image == image[0, 0]).all()) or (copies and earlier):
            found += [i, *earlier] if both else [i]
        seen.append(image.tobytes())
    return found


def test_defects(data):
    checks.check_defects(data, find)
    told(data, "one colour", "un solo color", checks.check_defects, lambda x: find(x, plain=False))
    told(data, "copy of image 2", "copia de la imagen 2", checks.check_defects, lambda x: find(x, copies=False))
    told(data, "keep the first", "conserve la primera", checks.check_defects, lambda x: find(x, both=True))
    told(data, "left out: [0]", "sin defectos: [0]", checks.check_defects, lambda x: [0, *find(x)])
    told(data, "it is no copy", "no es una copia", checks.check_defects, lambda x: [5, *find(x)])


def test_probabilities_of_the_wrong_kind(data):
    history, n = {"loss": [2.0, 1.0]}, data.num_classes
    good = probabilities(data.val.labels, n, 0.7)
    counts = {"trainable": 1000, "frozen": 10}
    checks.check_baseline(data, history, counts, good)
    for wrong, en, es in (
        (good[:-1], "Expected probabilities of shape", "Se esperaban probabilidades de forma"),
        (good[:, :-1], "Expected probabilities of shape", "Se esperaban probabilidades de forma"),
        (good.argmax(1), "Expected probabilities of shape", "Se esperaban probabilidades de forma"),
        (np.where(good > 0.5, np.nan, good), "NaN", "NaN"),
        (np.log(good), "logits", "logits"),
    ):
        told(data, en, es, checks.check_baseline, history, counts, wrong)
    frozen = {"trainable": 100, "frozen": 900}
    told(data, "are frozen", "congelados", checks.check_baseline, history, frozen, good)


def test_a_baseline_that_learnt_nothing(data, capsys):
    good = probabilities(data.val.labels, data.num_classes, 0.7)
    counts = {"trainable": 1000, "frozen": 0}
    says = ("what guessing gives", "respondiendo al azar")
    told(data, *says, checks.check_baseline, {"loss": [2.8, 2.77]}, counts, good)
    checks.check_baseline(data, {"loss": [2.0]}, counts, probabilities(data.val.labels, data.num_classes, 0.0))
    assert said("Note:", "Nota:") in capsys.readouterr().out


def test_features(data):
    # Features that tell the breed nearly always, as those of a good backbone do.
    rng, n = np.random.default_rng(0), data.num_classes
    rows = [3 * np.eye(n)[part.labels] + rng.normal(size=(len(part), n)) for part in (data.train, data.val)]
    good, learnt = probabilities(data.val.labels, n, 0.95), probabilities(data.train.labels[::3], n, 1.0)
    head, check = (n + 1) * n, checks.check_features
    frozen = {"trainable": head, "frozen": 1000}
    check(data, rows, n, frozen, good, learnt)
    for cut in ((rows[0][1:], rows[1]), (rows[0], rows[1][:, 1:])):
        told(data, "a row an image", "una fila por imagen", check, cut, n, frozen, good, learnt)
    loose = {"trainable": head + 1000, "frozen": 0}
    told(data, "its weights must not learn", "sus pesos no deben aprender", check, rows, n, loose, good, learnt)
    chance = probabilities(data.val.labels, n, 0.0)
    told(data, "no better than guessing", "no es mejor que el azar", check, rows, n, frozen, chance, learnt)
    # A head on standardised features, which the classifier does not standardise, or one that hardly trained.
    half = probabilities(data.val.labels, n, 0.6), probabilities(data.train.labels[::3], n, 0.6)
    told(data, "not standardised", "sin estandarizar", check, rows, n, frozen, *half)
    told(data, "trained on val_features", "con val_features", check, rows, n, frozen, good, half[1])


def test_fine_tuning(data):
    good = probabilities(data.val.labels, data.num_classes, 0.9)
    worse = probabilities(data.val.labels, data.num_classes, 0.5)
    old = {"layer1": np.ones(9), "layer4": np.ones((3, 3))}
    new = {**old, "layer4": 1.001 * old["layer4"]}
    checks.check_fine_tune(data, old, new, good, good)
    for still in (old, {**old, "layer4": (1 + 1e-9) * old["layer4"]}):  # not trained, and trained at a rate of 1e-9
        told(data, "not fine-tuning yet", "todavía no es", checks.check_fine_tune, old, still, good, good)
    told(data, "forgetting", "olvidando", checks.check_fine_tune, old, new, good, worse)


def test_joint_loss(data):
    check, losses = checks.check_joint_loss, (2.5, 0.7)
    check(data, lambda w: losses[0] + w * losses[1], *losses)
    told(data, "not depend on the weight", "No depende del peso", check, lambda w: sum(losses), *losses)
    convex = "With w = 0", "Con w = 0"
    told(data, *convex, check, lambda w: w * losses[0] + losses[1], *losses)
    told(data, *convex, check, lambda w: w * losses[1], *losses)
    told(
        data, "should be the sum", "debería ser la suma", check, lambda w: (1 - w) * losses[0] + w * losses[1], *losses
    )


def test_evaluation(data):
    def macro(labels, predicted, n, skip=True):
        own = [np.mean(predicted[labels == k] == k) if (labels == k).any() else 0.0
               for k in range(n) if not skip or (labels == k).any()]  # fmt: skip
        return np.mean(own)

    checks.check_macro(data, macro)
    told(data, "own share first", "antes la de cada clase", checks.check_macro, lambda y, p, n: np.mean(y == p))
    told(data, "leave it out", "exclúyala", checks.check_macro, lambda y, p, n: macro(y, p, n, skip=False))
    checks.check_confused(data, lambda y, p, n: (1, 2, 2))
    told(data, "diagonal", "diagonal", checks.check_confused, lambda y, p, n: [2, 2, 2])
    told(data, "take no shares", "no calcule proporciones", checks.check_confused, lambda y, p, n: [2, 1, 1])
    told(data, "and gave [1, 0, 1]", "y dio [1, 0, 1]", checks.check_confused, lambda y, p, n: [1, 0, 1])
    told(data, "gave nothing back", "no ha devuelto nada", checks.check_top_k, lambda y, p, k: None)
    told(data, "should give", "debería dar", checks.check_top_k, lambda y, p, k: 1.0)
    told(data, "should give", "debería dar", checks.check_interval, lambda right, n: [right / n - 0.1, right / n + 0.1])
    told(data, "should give", "debería dar", checks.check_interval, lambda right, n: "wide")


def test_species_head_and_threshold(data):
    breeds = probabilities(data.val.labels, data.num_classes, 0.8)
    kinds = data.species_labels(data.val.labels)
    checks.check_two_heads(data, breeds, probabilities(kinds, 2))
    told(
        data,
        "loss part of the sum",
        "su pérdida en la suma",
        checks.check_two_heads,
        breeds,
        probabilities(0 * kinds, 2),
    )

    def twice(labels, classes):  # heads that end in a softmax, of which the notebook takes the softmax
        raised = np.exp(probabilities(labels, classes, 0.9))
        return raised / raised.sum(1, keepdims=True)

    soft = twice(data.val.labels, data.num_classes), twice(kinds, 2)
    told(data, "end in a softmax", "en una softmax", checks.check_two_heads, *soft)

    def name(rows, names, threshold):
        return [names[row.argmax()] if row.max() >= threshold else None for row in rows]

    checks.check_unsure(data, name)
    told(data, "should give", "debería dar", checks.check_unsure, lambda rows, names, threshold: name(rows, names, 0))


def test_final_predictions_know_no_label(data):
    guess = probabilities(np.arange(len(data.hidden)) % data.num_classes, data.num_classes)
    checks.check_final(data, guess)  # whether they are right, nobody can say
    same = probabilities(np.zeros(len(data.hidden), int), data.num_classes)
    told(data, "Only 1 of 16 breeds", "Solo se han dado como respuesta 1", checks.check_final, same)


def test_the_file_is_read_back(data, tmp_path, capsys):
    three = np.tile([0, 1, 2], (len(data.hidden), 1))
    rows = [",".join(("id", "first", "second", "third", "species"))]
    for name, best in zip(data.hidden.ids, three, strict=True):
        rows.append(",".join((name, *(data.class_names[k] for k in best), "")))
    path = tmp_path / "predictions.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    checks.check_submission(data, path)
    assert "✓ predictions.csv" in capsys.readouterr().out
    path.write_text("\n".join(rows[:-1]), encoding="utf-8")
    told(data, "no row for 1 of 32", "no hay fila para 1 de las 32", checks.check_submission, path)
    path.write_text("nothing", encoding="utf-8")
    told(data, "expected the first line", "se esperaba la primera línea", checks.check_submission, path)


def test_the_check_runs_a_cell_as_the_grader_does(data, monkeypatch):
    import builtins

    cells = ["import math\nbad = [k for k in range(3)]", "def count(labels, k): return sum(labels == k)"]
    right = "def class_balance(labels, n):\n    return [int(count(labels, k)) for k in range(n)]"
    wrong = "def class_balance(labels, n):\n    return [int(count(labels, k)) for k in bad]"
    for source, good in ((right, True), (wrong, False)):
        scope = {"np": np}
        for cell in [*cells, source]:
            exec(cell, scope)
        shell = type("Shell", (), {"user_ns": {"In": ["", *cells, source]}})()
        monkeypatch.setattr(builtins, "get_ipython", lambda shell=shell: shell, raising=False)
        if good:
            checks.check_balance(data, scope["class_balance"])
        else:
            told(data, "NameError: bad", "NameError: bad", checks.check_balance, scope["class_balance"])
