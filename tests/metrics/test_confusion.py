"""Confusions by hand."""

import numpy as np

from bas_tf.metrics.confusion import NO_CLASS, Confusion, confusion_counts, confusions

LABELS = np.array([0, 0, 0, 1, 1, 2, 2, 2])
PREDICTED = np.array([0, 1, 1, 1, 2, NO_CLASS, 0, 2])


def test_rows_are_true_and_columns_predicted_classes():
    counts = confusion_counts(LABELS, PREDICTED, 3)
    np.testing.assert_array_equal(counts, [[1, 2, 0, 0], [0, 1, 1, 0], [1, 0, 1, 1]])


def test_the_most_frequent_confusion_comes_first_then_the_lower_class():
    assert confusions(confusion_counts(LABELS, PREDICTED, 3)) == [
        Confusion(0, 1, 2),
        Confusion(1, 2, 1),
        Confusion(2, 0, 1),
        Confusion(2, NO_CLASS, 1),
    ]


def test_no_mistake_is_no_confusion():
    counts = confusion_counts(LABELS, LABELS, 3)
    assert confusions(counts) == []
    assert counts.sum() == np.trace(counts) == 8
