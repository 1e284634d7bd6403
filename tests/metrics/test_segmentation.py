"""Pixel figures by hand."""

import numpy as np
import pytest

from bas_tf.metrics.segmentation import IGNORE, OBJECT, SegmentationMetrics


def test_by_hand_with_ignored_pixels():
    mask = np.array([[OBJECT, OBJECT, 0], [OBJECT, 0, IGNORE]], np.uint8)
    score_map = np.array([[1.0, 0.6, 0.7], [0.5, 0.1, 0.9]], np.float32)
    metrics = SegmentationMetrics()
    metrics.update(score_map, mask, score_threshold=0.5)  # strict: 0.5 is background
    # Predicted and counted: 1.0, 0.6, 0.7, two of them on the object of three.
    assert metrics.results() == {
        "pixel_iou": 2 / (3 + 3 - 2),
        "pixel_precision": 2 / 3,
        "peak_in_mask": 1.0,
    }
    metrics.update(score_map, np.full_like(mask, OBJECT), score_threshold=0.95)
    # 1 of 6 more: 3 shared, 9 object, 4 predicted
    assert metrics.results()["pixel_iou"] == pytest.approx(3 / (9 + 4 - 3))


def test_nothing_predicted_divides_by_nothing():
    metrics = SegmentationMetrics()
    assert metrics.results() == {}
    empty = np.zeros([4, 4])
    metrics.update(empty.astype(np.float32), empty.astype(np.uint8), score_threshold=0)
    assert set(metrics.results().values()) == {0.0}
