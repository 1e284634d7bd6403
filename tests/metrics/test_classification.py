"""Top-k classes and accuracies by hand."""

import numpy as np

from bas_tf.metrics import classification


def test_top_classes_best_first_and_ties_by_id():
    scores = np.array([[0.1, 0.5, 0.1, 0.3], [0.25, 0.25, 0.25, 0.25]], np.float32)
    ids = classification.top_class_ids(scores, k=3)
    np.testing.assert_array_equal(ids, [[1, 3, 0], [0, 1, 2]])


def test_fewer_than_five_classes_give_all_of_them():
    ids = classification.top_class_ids(np.array([[0.2, 0.5, 0.3]]))
    np.testing.assert_array_equal(ids, [[1, 2, 0]])


def test_nan_scores_name_no_class():
    ids = classification.top_class_ids(np.array([[np.nan, 0.1, 0.9], [np.nan] * 3]))
    np.testing.assert_array_equal(ids, [[2, 1, -1], [-1, -1, -1]])


def test_accuracies_by_hand():
    ids = np.array([[0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [6, 5, 4, 3, 2], [0, 1, 2, 3, 4]])
    # First, second, not at all, fifth.
    values = classification.classification_values(ids, np.array([0, 0, 0, 4]))
    np.testing.assert_array_equal(values["top1_acc"], [1, 0, 0, 0])
    np.testing.assert_array_equal(values["top5_acc"], [1, 1, 0, 1])
