"""The dense CRF by hand and against exact sums."""

import numpy as np

from bas_tf.refinement.dense_crf import GaussianFilter, mean_field


def test_filter_is_close_to_exact_sums(rng):
    """On points dense in their space, as pixels are."""
    points = rng.random([1000, 3]) * 4
    values = (points[:, 0] > 2).astype(np.float32)
    apart = ((points[:, np.newaxis] - points) ** 2).sum(axis=-1)
    kernel = np.exp(-apart / 2)
    scale = kernel.sum(axis=1) ** -0.5
    exact = scale * (kernel @ (scale * values))
    found = GaussianFilter(points)(values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, atol=0.1)
    assert np.corrcoef(found, exact)[0, 1] > 0.99


def test_labels_move_to_the_edge_of_a_colour():
    """Cut four columns too far to the right, with a lone pixel on the left."""
    photo = np.full([24, 32, 3], 40, np.uint8)
    photo[:, :16] = 200
    labels = np.zeros([1, 24, 32], int)
    labels[:, :, 20:] = 1
    labels[:, 5, 3] = 1
    found = mean_field(photo, labels, 2).argmax(axis=-1)
    expected = np.broadcast_to(np.arange(32) >= 16, [1, 24, 32])
    np.testing.assert_array_equal(found, expected)
