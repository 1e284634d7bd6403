"""The figure shows the document's numbers; the PNG is light and repeatable."""

import io

import numpy as np
import pytest
from PIL import Image

from bas_tf.analysis import activation_curves, activation_plot
from bas_tf.analysis.activation_curves import Responses

SHARES = np.array([0.0, 0.25, 0.5, 1.0, 2.0, 4.0])
COLORS = {"cross-entropy": "#d6455d", "activation": "#2f81e0", "background": "#2ca25f"}


@pytest.fixture
def document() -> dict:
    """Two images: CE lost 0.5 or 1 at share 0.25, the rest by hand below."""
    summary = activation_curves.summarize(
        Responses(
            shares=SHARES,
            cross_entropy=np.array([[2.0, 0, 0, 0, 0, 0], [2, 1, 0, 0, 0, 0]]),
            activation=np.array([[0.0, 2, 4, 10, 10, 10], [0, 4, 6, 10, 10, 8]]),
            background_activation=np.array([[5.0, 5, 4, 1, 0, 0], [5, 5, 4, 1, 0, 0]]),
            is_known=np.array([True, True]),
        )
    )
    return {"split": "val", "num_images": 3, "num_left_out": 1, **summary}


def lines_of(figure) -> dict:
    """Label -> [points, 2]; lines without a label, the dots, under their colour."""
    found = {}
    for line in figure.axes[0].get_lines():
        label = line.get_label()
        key = line.get_color() if label.startswith("_") else label
        found[key] = np.array(line.get_xydata(), float)
    return found


def test_the_lines_are_the_mean_curves_without_the_empty_mask(document):
    lines = lines_of(activation_plot.activation_figure(document))
    # CE: means 1, 0.25, 0 ... of the range are left; 95 % are lost at
    # 0.25 + 0.25 x (0.95 - 0.75) / 0.25 = 0.45.
    entropy = lines["cross-entropy: 95 % lost at 0.45"]
    np.testing.assert_allclose(entropy[:, 0], SHARES[1:])
    np.testing.assert_allclose(entropy[:, 1], [0.25, 0, 0, 0, 0])
    # Activation: (2 + 4) / 20, (4 + 6) / 20, 1, 1, 0.9; 95 % are gained at
    # 0.5 + 0.5 x 0.45 / 0.5 = 0.95.
    activation = lines["activation $S_y$: 95 % gained at 0.95"]
    np.testing.assert_allclose(activation[:, 1], [0.3, 0.5, 1, 1, 0.9])
    background = lines["background activation $S^b_y$"]
    np.testing.assert_allclose(background[:, 1], [1, 0.8, 0.2, 0, 0], atol=1e-12)
    np.testing.assert_array_equal(lines["the object's boundary"][:, 0], [1, 1])


def test_the_dots_lie_where_95_percent_of_the_range_are_behind(document):
    lines = lines_of(activation_plot.activation_figure(document))
    np.testing.assert_allclose(lines[COLORS["cross-entropy"]], [[0.45, 0.05]])
    np.testing.assert_allclose(lines[COLORS["activation"]], [[0.95, 0.95]])


def test_bands_span_the_quartiles(document):
    figure = activation_plot.activation_figure(document)
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    # At share 0.25 the two images have 0 and 0.5 of their CE range left.
    heights = band[np.isclose(band[:, 0], 0.25), 1]
    assert (heights.min(), heights.max()) == pytest.approx((0.125, 0.375))


def test_a_curve_that_never_saturates_has_no_dot_and_stays_in_sight(document):
    curve = document["cross_entropy"]["normalized"]
    for key in ("mean", "quartile_1", "quartile_3"):
        curve[key] = [0.0, -1.5, -1.0, -0.5, 0.0, 0.0]
    document["saturation"]["cross_entropy_95"] = None
    figure = activation_plot.activation_figure(document)
    lines = lines_of(figure)
    np.testing.assert_allclose(lines["cross-entropy"][0], [0.25, 2.5])
    assert COLORS["cross-entropy"] not in lines
    assert figure.axes[0].get_ylim()[1] > 2.5


def test_the_words_on_the_figure(document):
    (axes,) = activation_plot.activation_figure(document).axes
    assert axes.get_xlabel() == "area of the mask / area of the object"
    assert axes.get_ylabel() == "share of the curve's own range"
    assert "val, 2 images" in axes.get_title()
    assert len(axes.get_legend().get_texts()) == 4


def test_the_png_is_light_coloured_and_repeatable(document):
    png = activation_plot.activation_png(document)
    assert png == activation_plot.activation_png(document)
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3)
    assert (pixels == 255).all(axis=1).mean() > 0.5
    for color in COLORS.values():
        rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert (pixels == rgb).all(axis=1).sum() > 100
