"""Boxes of contours, by hand."""

import cv2
import numpy as np
import pytest

from bas_tf.geometry import contours


def canvas(*rectangles, width=12, height=10) -> np.ndarray:
    """uint8 [height, width] with filled (x0, y0, x1, y1, value), half-open."""
    image = np.zeros([height, width], np.uint8)
    for x0, y0, x1, y1, value in rectangles:
        image[y0:y1, x0:x1] = value
    return image


def boxes_above(image, level=0):
    boxes, largest = contours.boxes_above(image, level)
    return sorted(boxes.tolist()), boxes[largest].tolist()


def test_one_hill_shrinks_with_the_level():
    image = canvas((1, 1, 5, 4, 100), (2, 2, 4, 3, 200), (3, 2, 4, 3, 255))
    assert boxes_above(image, 0)[1] == [1, 1, 5, 4]
    assert boxes_above(image, 99)[1] == [1, 1, 5, 4]
    assert boxes_above(image, 100)[1] == [2, 2, 4, 3]  # strictly above
    assert boxes_above(image, 200)[1] == [3, 2, 4, 3]
    found = contours.boxes_by_level(image)
    np.testing.assert_array_equal(found.levels, [0, 100, 200])
    np.testing.assert_array_equal(
        found.boxes, [[1, 1, 5, 4], [2, 2, 4, 3], [3, 2, 4, 3]]
    )
    np.testing.assert_array_equal(found.starts, [0, 1, 2])
    np.testing.assert_array_equal(found.largest, [0, 1, 2])


def test_at_the_right_and_lower_border_the_last_pixel_is_the_edge():
    image = canvas((8, 6, 12, 10, 255))  # to the corner of 12 x 10
    assert boxes_above(image)[1] == [8, 6, 11, 9]
    assert boxes_above(np.full([10, 12], 7, np.uint8))[1] == [0, 0, 11, 9]


@pytest.mark.parametrize("level", [0, 254, 255])
def test_nothing_above_the_level_is_the_corner(level):
    assert boxes_above(np.zeros([10, 12], np.uint8), level) == (
        [[0, 0, 0, 0]],
        [0, 0, 0, 0],
    )
    found = contours.boxes_by_level(np.zeros([10, 12], np.uint8))
    assert found.levels.tolist() == found.starts.tolist() == [0]
    assert found.boxes.tolist() == [[0, 0, 0, 0]]


def test_two_hills_are_two_boxes_until_one_sinks():
    image = canvas((1, 1, 4, 4, 100), (6, 2, 11, 8, 50))
    both = [[1, 1, 4, 4], [6, 2, 11, 8]]
    assert boxes_above(image, 0) == (both, [6, 2, 11, 8])  # areas 2 x 2 and 4 x 5
    assert boxes_above(image, 50) == ([[1, 1, 4, 4]], [1, 1, 4, 4])
    found = contours.boxes_by_level(image)
    assert found.levels.tolist() == [0, 50]
    assert found.starts.tolist() == [0, 2]
    assert sorted(found.boxes[:2].tolist()) == both
    assert found.boxes[found.largest].tolist() == [[6, 2, 11, 8], [1, 1, 4, 4]]


def test_a_contours_area_is_not_its_number_of_pixels():
    # Through pixel centres a line of 9 pixels encloses 0, a square of 4 encloses 1.
    image = canvas((1, 1, 10, 2, 255), (5, 5, 7, 7, 255))
    assert boxes_above(image)[1] == [5, 5, 7, 7]


def test_pixels_that_touch_at_a_corner_are_one():
    image = canvas((1, 1, 3, 3, 255), (3, 3, 6, 6, 255))
    assert boxes_above(image) == ([[1, 1, 6, 6]], [1, 1, 6, 6])


def test_a_hole_has_a_box_of_its_own_but_is_never_the_largest():
    # A frame of 2 pixels around a hole 3..6: its edge runs over the pixels 2..7.
    image = canvas((1, 1, 9, 9, 255), (3, 3, 7, 7, 0))
    assert boxes_above(image) == ([[1, 1, 9, 9], [2, 2, 8, 8]], [1, 1, 9, 9])


def test_the_edge_of_the_image_closes_no_hole():
    image = canvas((0, 0, 12, 10, 255), (0, 3, 5, 7, 0))  # a bay open to the left
    assert boxes_above(image)[0] == [[0, 0, 11, 9]]


def test_of_equal_areas_the_first_of_opencvs_tree_wins():
    image = canvas((1, 1, 4, 4, 255), (7, 1, 10, 4, 255), (4, 6, 7, 9, 255))
    found, _ = cv2.findContours(image.copy(), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    assert [cv2.contourArea(c) for c in found] == [4, 4, 4]
    x, y, width, height = cv2.boundingRect(found[0])
    assert boxes_above(image)[1] == [x, y, x + width, y + height]


def test_an_outer_edge_wins_against_a_hole_of_equal_area():
    """A diamond around one pixel, with a tail: both edges enclose 2, the outer one
    has the tail too."""
    image = canvas((2, 2, 3, 3, 255), (1, 3, 2, 4, 255), (3, 3, 4, 4, 255))
    image[4, 2] = image[1, 1] = 255
    assert boxes_above(image) == ([[1, 1, 4, 5], [1, 2, 4, 5]], [1, 1, 4, 5])


def test_all_levels_equal_one_level_at_a_time(rng):
    noise = cv2.GaussianBlur(rng.random((40, 50)), (7, 7), 0)
    image = contours.quantize(contours.scores_on_crop(noise, (50, 40)))
    found = contours.boxes_by_level(image)
    assert 100 < len(found.levels) <= 255
    ends = [*found.starts[1:], len(found.boxes)]
    for level in range(255):
        place = np.searchsorted(found.levels, level, side="right") - 1
        boxes, largest = contours.boxes_above(image, level)
        ours = found.boxes[found.starts[place] : ends[place]]
        assert sorted(ours.tolist()) == sorted(boxes.tolist())
        np.testing.assert_array_equal(found.boxes[found.largest[place]], boxes[largest])


def test_levels_of_thresholds_are_cut_down():
    # 0.003 x 255 = 0.765, 0.004 x 255 = 1.02, 0.2 x 255 = 51, 0.999 x 255 = 254.745
    assert contours.level_of([0, 0.003, 0.004, 0.2, 0.999]).tolist() == [
        0, 0, 1, 51, 254,
    ]  # fmt: skip


def test_scores_are_scaled_and_cut_down():
    scores = contours.scores_on_crop([[1.0, 2.0], [3.0, 5.0]], (2, 2))
    np.testing.assert_array_equal(scores, [[0, 0.25], [0.5, 1]])
    # 63.75, 127.5
    np.testing.assert_array_equal(contours.quantize(scores), [[0, 63], [127, 255]])


def test_maps_are_scaled_after_the_resize():
    """Bicubic overshoots next to an edge; scaling afterwards still ends at 0 and 1."""
    step = np.repeat([[0.0, 0.0, 1.0, 1.0]], 4, axis=0)
    resized = cv2.resize(step, (16, 12), interpolation=cv2.INTER_CUBIC)
    assert resized.max() > 1.05
    scores = contours.scores_on_crop(step.astype(np.float32), (16, 12))
    assert scores.shape == (12, 16)
    assert (scores.min(), scores.max()) == (0.0, 1.0)
    expected = (resized - resized.min()) / (resized.max() - resized.min())
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, 0.3])
def test_maps_without_scale_are_zero(value):
    score_map = np.full([4, 4], value, np.float32)
    assert not contours.scores_on_crop(score_map, (9, 8)).any()
    if not np.isfinite(value):  # one bad pixel is enough
        score_map[1:] = np.arange(12).reshape(3, 4)
        assert not contours.scores_on_crop(score_map, (9, 8)).any()
