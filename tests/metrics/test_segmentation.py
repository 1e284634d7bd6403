"""Pixel figures by hand."""

import numpy as np
import pytest

from bas_tf.metrics import segmentation
from bas_tf.metrics.segmentation import IGNORE, OBJECT


def test_by_hand_with_ignored_pixels():
    mask = np.array([[OBJECT, OBJECT, 0], [OBJECT, 0, IGNORE]], np.uint8)
    score_map = np.array([[1.0, 0.6, 0.7], [0.5, 0.1, 0.9]], np.float32)
    # Strict: 0.5 is background. Predicted and counted: 1.0, 0.6, 0.7, two of them on
    # the object of three.
    first = segmentation.pixel_counts(score_map, mask, score_threshold=0.5)
    assert first == (3, 3, 2)
    assert segmentation.pixel_iou(np.array(first)) == 2 / (3 + 3 - 2)
    assert segmentation.pixel_precision(np.array(first)) == 2 / 3
    assert segmentation.is_peak_in_mask(score_map, mask)
    full = np.full_like(mask, OBJECT)
    second = segmentation.pixel_counts(score_map, full, score_threshold=0.95)
    assert second == (6, 1, 1)
    # Pooled: 3 shared, 9 object, 4 predicted. Means over images give the same.
    rows = np.array([first, second], float)
    for pooled in (rows.sum(axis=0), rows.mean(axis=0)):
        assert segmentation.pixel_iou(pooled) == pytest.approx(3 / (9 + 4 - 3))
    np.testing.assert_array_equal(segmentation.pixel_precision(rows), [2 / 3, 1])


def test_nothing_predicted_divides_by_nothing():
    empty = np.zeros([4, 4])
    counts = segmentation.pixel_counts(
        empty.astype(np.float32), empty.astype(np.uint8), score_threshold=0
    )
    assert counts == (0, 0, 0)
    for statistic in segmentation.POOLED.values():
        assert statistic(np.array(counts)) == 0.0


def test_the_peak_is_on_the_object_or_not():
    mask = np.array([[OBJECT, 0, IGNORE]], np.uint8)
    for place, expected in enumerate((True, False, False)):
        score_map = np.eye(3, dtype=np.float32)[[place]]
        assert segmentation.is_peak_in_mask(score_map, mask) is expected
    # All zeros, as of a degenerate map: the first pixel is no peak.
    assert not segmentation.is_peak_in_mask(np.zeros([1, 3], np.float32), mask)


def test_labels_by_hand():
    truth = np.array([[0, 0, 1, 255], [2, 2, 1, 255]], np.uint8)
    predicted = np.array([[0, 1, 1, 1], [2, 255, 3, 2]], np.uint8)
    confusion = segmentation.label_confusion(truth, predicted, 5)
    rows = [[1, 1, 0, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(confusion, np.pad(rows, [(0, 1), (0, 1)]))
    # 3 is predicted, never true: 0. 4 is neither.
    ious = [1 / 3, 1 / 3, 1 / 2, 0, np.nan]
    np.testing.assert_array_equal(segmentation.label_ious(confusion), ious)
    assert np.isnan(segmentation.label_ious(np.zeros([2, 3, 3]))).all()
