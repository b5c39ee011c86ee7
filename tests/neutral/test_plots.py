"""Figures: what a reader finds on them."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from tlhelpers import plots
from tlhelpers.drawn_pets import BREEDS
from tlhelpers.metrics import Estimate


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plots.plt.close("all")


@pytest.mark.parametrize(("language", "label"), [("en", "Accuracy (%)"), ("es", "Exactitud (%)")])
def test_labels_follow_the_language(language, label):
    ax = plots.plot_accuracy_over_labels([5, 10], {"a": np.full((2, 2), 0.5)}, chance=0.5, language=language)
    assert ax.get_ylabel() == label


def test_every_word_has_both_languages():
    assert all(len(words) == 2 and all(words) for words in plots._WORDS.values())


def test_accuracies_are_drawn_in_per_cent_with_every_seed():
    ax = plots.plot_accuracy_over_labels([5, 10], {"a": np.array([[0.5, 0.7], [0.6, 0.9]])}, chance=0.5)
    lines = [line.get_ydata() for line in ax.lines]
    np.testing.assert_allclose(lines[0], [55, 80])
    np.testing.assert_allclose(lines[1], [50, 70])


def test_estimates_show_value_and_interval():
    ax = plots.plot_estimates({"frozen": Estimate(0.9, 0.8, 0.95)})
    assert [text.get_text() for text in ax.texts] == ["90.0"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["frozen"]


def test_confusion_matrix_counts_by_row_and_column():
    ax = plots.plot_confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), ("cat", "dog"))
    assert [int(text.get_text()) for text in ax.texts] == [1, 1, 0, 1]


@pytest.mark.parametrize("n", [1, 5, 13])
def test_images_fill_a_grid_of_any_number(n):
    axes = plots.show_images(np.zeros((n, 8, 8, 3), np.uint8), ["x"] * n, columns=6)
    assert sum(bool(ax.images) for ax in axes.flat) == n


def test_class_words_are_in_the_language_and_without_underscores():
    assert plots.class_words(("cat", "Russian_Blue", "german shepherd"), "es") == ("gato", "azul ruso", "pastor alemán")
    assert plots.class_words(("cat", "german_shepherd"), "en") == ("cat", "german shepherd")


def test_every_drawn_breed_has_a_spanish_word_or_is_the_same_in_spanish():
    names = [breed.name for breed in BREEDS]
    same = {name for name, word in zip(names, plots.class_words(names, "es"), strict=True) if word == name}
    assert same == {"pug", "husky", "beagle", "labrador"}


@pytest.mark.parametrize("name", ["50$$", "$5 a $_"])
def test_names_of_classes_are_no_formulas(name):
    axes = plots.show_images(np.zeros((1, 8, 8, 3), np.uint8), [name])
    axes[0, 0].figure.canvas.draw()
    ax = plots.plot_confusion_matrix(np.array([0, 1]), np.array([0, 1]), [name, "euros"])
    ax.figure.canvas.draw()
    assert ax.get_xticklabels()[0].get_text() == axes[0, 0].get_title() == name
