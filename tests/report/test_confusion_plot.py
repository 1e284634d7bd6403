"""The matrix shows the counts, whatever the classes are called."""

import io

import numpy as np
from PIL import Image

from bas_tf.report import confusion_plot

COUNTS = np.array([[3, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]])
NAMES = ("ant", "bee", "cat")


def axes_of(counts, names=NAMES):
    (axes,) = confusion_plot.confusion_figure(counts, names).axes
    return axes


def labels_of(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_cells_say_their_counts_and_rows_their_shares():
    axes = axes_of(COUNTS)
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "3", (1, 0): "1", (2, 1): "2"}  # column, row
    shares = axes.images[0].get_array()
    np.testing.assert_array_equal(shares, [[0.75, 0.25, 0], [0, 0, 1], [0, 0, 0]])
    assert labels_of(axes.xaxis) == labels_of(axes.yaxis) == list(NAMES)
    assert axes.get_ylabel() == "true class"


def test_images_without_a_class_have_a_column_where_there_are_any():
    counts = COUNTS.copy()
    counts[2, 3] = 5
    axes = axes_of(counts)
    assert labels_of(axes.xaxis) == [*NAMES, "no class"]
    assert axes.images[0].get_array().shape == (3, 4)
    assert axes.images[0].get_array()[2, 3] == 1


def test_names_with_formulas_or_foreign_letters_are_drawn():
    names = ("$\\frac{$", "蝶", "a name of more than twenty-two letters")
    png = confusion_plot.confusion_png(COUNTS, names)  # a warning would be an error
    assert png == confusion_plot.confusion_png(COUNTS, names)
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)
    assert (pixels == 255).all(axis=1).mean() > 0.5
    label = labels_of(axes_of(COUNTS, names).xaxis)[2]
    assert label == "a name of more than t…"


def test_as_many_classes_as_can_be_read_make_a_light_file():
    n = confusion_plot.MOST_CLASSES
    counts = np.random.default_rng(0).integers(0, 9, [n, n + 1])
    png = confusion_plot.confusion_png(counts, [f"class {i}" for i in range(n)])
    assert max(Image.open(io.BytesIO(png)).size) < 1600
    assert len(png) < 400_000
