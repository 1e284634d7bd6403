"""The dense CRF and the confident labels against those of pydensecrf's lattice."""

import numpy as np
import pytest

from bas_tf.refinement.dense_crf import mean_field
from bas_tf.segmentation.confident_labels import confident_labels
from tests.golden import weights


@pytest.fixture(scope="module")
def recorded(shared_dir) -> dict[str, np.ndarray]:
    return weights.golden(shared_dir, "wsss_crf")


@pytest.mark.parametrize("photo", ["small0", "small1", "small2"])
def test_beliefs(recorded, photo):
    """The lattice's own; those of exact sums within what it is known to be off."""
    lattice, exact = (recorded[f"{photo}/{k}_Q10"] for k in ("lattice", "brute"))
    rgb, labels = recorded[f"{photo}/rgb"], recorded[f"{photo}/labels"]
    found = mean_field(rgb, labels[np.newaxis], len(exact))[0].transpose(2, 0, 1)
    np.testing.assert_allclose(found, lattice, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found, exact, rtol=0, atol=6e-3)
    np.testing.assert_array_equal(found.argmax(0), recorded[f"{photo}/brute_map"])


@pytest.mark.parametrize("photo", ["photo0", "photo1", "photo2"])
def test_confident_labels(shared_dir, recorded, photo):
    with np.load(shared_dir / "golden" / "wsss_seeds.npz") as seeds:
        found = confident_labels(
            seeds[f"f64/{photo}/high_both"], seeds[f"{photo}/keys"],
            seeds[f"{photo}/rgb"],
        )  # fmt: skip
    # Measured: all.
    assert (found == recorded[f"{photo}/label"]).mean() > 0.999
