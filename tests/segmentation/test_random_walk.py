"""The walk against the dense matrix, and at its limits."""

import numpy as np
import pytest

from bas_tf.segmentation import affinity, random_walk


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (7, 3)])
def test_grids_narrower_than_the_radius(rng, size):
    """Every pair of cells, its way searched anew, in one matrix."""
    edge, maps = rng.random(size), rng.random([2, *size])
    cells = list(np.ndindex(size))
    matrix = np.eye(len(cells))
    for i, (y, x) in enumerate(cells):
        for j, (to_y, to_x) in enumerate(cells):
            dy, dx = to_y - y, to_x - x
            if (dy, dx) in affinity.offsets(random_walk.RADIUS):
                way = [edge[y + a, x + b] for a, b in affinity.path((dy, dx))]
                matrix[i, j] = matrix[j, i] = (1 - max(way)) ** 10
    steps = np.linalg.matrix_power(matrix / matrix.sum(axis=0), 7)
    expected = (maps.reshape(2, -1) @ steps).reshape(maps.shape)
    walked = random_walk.random_walk(maps, edge, steps=7)
    np.testing.assert_allclose(walked, expected, rtol=1e-12)


def test_a_seed_fills_its_side_of_an_edge_and_no_more():
    low, edge = np.zeros([1, 12, 12]), np.zeros([12, 12])
    edge[:, 6] = 1.0
    low[0, 5:7, 1:3] = 1.0
    mask = random_walk.masks_from_seeds(low, [4], edge, (46, 48))
    assert (mask[:, :22] == 5).all() and not mask[:, 26:].any()


def test_without_seeds_all_is_background():
    for low in (np.zeros([0, 3, 4]), np.zeros([2, 3, 4])):
        mask = random_walk.masks_from_seeds(
            low, np.arange(len(low)), np.zeros([3, 4]), (14, 10)
        )
        assert mask.shape == (10, 14) and not mask.any()
