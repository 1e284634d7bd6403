"""Confident labels by hand."""

import numpy as np

from bas_tf.names import UNSURE_LABEL
from bas_tf.segmentation.confident_labels import confident_labels


def test_between_the_thresholds_nothing_is_sure():
    """Thirds of a photo, each of its colour, at 0, 0.2 and 0.9; cut at 0.3 or 0.5."""
    photo = np.zeros([24, 36, 3], np.uint8)
    photo[:, 12:24], photo[:, 24:] = 100, 200
    high = np.zeros([2, 24, 36], np.float32)
    high[1, :, 12:24], high[1, :, 24:] = 0.2, 0.9
    labels = confident_labels(high, np.array([2, 7]), photo)
    expected = np.repeat([[0, UNSURE_LABEL, 8]], 12, axis=1)
    np.testing.assert_array_equal(labels, np.broadcast_to(expected, labels.shape))
    labels = confident_labels(high, np.array([2, 7]), photo, threshold=0.5)
    expected = np.repeat([[0, 0, 8]], 12, axis=1)  # its low cut is at 0.28
    np.testing.assert_array_equal(labels, np.broadcast_to(expected, labels.shape))


def test_without_labels_all_is_background():
    photo = np.zeros([3, 4, 3], np.uint8)
    labels = confident_labels(np.zeros([0, 3, 4]), np.zeros(0, int), photo)
    np.testing.assert_array_equal(labels, np.zeros([3, 4]))
