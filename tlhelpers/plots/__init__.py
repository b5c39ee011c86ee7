"""Figures of the lessons. Colours survive colour blindness (Okabe and Ito, 2008) and print."""

from tlhelpers.plots.figures import (
    COLOURS,
    IMAGE_DPI,
    LINES,
    MARKERS,
    class_words,
    new_axes,
    plot_accuracy_over_labels,
    plot_confusion_matrix,
    plot_estimates,
    plot_seconds,
    plot_training,
    plt,
    show_feature_maps,
    show_images,
    tidy,
    word,
)

__all__ = [
    "COLOURS", "IMAGE_DPI", "LINES", "MARKERS", "class_words", "new_axes", "plot_accuracy_over_labels",
    "plot_confusion_matrix", "plot_estimates", "plot_seconds", "plot_training", "plt",
    "show_feature_maps", "show_images", "tidy", "word",
]  # fmt: skip
