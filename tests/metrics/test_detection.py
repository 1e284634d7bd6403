"""Greedy matching by hand."""

import numpy as np
import pytest

from bas_tf.metrics.detection import box_counts, class_counts, precision, recall

TRUE = np.array([[0, 0, 10, 10], [20, 0, 30, 10]])


@pytest.mark.parametrize(
    ("boxes", "right"),
    [
        ([[0, 0, 10, 5]], 1),  # IoU 50 / 100: equal counts
        ([[0, 0, 10, 4.9]], 0),
        ([[0, 0, 10, 10], [0, 0, 10, 9]], 1),  # a true box is taken once
        ([[0, 0, 10, 9], [20, 0, 30, 10], [0, 0, 10, 10]], 2),  # by the better score
        ([[0, 0, 30, 10]], 0),  # both in one: IoU 1 / 3
    ],
)
def test_right_boxes_of_an_image(boxes, right):
    assert box_counts(np.array(boxes), TRUE) == (right, len(boxes), 2)


def test_a_box_takes_the_closest_true_box_that_is_free():
    true = np.array([[0, 0, 10, 10], [0, 0, 10, 8]])
    assert box_counts(np.array([[0, 0, 10, 8], [0, 0, 10, 8]]), true) == (2, 2, 2)


def test_boxes_around_classes():
    """Class 0 is right, 1 a small part, 2 missed; what is ignored is no class."""
    truth, found = np.zeros([2, 20, 20], np.uint8)
    truth[:10, :10], truth[10:, :10], truth[:4, 15:], truth[15:, 15:] = 1, 2, 3, 255
    found[:10, :8], found[19, 0], found[10:14, :10], found[0, 19] = 1, 1, 2, 4
    assert class_counts(found, truth) == (1, 2, 3)


def test_pooled_over_images():
    counts = np.array([[1, 1, 2], [2, 4, 2]])
    assert precision(counts.sum(axis=0)) == 3 / 5
    assert recall(counts.sum(axis=0)) == 3 / 4
    assert precision([0, 0, 2]) == recall([0, 2, 0]) == 0
