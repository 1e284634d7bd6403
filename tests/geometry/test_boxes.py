"""IoU by hand and against recorded numbers."""

import numpy as np
import pytest

from bas_tf.geometry import boxes


def test_half_open_iou_by_hand():
    a = [[0, 0, 10, 10]]
    b = [[5, 0, 15, 10], [0, 0, 10, 10], [10, 0, 20, 10], [2, 2, 4, 7]]
    # 50 / (100 + 100 - 50), the same box, only an edge shared, 10 / 100
    expected = [[50 / 150, 1.0, 0.0, 0.1]]
    np.testing.assert_allclose(boxes.iou_xyxy(a, b), expected, rtol=1e-12)


def test_plus_one_iou_by_hand():
    a = [[0, 0, 9, 9]]
    b = [[5, 0, 14, 9], [9, 0, 18, 9], [10, 0, 19, 9]]
    # Every side is 10: 5 x 10 shared of 150; 1 x 10 of 190; nothing.
    expected = [[50 / 150, 10 / 190, 0.0]]
    np.testing.assert_allclose(boxes.iou_plus_one(a, b), expected, rtol=1e-12)


def test_share_covered_by_hand():
    a = [[0, 0, 9, 9], [0, 0, 19, 9], [5, 5, 3, 20]]
    by = [[5, 0, 14, 9], [0, 0, 99, 99]]
    # Every side is one more: 5 x 10 of 100 and all; 10 x 10 of 200 and all; inverted.
    expected = [[0.5, 1.0], [0.5, 1.0], [0.0, 0.0]]
    np.testing.assert_allclose(boxes.share_covered_plus_one(a, by), expected)


def test_pairs_are_rows_by_columns(rng):
    corners = np.sort(rng.uniform(0, 50, [7, 2, 2]), axis=1).reshape(7, 4)
    table = boxes.iou_xyxy(corners[:3], corners[3:])
    assert table.shape == (3, 4)
    for i in range(3):
        for j in range(4):
            one = boxes.iou_xyxy(corners[[i]], corners[[3 + j]])
            np.testing.assert_allclose(table[i, j], one[0, 0], rtol=1e-12)


@pytest.mark.parametrize("iou", [boxes.iou_xyxy, boxes.iou_plus_one])
@pytest.mark.parametrize("bad", [[50, 50, 40, 40], [5, 5, 3, 20], [np.nan, 0, 10, 10]])
def test_inverted_and_nan_boxes_overlap_nothing(iou, bad):
    np.testing.assert_array_equal(iou([bad], [[0, 0, 100, 100]]), [[0.0]])


def test_empty_boxes_divide_by_nothing():
    np.testing.assert_array_equal(boxes.iou_xyxy([[3, 3, 3, 3]], [[3, 3, 3, 3]]), [[0]])
    assert boxes.iou_xyxy(np.empty([0, 4]), [[0, 0, 1, 1]]).shape == (0, 1)


def test_box_from_mask_is_half_open():
    mask = np.zeros([6, 8], np.uint8)
    mask[2, 3] = 255
    np.testing.assert_array_equal(boxes.box_from_mask(mask), [3, 2, 4, 3])
    mask[5, 7] = 1
    np.testing.assert_array_equal(boxes.box_from_mask(mask), [3, 2, 8, 6])


def test_box_from_an_empty_mask_is_an_error():
    with pytest.raises(ValueError, match="no object pixel"):
        boxes.box_from_mask(np.zeros([4, 4], bool))
