"""The matrix shows the counts, whatever the classes are called."""

import io

import numpy as np
from PIL import Image

from bas_tf.report.plots import confusion_plot

COUNTS = np.array([[3, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]])
NAMES = ("ant", "bee", "cat")


def picture_of(*cells, names=NAMES):
    """The picture of 5 images in each of some (row, column)."""
    counts = np.zeros_like(COUNTS)
    for cell in cells:
        counts[cell] = 5
    return confusion_plot.confusion_picture(counts, names)


def centre_of_dark(picture):
    """x, y of the blue of a cell whose row it fills."""
    is_blue = (picture == confusion_plot._DARKEST).all(axis=-1)
    return np.argwhere(is_blue).mean(axis=0)[::-1]


def test_true_classes_are_rows_and_predicted_ones_columns():
    corner = centre_of_dark(picture_of((0, 0)))
    np.testing.assert_allclose(
        [centre_of_dark(picture_of(cell)) - corner for cell in ((0, 2), (2, 1))],
        np.array([[2, 0], [1, 2]]) * confusion_plot._CELL,
    )


def test_a_cell_is_the_darker_the_larger_its_share_of_the_row_is():
    picture = confusion_plot.confusion_picture(COUNTS, NAMES)
    colors, pixels = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
    whole = (colors == confusion_plot._DARKEST).all(axis=1)
    most = 255 - 0.75 * np.subtract(255, confusion_plot._DARKEST)
    three_quarters = (colors == np.rint(most)).all(axis=1)
    assert min(pixels[whole], pixels[three_quarters]) > confusion_plot._CELL**2 / 2


def test_images_without_a_class_have_a_column_where_there_are_any():
    wider = picture_of((0, 0), (2, 3)).shape[1] - picture_of((0, 0)).shape[1]
    assert wider == confusion_plot._CELL


def test_names_are_cut_and_letters_of_any_script_are_drawn():
    names = ("$\\frac{$", "蝶", "a name of more than twenty-two letters, and more")
    png = confusion_plot.confusion_png(COUNTS, names)
    assert png == confusion_plot.confusion_png(COUNTS, names)
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    assert (pixels == 255).all(axis=-1).mean() > 0.5
    assert pixels.shape[1] < 500


def test_as_many_classes_as_can_be_read_make_a_light_file():
    n = confusion_plot.MOST_CLASSES
    counts = np.random.default_rng(0).integers(0, 9, [n, n + 1])
    png = confusion_plot.confusion_png(counts, [f"class {i}" for i in range(n)])
    assert max(Image.open(io.BytesIO(png)).size) < 1600
    assert len(png) < 400_000


def test_a_matrix_smaller_than_its_titles():
    picture = confusion_plot.confusion_picture(np.array([[1, 0]]), ["a"])
    assert picture.ndim == 3 and picture.dtype == np.uint8
