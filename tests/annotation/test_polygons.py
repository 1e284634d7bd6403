"""Outlines of masks: their pixels, their extremes, their few points."""

import cv2
import numpy as np
import pytest

from bas_tf.annotation.polygons import outline
from bas_tf.geometry.boxes import box_from_mask
from tests.annotation.conftest import blob


def pixels_within(points: np.ndarray, shape) -> np.ndarray:
    """Which pixels' centres lie within, one by one."""
    polygon = points.astype(np.float32)
    return np.array([
        [cv2.pointPolygonTest(polygon, (x + 0.5, y + 0.5), False) > 0
         for x in range(shape[1])]
        for y in range(shape[0])
    ])  # fmt: skip


@pytest.mark.parametrize(
    "mask",
    [
        np.ones([1, 1], bool),
        np.ones([1, 7], bool),
        np.ones([5, 1], bool),
        np.pad(np.ones([3, 2], bool), 4),
        np.eye(6, dtype=bool),  # pixels that meet at corners
    ],
    ids=["pixel", "row", "column", "rectangle", "diagonal"],
)
def test_small_masks_are_outlined_exactly(mask):
    points = outline(mask)
    assert len(points) >= 3
    if not np.array_equal(mask, np.eye(6, dtype=bool)):
        np.testing.assert_array_equal(pixels_within(points, mask.shape), mask)
    drawn = cv2.fillPoly(np.zeros(mask.shape, np.uint8), [points.astype(np.int32)], 1)
    np.testing.assert_array_equal(drawn.astype(bool), mask)


@pytest.mark.parametrize("size_wh", [(60, 40), (300, 200)])
def test_a_blob_keeps_its_area_and_its_extremes(rng, size_wh):
    for _ in range(20):
        mask = blob(rng, size_wh)
        points = outline(mask)
        drawn = cv2.fillPoly(
            np.zeros(mask.shape, np.uint8), [points.astype(np.int32)], 1
        ).astype(bool)
        holes = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
        )[1]
        if (holes[0, :, 3] < 0).all():  # an outline has no holes
            assert (drawn & mask).sum() / (drawn | mask).sum() >= 0.98
        extremes = [*points.min(axis=0), *points.max(axis=0)]
        np.testing.assert_allclose(extremes, box_from_mask(mask), atol=0.26)


def test_a_large_smooth_mask_needs_few_points():
    """An ellipse of 800 by 600 pixels; its contour has over a thousand points."""
    mask = cv2.ellipse(
        np.zeros([700, 900], np.uint8), (450, 350), (400, 300), 0, 0, 360, 1, -1
    ).astype(bool)
    assert len(outline(mask)) < 40
