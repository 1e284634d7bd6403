"""Normalising and resizing in TensorFlow against their NumPy twins."""

import numpy as np
import pytest
import tensorflow as tf

from bas_tf.geometry import components
from bas_tf.ops import score_maps


def test_normalize_equals_its_twin_map_by_map(rng):
    maps = rng.normal(size=[5, 6, 9, 1]).astype(np.float32) * [[[[0.01]]]]
    ours = score_maps.normalize_min_max(tf.constant(maps, tf.float32)).numpy()
    for i in range(5):
        twin = components.normalize_map(maps[i, ..., 0])
        np.testing.assert_array_equal(ours[i, ..., 0], twin)
        assert (ours[i].min(), ours[i].max()) == (0.0, 1.0)


@pytest.mark.parametrize("value", [0.0, 0.7, np.nan, np.inf])
def test_maps_without_a_scale_become_zero_and_leave_others_alone(value):
    maps = np.zeros([2, 3, 3, 1], np.float32)
    maps[0], maps[1, 1, 1] = value, 4.0
    ours = score_maps.normalize_min_max(tf.constant(maps)).numpy()
    np.testing.assert_array_equal(ours[0], np.zeros([3, 3, 1]))
    np.testing.assert_array_equal(ours[1], maps[1] / 4.0)


def test_a_single_nan_spoils_its_map():
    maps = np.arange(8, dtype=np.float32).reshape(1, 2, 4, 1)
    maps[0, 1, 2] = np.nan
    ours = score_maps.normalize_min_max(tf.constant(maps))
    np.testing.assert_array_equal(ours, np.zeros_like(maps))


@pytest.mark.parametrize("size_hw", [(224, 224), (17, 40), (5, 3)])
def test_resize_equals_its_twin(rng, size_hw):
    maps = rng.random([2, 28, 14, 1]).astype(np.float32)
    ours = score_maps.resize_bilinear(tf.constant(maps), size_hw).numpy()
    for i in range(2):
        twin = components.resize_map(maps[i, ..., 0], size_hw[::-1])
        # TensorFlow rounds its source positions (up to 28) to float32.
        np.testing.assert_allclose(ours[i, ..., 0], twin, atol=2e-6)
