"""Means and intervals with the arithmetic shown."""

import numpy as np
import pytest
import scipy.stats

from bas_tf.errors import UserError
from bas_tf.metrics.sums import ClassSums, normal_interval, wilson_interval


def test_mean_over_images_and_over_classes():
    sums = ClassSums(4, is_fraction=True)
    sums.update([1, 1, 0], [0, 0, 0])  # class 0: 2 of 3
    sums.update([0], [2])  # class 2: 0 of 1; classes 1 and 3 have no image
    assert sums.count == 4
    assert sums.mean() == 2 / 4
    assert sums.class_mean() == pytest.approx((2 / 3 + 0) / 2)


def test_an_empty_batch_changes_nothing():
    sums = ClassSums(2, is_fraction=False)
    sums.update(np.array([]), np.array([]))
    assert sums.count == 0
    assert sums.interval_95() == (0.0, 1.0)


def test_wilson_equals_scipy():
    for right, count in [(0, 1), (1, 1), (7, 10), (480, 500)]:
        twin = scipy.stats.binomtest(right, count).proportion_ci(0.95, "wilson")
        assert wilson_interval(right, count) == pytest.approx(tuple(twin), abs=1e-12)


def test_normal_interval_by_hand():
    # 0.2, 0.4, 0.9: mean 0.5, variance (0.09 + 0.01 + 0.16) / 2 = 0.13,
    # half width 1.95996 x sqrt(0.13 / 3) = 0.40800
    low, high = normal_interval(1.5, 0.04 + 0.16 + 0.81, 3)
    assert (low, high) == pytest.approx((0.09200, 0.90800), abs=1e-5)


def test_normal_interval_stays_in_the_unit_range_and_needs_two_values():
    assert normal_interval(1.0, 1.0, 2) == (0.0, 1.0)  # 0.5 +- 0.98
    assert normal_interval(0.3, 0.09, 1) == (0.0, 1.0)


def test_the_interval_follows_the_kind_of_value():
    values, labels = [1, 0, 1, 1], [0, 1, 1, 0]
    fraction, mean = ClassSums(2, is_fraction=True), ClassSums(2, is_fraction=False)
    fraction.update(values, labels)
    mean.update(values, labels)
    assert fraction.interval_95() == wilson_interval(3, 4)
    assert mean.interval_95() == normal_interval(3, 3, 4)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_the_model_does_not_know_is_an_error(label):
    sums = ClassSums(3, is_fraction=True)
    with pytest.raises(UserError, match=r"3 classes: labels must be in 0\.\.2"):
        sums.update([1.0], [label])
