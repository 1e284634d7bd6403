"""Localization figures by hand."""

import numpy as np

from bas_tf.metrics import localization


def test_the_best_of_several_true_boxes_counts():
    # With the extra pixel, sides are 10: 50 / 150 with the first, 1 with the second.
    true_boxes = np.array([[5, 0, 14, 9], [0, 0, 9, 9]])
    ious = localization.best_ious(np.array([[0, 0, 9, 9], [5, 0, 14, 9]]), true_boxes)
    np.testing.assert_allclose(ious, [1.0, 1.0])
    ious = localization.best_ious(np.array([[0, 0, 9, 9]]), true_boxes[:1])
    np.testing.assert_allclose(ious, [50 / 150])


def test_thresholds_are_strict():
    ious = np.array([0.5, 0.5 + 1e-9, 0.7, 0.7 + 1e-9])
    ids, labels = np.zeros([4, 1], int), np.zeros(4, int)
    values = localization.localization_values(ious, ids, labels)
    np.testing.assert_array_equal(values["gt_known_loc"], [0, 1, 1, 1])
    np.testing.assert_array_equal(values["gt_known_loc@0.7"], [0, 0, 0, 1])
    low = np.array([0.3, 0.3 + 1e-9, 0.29, 0.5])
    values = localization.localization_values(low, ids, labels)
    np.testing.assert_array_equal(values["gt_known_loc@0.3"], [0, 1, 0, 1])


def test_top_localization_needs_the_class_too():
    ids = np.array([[0, 1, 2, 3, 4]] * 4)
    #        right box & class, right box & third class, wrong class, wrong box
    ious, labels = np.array([0.9, 0.6, 0.8, 0.1]), np.array([0, 2, 5, 0])
    values = localization.localization_values(ious, ids, labels)
    assert {name: value.tolist() for name, value in values.items()} == {
        "gt_known_loc": [True, True, True, False],
        "gt_known_loc@0.3": [True, True, True, False],
        "gt_known_loc@0.7": [True, False, True, False],
        "top1_loc": [True, False, False, False],
        "top5_loc": [True, True, False, False],
        "mean_iou": [0.9, 0.6, 0.8, 0.1],
    }
    predicted = localization.localization_values(ious, ids, labels, "predicted")
    assert set(values) | set(predicted) == set(localization.IOU_THRESHOLDS)
    # Only where the class is right are both maps the same.
    assert set(values) & set(predicted) == {"top1_loc"}
    ious[:2] = 0.5, np.nextafter(0.5, 0)
    assert {
        name: value.tolist()
        for name, value in localization.extension_values(ious, ids, labels).items()
    } == {
        "extension/gt_known_loc": [True, False, True, False],
        "extension/top1_loc": [True, False, False, False],
        "extension/top5_loc": [True, False, False, False],
    }


def test_candidates_broadcast_over_images():
    ious = np.array([[0.6, 0.4], [0.9, 0.9]])
    ids, labels = np.array([[1], [1]]), np.array([1, 0])
    values = localization.localization_values(ious, ids, labels)
    np.testing.assert_array_equal(values["top1_loc"], [[1, 0], [0, 0]])
    np.testing.assert_array_equal(values["gt_known_loc"], [[1, 0], [1, 1]])
