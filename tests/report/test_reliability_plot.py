"""Bars and dashes have the heights of the given numbers."""

import numpy as np
import pytest

from bas_tf.metrics.calibration import reliability
from bas_tf.report.plots.reliability_plot import reliability_svg
from tests.report.parsed_svg import clipped_paths


def heights(svg, paint):
    """Vertical extents of the clipped paths in one colour, in drawing order."""
    return [points[:, 1] for style, points in clipped_paths(svg) if paint in style]


@pytest.fixture
def svg():
    """Bins 0.2 to 0.3: 4 images, 1 right; 0.9 to 1: 12 images, 9 right."""
    probabilities = np.array([0.25] * 4 + [0.95] * 12)
    is_right = np.array([1, 0, 0, 0] + [1] * 9 + [0] * 3)
    return reliability_svg(reliability(probabilities, is_right))


def test_bars_are_accuracies_and_dashes_mean_probabilities(svg):
    low, high = heights(svg, "fill: #2f81e0")
    unit = np.ptp(high) / 0.75
    assert np.ptp(low) == pytest.approx(0.25 * unit, rel=1e-4)
    floor = high.max()
    dashes = [(floor - y.mean()) / unit for y in heights(svg, "stroke: #e8830c")]
    np.testing.assert_allclose(dashes, [0.25, 0.95], rtol=1e-3)


def test_each_bin_says_how_many_images_it_has(svg):
    assert ">4<" in svg
    assert ">12<" in svg


def test_without_images_there_is_still_a_chart():
    empty = reliability(np.array([np.nan]), np.array([False]))
    assert "probability of the predicted class" in reliability_svg(empty)
