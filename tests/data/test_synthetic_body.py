"""Creature geometry: outlines of area one, masks and boxes."""

import numpy as np
import pytest

from bas_tf.data.drawings import body as bodies
from bas_tf.geometry.boxes import box_from_mask


def _shoelace(points):
    x, y = points.T
    return abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2


@pytest.mark.parametrize("seed", range(5))
def test_outline_has_area_one_and_is_its_own_mirror_image(seed):
    outline = bodies.sample_outline(np.random.default_rng(seed))
    assert _shoelace(outline) == pytest.approx(1, abs=1e-5)
    mirrored = np.roll(outline[::-1] * [1, -1], 1, axis=0)
    np.testing.assert_allclose(mirrored, outline, atol=1e-9)


def test_sampled_body_names_the_radius_of_its_area():
    body = bodies.sample_body(np.random.default_rng(0), (64, 64))
    assert np.pi * body.radius**2 == pytest.approx(_shoelace(body.outline), rel=1e-4)


def test_coverage_of_a_square_adds_up_to_its_area():
    square = np.array([[0.2, 0.3], [0.6, 0.3], [0.6, 0.7], [0.2, 0.7]])
    mask = bodies.mask_from_coverage(bodies.coverage(square, (200, 200)))
    assert np.mean(mask > 0) == pytest.approx(0.16, abs=0.003)
    # One pixel is 0.005 wide: the edges lie at 40, 60, 120 and 140.
    np.testing.assert_allclose(box_from_mask(mask), [40, 60, 120, 140], atol=1)


def test_half_covered_pixels_belong_to_the_mask():
    covered = np.array([[0, 127, 128, 255]], np.uint8)
    assert bodies.mask_from_coverage(covered).tolist() == [[0, 0, 255, 255]]
