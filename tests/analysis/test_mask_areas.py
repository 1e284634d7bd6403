"""Masks of exact areas, each inside the next, the object itself at 1."""

import numpy as np
import pytest

from bas_tf.analysis import mask_areas

SHARES = [0, 0.02, 0.3, 0.5, 0.95, 1, 1.05, 2, 3.7, 1000]


def ellipse(height, width, center_xy, radii_xy):
    y, x = np.mgrid[:height, :width]
    (cx, cy), (rx, ry) = center_xy, radii_xy
    return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1


def two_parts_and_a_hole():
    mask = ellipse(40, 56, (12, 20), (9, 14)) | ellipse(40, 56, (44, 9), (6, 4))
    mask[18:22, 10:15] = False
    return mask


def at_the_edge():
    return ellipse(32, 32, (2, 16), (10, 9))


MASKS = {
    "ellipse": ellipse(33, 47, (20, 15), (11, 8)),
    "two parts and a hole": two_parts_and_a_hole(),
    "cut off by the edge": at_the_edge(),
    "one pixel": np.eye(9, dtype=bool) & (np.arange(9) == 4),
    "all but one pixel": ~(np.eye(9, dtype=bool) & (np.arange(9) == 4)),
}
every_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)


@every_mask
def test_signed_distance_equals_the_nearest_pixel_of_the_other_kind(mask):
    distance = mask_areas.signed_distance(mask)
    inside, outside = np.argwhere(mask), np.argwhere(~mask)
    gaps = np.linalg.norm(inside[:, np.newaxis] - outside, axis=-1)
    np.testing.assert_allclose(distance[mask], gaps.min(axis=1), rtol=1e-6)
    np.testing.assert_allclose(distance[~mask], -gaps.min(axis=0), rtol=1e-6)


@every_mask
def test_areas_are_exact_and_nested_from_the_object_to_the_whole_image(mask):
    masks = mask_areas.masks_of_areas(mask, SHARES)
    expected = [min(round(share * mask.sum()), mask.size) for share in SHARES]
    assert masks.sum(axis=(1, 2)).tolist() == expected
    assert masks.dtype == bool
    assert (masks[:-1] <= masks[1:]).all()
    np.testing.assert_array_equal(masks[SHARES.index(1)], mask)
    assert masks[-1].all()


def test_a_square_by_hand():
    # A 3 x 3 square in 5 x 5: distance 2 in its middle, 1 on its rim, -1 next to its
    # sides and -sqrt(2) at the corners of the image.
    mask = np.zeros([5, 5], bool)
    mask[1:4, 1:4] = True
    root = np.sqrt(2)
    expected = [
        [-root, -1, -1, -1, -root],
        [-1, 1, 1, 1, -1],
        [-1, 1, 2, 1, -1],
        [-1, 1, 1, 1, -1],
        [-root, -1, -1, -1, -root],
    ]
    np.testing.assert_allclose(mask_areas.signed_distance(mask), expected, rtol=1e-6)
    # 1 of 9 pixels: the middle. 2 of 9: the first of the rim in raster order too.
    # 21 of 9: everything but the four corners.
    one, two, most = mask_areas.masks_of_areas(mask, [1 / 9, 2 / 9, 21 / 9])
    assert np.argwhere(one).tolist() == [[2, 2]]
    assert np.argwhere(two).tolist() == [[1, 1], [2, 2]]
    assert np.argwhere(~most).tolist() == [[0, 0], [0, 4], [4, 0], [4, 4]]


def test_an_object_cut_off_by_the_image_is_not_eroded_from_there():
    small = mask_areas.masks_of_areas(at_the_edge(), [0.2])[0]
    assert small[:, 0].any()


@pytest.mark.parametrize("largest", [1.1, 2.0, 2.4, 2.5, 7.3, 20.0, 5000.0])
def test_the_grid_rises_from_nothing_to_the_whole_image(largest):
    shares = mask_areas.share_grid(largest)
    assert (np.diff(shares) > 0).all()
    assert shares[0] == 0
    assert shares[-1] == max(largest, 2.0)
    assert {0.02, 0.05, 0.5, 1.0, 1.1, 2.0} <= set(shares)
    assert len(shares) < 45


def test_the_grids_coarse_end_by_hand():
    # 2 x 1.25 = 2.5, x 1.25 = 3.125; the next, 3.906, is above 3.5.
    shares = mask_areas.share_grid(3.5)
    np.testing.assert_allclose(shares[-4:], [2.0, 2.5, 3.125, 3.5])
