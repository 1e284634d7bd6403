"""Class means by hand."""

import numpy as np

from bas_tf.metrics.by_class import means_by_class


def test_means_are_over_the_images_that_count():
    values = np.array([1.0, np.nan, 0.5, 0.0, np.nan])
    means = means_by_class(values, np.array([0, 0, 2, 2, 3]), 5)
    # Class 1 and 4 have no image, class 3 none that counts.
    np.testing.assert_array_equal(means, [1.0, np.nan, 0.25, np.nan, np.nan])


def test_flags_are_values_too():
    means = means_by_class(np.array([True, False, True]), np.array([1, 1, 0]), 2)
    np.testing.assert_array_equal(means, [1.0, 0.5])


def test_without_an_image_no_class_has_a_mean():
    means = means_by_class(np.empty(0), np.empty(0, np.int64), 2)
    np.testing.assert_array_equal(means, [np.nan, np.nan])
