"""Paths, affinities, random walk and masks, against recorded ones of IRN's code."""

import numpy as np
import pytest

from bas_tf.segmentation import affinity
from bas_tf.segmentation.random_walk import masks_from_seeds, random_walk
from tests.golden import weights


@pytest.fixture(scope="module")
def recorded(shared_dir) -> dict[str, np.ndarray]:
    return weights.golden(shared_dir, "wsss_edge")


@pytest.mark.parametrize("radius", [5, 10])
def test_paths_and_affinities(recorded, radius):
    """Recorded sources have every pair inside the grid; offsets are grouped."""
    offsets = [tuple(o) for o in recorded[f"paths/r{radius}/offsets"].tolist()]
    ours = affinity.offsets(radius)
    assert sorted(ours) == sorted(offsets)
    ends = np.cumsum(recorded[f"paths/r{radius}/lengths"])
    paths = np.split(recorded[f"paths/r{radius}/cells"], ends[:-1])
    for offset, path in zip(offsets, paths, strict=True):
        assert sorted(affinity.path(offset)) == sorted(map(tuple, path.tolist()))

    reach, height, width = radius - 1, *recorded["edge"].shape
    found = affinity.affinities(recorded["edge"].astype(np.float64), radius)
    found = found[:, : height - reach, reach : width - reach]
    order = [ours.index(offset) for offset in offsets]
    np.testing.assert_array_equal(
        found.reshape(len(ours), -1)[order], recorded[f"f64/affinity_r{radius}"]
    )


def test_walk_is_that_of_the_dense_matrix(recorded):
    low, edge = recorded["low"].astype(np.float64), recorded["edge"]
    expected = recorded["f64/walk_r5_b10_t8/rw"]
    walked = random_walk(low**1.5 * (1 - edge.astype(np.float64)), edge)
    # Measured: 3e-13 of the maximum.
    np.testing.assert_allclose(walked, expected, rtol=0, atol=1e-11 * expected.max())
    mask = masks_from_seeds(low, [3, 7], edge, (95, 94))
    np.testing.assert_array_equal(mask, recorded["f64/walk_r5_b10_t8/mask_0.22"])


@pytest.mark.parametrize("photo", ["photo0", "photo1", "photo2"])
def test_masks_of_photos(shared_dir, recorded, photo):
    with np.load(shared_dir / "golden" / "wsss_seeds.npz") as seeds:
        low, keys = seeds[f"f64/{photo}/low_both"], seeds[f"{photo}/keys"]
    mask = recorded[f"f64/{photo}/mask"]
    edge = recorded[f"f64/{photo}/edge_crop128"]
    found = masks_from_seeds(low, keys, edge, mask.shape[::-1])
    assert (found != mask).sum() <= 1  # float32 maps at the threshold
