"""The NumPy rule of protocol `bas` by hand, against SciPy and recorded boxes."""

import numpy as np
import pytest

from bas_tf.geometry import components
from tests.geometry.hard_maps import hard_maps, scipy_box

CROP = (16, 16)


def box_of(score_map, threshold=0.5, crop_size_wh=CROP):
    return components.box_from_map(
        np.asarray(score_map), crop_size_wh=crop_size_wh, score_threshold=threshold
    )


def test_normalize_by_hand():
    out = components.normalize_map(np.array([[2.0, 4.0], [3.0, 6.0]]))
    np.testing.assert_allclose(out, [[0.0, 0.5], [0.25, 1.0]])
    assert out.dtype == np.float32


def test_resize_has_half_pixel_centres():
    # Output x sits at (x + 0.5) / 2 - 0.5: -0.25 (clamped), 0.25, 0.75, 1.25 (clamped)
    out = components.resize_map(np.array([[0.0, 1.0]]), (4, 1))
    np.testing.assert_allclose(out, [[0.0, 0.25, 0.75, 1.0]])


def test_the_largest_component_wins_and_its_box_is_half_open():
    score_map = np.zeros([16, 16])
    score_map[1:3, 1:3] = 1.0
    score_map[8:12, 5:14] = 0.9
    box, degenerate = box_of(score_map)
    np.testing.assert_array_equal(box, [5, 8, 14, 12])
    assert box.dtype == np.float32
    assert not degenerate


def test_the_comparison_with_the_threshold_is_strict():
    score_map = np.zeros([16, 16])
    score_map[4, 4], score_map[9, 9] = 1.0, 0.5
    np.testing.assert_array_equal(box_of(score_map, 0.5)[0], [4, 4, 5, 5])


@pytest.mark.parametrize("shift", range(4))
def test_of_equal_components_the_first_in_raster_order_wins(shift):
    # The right one starts one row higher: OpenCV's 2 x 2 scan may number it second.
    score_map = np.zeros([16, 16])
    score_map[3 + shift : 6 + shift, 1:4] = 1.0
    score_map[2 + shift : 5 + shift, 8:11] = 1.0
    box, _ = box_of(score_map)
    np.testing.assert_array_equal(box, [8, 2 + shift, 11, 5 + shift])


def test_random_and_hard_maps_equal_scipy(rng):
    speckle = [
        rng.random([16, 16]) < p for p in (0.02, 0.3, 0.4, 0.6) for _ in range(9)
    ]
    hard = [m > 0.5 for m in hard_maps(16).values()]
    compared = 0
    for foreground in speckle + hard:
        if 0 < foreground.sum() < foreground.size:  # not constant
            box, _ = box_of(foreground.astype(np.float32))
            np.testing.assert_array_equal(box, scipy_box(foreground))
            compared += 1
    assert compared >= 50


@pytest.mark.parametrize(
    "score_map",
    [
        np.zeros([7, 7]),
        np.full([7, 7], 0.8),
        np.full([7, 7], np.nan),
        np.where(np.eye(7) > 0, np.nan, 0.5),
        np.where(np.eye(7) > 0, np.inf, 0.5),
    ],
    ids=["zeros", "constant", "nan", "some_nan", "some_inf"],
)
def test_maps_without_a_scale_give_the_whole_crop(score_map):
    box, degenerate = box_of(score_map, 0.0, crop_size_wh=(20, 12))
    np.testing.assert_array_equal(box, [0, 0, 20, 12])
    assert degenerate is True


def test_nothing_above_the_threshold_gives_the_whole_crop():
    box, degenerate = box_of(np.eye(16), threshold=1.0)
    np.testing.assert_array_equal(box, [0, 0, 16, 16])
    assert degenerate


def test_one_pixel_is_an_object():
    score_map = np.zeros([16, 16])
    score_map[15, 0] = 1e-30  # normalised to 1
    box, degenerate = box_of(score_map)
    np.testing.assert_array_equal(box, [0, 15, 1, 16])
    assert not degenerate


def test_many_thresholds_equal_one_at_a_time(rng):
    score_map, thresholds = rng.random([5, 5]), [0.0, 0.3, 0.7, 1.0]
    boxes, degenerate = components.boxes_at_thresholds(
        score_map, crop_size_wh=CROP, score_thresholds=thresholds
    )
    for i, threshold in enumerate(thresholds):
        box, flag = box_of(score_map, threshold)
        np.testing.assert_array_equal(boxes[i], box)
        assert degenerate[i] == flag
    np.testing.assert_array_equal(degenerate, [False, False, False, True])


def test_the_largest_components_pixels_are_those_of_the_box(rng):
    for _ in range(20):
        foreground = rng.uniform(size=[12, 15]) < 0.3
        found = components.largest_component(foreground)
        box, _ = components.box_from_map(
            foreground.astype(np.float32), crop_size_wh=(15, 12), score_threshold=0.5
        )
        rows, columns = np.nonzero(found)
        corners = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_array_equal(box, corners)
        assert not (found & ~foreground).any()
    assert components.largest_component(np.zeros([3, 4], bool)) is None
