"""The sweep over thresholds, by hand and next to one threshold at a time."""

import cv2
import numpy as np
import pytest

from bas_tf.geometry import contours
from bas_tf.geometry.boxes import iou_plus_one
from bas_tf.metrics import box_accuracy
from bas_tf.metrics.box_accuracy import THRESHOLDS, sweep_maps

SIZE = 40


def hill(inner: float, outer: float) -> np.ndarray:
    """1 at one pixel, `inner` on 10..20, `outer` on 5..30, 0 elsewhere."""
    score_map = np.zeros([SIZE, SIZE])
    score_map[5:30, 5:30] = outer
    score_map[10:20, 10:20] = inner
    score_map[15, 15] = 1.0
    return score_map


def sweep(maps, true_boxes):
    boxes = [np.reshape(b, (-1, 4)) for b in true_boxes]
    return sweep_maps(maps, boxes, crop_size_wh=(SIZE, SIZE))


INNER, OUTER = [10, 10, 20, 20], [5, 5, 30, 30]


def test_a_map_is_right_between_the_levels_of_its_parts():
    # 0.3 x 255 = 76.5 and 0.8 x 255 = 204: the inner square alone is above the levels
    # 76 to 203, thresholds 0.299 (76.2) to 0.799 (203.7).
    counts = sweep([hill(0.8, 0.3)], [INNER]).num_correct(iou_threshold=0.7)
    right = np.flatnonzero(counts)
    assert (right.min(), right.max(), len(right)) == (299, 799, 501)


def test_iou_counts_the_extra_pixel_and_equality_is_right():
    # The outer box covers 26 x 26 with the extra pixel, the true one 11 x 11: 121 / 676
    found = sweep([hill(0.8, 0.3)], [INNER])
    assert found.single[0, 0] == pytest.approx(121 / 676)
    # The inner box against 11 x 22: exactly one half.
    exact = sweep([hill(0.8, 0.3)], [[10, 10, 20, 31]])
    assert exact.single[0, 100] == 0.5
    assert exact.num_correct(iou_threshold=0.5)[500] == 1


def test_the_better_of_two_true_boxes_counts():
    found = sweep([hill(0.8, 0.3)], [[INNER, OUTER]])
    assert found.single[0, 0] == found.single[0, 100] == 1.0


def test_any_contour_is_enough_for_v2():
    score_map = np.zeros([SIZE, SIZE])
    score_map[2:6, 2:6] = 0.5
    score_map[20:35, 20:35] = 1.0
    found = sweep([score_map], [[2, 2, 6, 6]])
    assert found.multi[0, 0] == 1.0
    assert found.single[0, 0] == 0.0
    # Above 127.5 only the other square is left.
    assert (found.multi[0, 126], found.multi[0, 127]) == (1.0, 0.0)
    right = found.num_correct(iou_threshold=0.7, multi=True)
    assert right[: int(127 / 0.255)].all() and not right[500:].any()


def test_a_hole_counts_as_a_contour():
    score_map = np.zeros([SIZE, SIZE])
    score_map[1:9, 1:9] = 1.0
    score_map[3:7, 3:7] = 0.0
    found = sweep([score_map], [[2, 2, 8, 8]])
    assert (found.single[0, 0], found.multi[0, 0]) == (49 / 81, 1.0)


@pytest.mark.parametrize("value", [0.0, 0.7, np.nan])
def test_a_map_without_scale_is_the_corner_pixel_at_every_threshold(value):
    found = sweep([np.full([7, 7], value)], [[0, 0, 1, 3]])
    # One pixel of 2 x 4.
    np.testing.assert_array_equal(found.single, np.full([1, 255], 1 / 8))
    np.testing.assert_array_equal(found.multi, found.single)


def test_the_best_threshold_is_one_for_all_images():
    """Each map is right somewhere, no threshold is right for both.

    The first needs the outer square (t < 0.3), the second the inner one (t >= 0.5).
    The maximum image by image would be 2 of 2.
    """
    found = sweep([hill(0.8, 0.3), hill(0.8, 0.5)], [OUTER, INNER])
    right = found.is_right(iou_threshold=0.5)
    assert right.any(axis=1).tolist() == [True, True]
    assert found.num_correct(iou_threshold=0.5).max() == 1


def test_of_equally_good_thresholds_the_higher_mean_iou_decides():
    # True box 5..36: outer square 26 x 26 of 32 x 32, IoU 0.66; a halo over 3..38 has
    # 36 x 36: 0.79. Both are right; the halo is lower.
    score_map = hill(0.8, 0.31)
    score_map[3:38, 3:38] = np.maximum(score_map[3:38, 3:38], 0.11)
    found = sweep([score_map], [[5, 5, 36, 36]])
    assert found.single[0, 0] == 1024 / 1296
    assert found.best_threshold() == 0.0
    # With the true box 5..32 (28 x 28) the halo falls to 0.60, the square is 0.86.
    found = sweep([score_map], [[5, 5, 32, 32]])
    assert found.single[0, 0] == 784 / 1296
    # 0.11 x 255 = 28.05 becomes 28; t = 0.110 is the first above: 28.05
    assert found.best_threshold() == pytest.approx(0.110, abs=1e-9)


def test_no_maps():
    found = sweep([], [])
    assert len(found) == 0
    assert found.single.shape == found.multi.shape == (0, 255)


def count_one_threshold_at_a_time(maps, true_boxes, crop_wh) -> np.ndarray:
    """Right maps, [2, 3, 1000]: largest and any contour, IoU thresholds, thresholds.

    One search for contours for each map and threshold, as the public evaluator does.
    """
    counts = np.zeros([2, 3, len(THRESHOLDS)], np.int64)
    for score_map, boxes in zip(maps, true_boxes, strict=True):
        image = contours.quantize(contours.scores_on_crop(score_map, crop_wh))
        for t, threshold in enumerate(THRESHOLDS):
            level = int(threshold * image.max())
            _, foreground = cv2.threshold(image, level, 255, cv2.THRESH_BINARY)
            found, _ = cv2.findContours(
                foreground, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE
            )
            largest = max(found, key=cv2.contourArea)
            for row, chosen in enumerate(([largest], found)):
                rectangles = np.array([cv2.boundingRect(c) for c in chosen])
                high = np.minimum(rectangles[:, :2] + rectangles[:, 2:], crop_wh[0] - 1)
                ious = iou_plus_one(np.hstack([rectangles[:, :2], high]), boxes)
                counts[row, :, t] += ious.max() >= box_accuracy.IOU_THRESHOLDS
    return counts


def test_one_pass_equals_one_threshold_at_a_time():
    crop_wh, rng = (224, 224), np.random.default_rng(3)
    y, x = np.mgrid[:28, :28]
    blob = np.exp(-(((x - 12) / 5) ** 2) - ((y - 15) / 7) ** 2)
    noise = 0.3 * rng.standard_normal([2, 28, 28])
    blobs = 1 / (1 + np.exp(3 - 8 * blob - noise))
    maps = np.concatenate([blobs, rng.random([1, 28, 28]) ** 8]).astype(np.float32)
    boxes = np.array([[[56, 64, 136, 176]], [[60, 80, 130, 160]], [[9, 9, 99, 99]]])
    swept = sweep_maps(maps, boxes, crop_size_wh=crop_wh)
    ours = [
        [
            swept.num_correct(iou_threshold=delta, multi=multi)
            for delta in box_accuracy.IOU_THRESHOLDS
        ]
        for multi in (False, True)
    ]
    expected = count_one_threshold_at_a_time(maps, boxes, crop_wh)
    assert expected.max() > 0 and expected.min() == 0
    np.testing.assert_array_equal(ours, expected)
