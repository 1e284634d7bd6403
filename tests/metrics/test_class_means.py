"""Means over classes by hand, and against a slow twin."""

import numpy as np
import pytest

from bas_tf.metrics.class_means import ClassMeans


def class_means(values, labels, weights=None):
    weights = np.ones([1, len(labels)]) if weights is None else np.array(weights, float)
    rows = np.array(values)[:, np.newaxis]
    return ClassMeans(np.array(labels)).of(rows, weights)[:, 0]


def test_every_class_counts_once():
    # Class 0: 2 of 3, class 2: 0 of 1; classes 1 and 3 have no image.
    assert class_means([1, 0, 1, 0], [0, 2, 0, 0]) == pytest.approx([(2 / 3 + 0) / 2])


def test_weights_repeat_images_and_take_classes_away():
    # Class 0: (2 x 1 + 0) / 3, class 1: 1. Then class 1 alone. Then class 0 alone.
    means = class_means([1, 0, 1], [0, 0, 1], [[2, 1, 1], [0, 0, 3], [1, 3, 0]])
    assert means == pytest.approx([(2 / 3 + 1) / 2, 1, 1 / 4])


def test_equals_a_loop_over_classes():
    rng = np.random.default_rng(0)
    labels, rows = rng.integers(5, 40, 200), rng.random((200, 3))
    weights = rng.integers(0, 2, [4, 200]).astype(float)
    expected = [
        np.mean(
            [
                np.average(rows[labels == c], axis=0, weights=w[labels == c])
                for c in np.unique(labels[w > 0])
            ],
            axis=0,
        )
        for w in weights
    ]
    np.testing.assert_allclose(ClassMeans(labels).of(rows, weights), expected)
