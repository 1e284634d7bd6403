"""Intervals by resampling, where the answer is known."""

import numpy as np
import pytest
import scipy.stats

from bas_tf.metrics.bootstrap import (
    RESAMPLES,
    bootstrap_interval,
    class_mean_intervals,
    maximum_intervals,
    mean_intervals,
)


def first(means):
    return means[:, 0]


def test_two_images_that_differ():
    # Half of the draws take one of each, a quarter twice the same: 0, 0.5 or 1.
    assert bootstrap_interval([[0.0], [1.0]], first) == (0.0, 1.0)


def test_each_resample_takes_its_own_maximum():
    # Means (1, 0), (0.5, 0.5) or (0, 1): the maximum is 1, 0.5 or 1. Either column
    # alone would go down to 0.
    rows = np.eye(2)
    assert bootstrap_interval(rows, lambda means: means.max(axis=1)) == (0.5, 1.0)


def test_no_spread_without_a_difference():
    assert bootstrap_interval([[0.3]], first) == (0.3, 0.3)
    assert bootstrap_interval(np.ones([50, 1], bool), first) == (1.0, 1.0)


def test_a_fraction_is_as_wide_as_the_binomial_says():
    rows = np.arange(200)[:, np.newaxis] < 140
    low, high = bootstrap_interval(rows, first)
    binomial = scipy.stats.binom(200, 0.7).ppf([0.025, 0.975]) / 200
    # With 1000 resamples the points are right to about one image of 200.
    assert (low, high) == pytest.approx(binomial, abs=1.01 / 200)


def test_every_resample_has_as_many_images_as_there_are():
    seen = []

    def count(means):
        seen.append(means)
        return means[:, 0]

    bootstrap_interval(np.ones([7, 2]), count)
    np.testing.assert_allclose(np.concatenate(seen), np.ones([RESAMPLES, 2]))


def test_the_same_twice():
    rows = np.random.default_rng(1).random((30, 1))
    assert bootstrap_interval(rows, first) == bootstrap_interval(rows, first)


def test_means_next_to_each_other_are_those_alone():
    rows = np.random.default_rng(2).random((40, 3))
    rows[:, 1] = rows[:, 1] > 0.5
    alone = [bootstrap_interval(rows[:, [k]], first) for k in range(3)]
    np.testing.assert_allclose(mean_intervals(rows), alone, atol=1e-12)


def test_a_class_mean_is_taken_anew_over_the_classes_present():
    # Class 0 has one image, right; class 1 has one, wrong. Draws of both give 1 / 2,
    # of one twice 1 or 0: over the one class that is there.
    rows, labels = np.array([[1.0], [0.0]]), np.array([0, 1])
    assert class_mean_intervals(rows, labels) == [(0.0, 1.0)]
    # All images of a class alike and the classes too: nothing to vary.
    assert class_mean_intervals(np.ones([9, 1]), np.arange(9) // 2) == [(1.0, 1.0)]


def test_every_table_has_its_own_maximum_in_every_resample():
    # As `test_each_resample_takes_its_own_maximum`, next to a table of one candidate.
    tables = [np.eye(2, dtype=bool), np.array([[0.0], [1.0]])]
    assert maximum_intervals(tables) == [(0.5, 1.0), (0.0, 1.0)]
