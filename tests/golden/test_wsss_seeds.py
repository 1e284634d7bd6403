"""Seeds and their mean IoU, against those of the journal extension."""

import numpy as np
import pytest

from bas_tf.metrics.segmentation import label_ious
from bas_tf.segmentation import seeds
from tests.golden import weights


def recorded_network(recorded, photo: str, kind: str):
    """Returns the recorded sum of a scale, shared out to the image and its mirror."""
    by_height = {round(recorded[f"{photo}/rgb"].shape[0] * float(s)): s
                 for s in ("1", "0.5", "1.5", "2")}  # fmt: skip

    def network(images):
        scale = by_height[images.shape[1]]
        name = "rgb" if scale == "1" else f"resized_{scale}"
        pixels = recorded[f"{photo}/{name}"]
        np.testing.assert_array_equal(images, [pixels, pixels[:, ::-1]])
        maps = recorded[f"f64/{photo}/o_{kind}_{scale}"].transpose(1, 2, 0)
        return np.stack([0.75 * maps, 0.25 * maps[:, ::-1]])

    return network


@pytest.mark.parametrize("photo", ["photo0", "photo1", "photo2"])
@pytest.mark.parametrize("fusion", ["bas", "cam", "both"])
def test_seeds(shared_dir, photo, fusion):
    recorded = weights.golden(shared_dir, "wsss_seeds")
    kinds = ("cam", "bas") if fusion == "both" else (fusion,)
    networks = [recorded_network(recorded, photo, kind) for kind in kinds]
    found = seeds.make_seeds(
        recorded[f"{photo}/rgb"],
        recorded[f"{photo}/keys"],
        lambda images: [of_kind(images) for of_kind in networks],
    )
    low, high = (recorded[f"f64/{photo}/{size}_{fusion}"] for size in ("low", "high"))
    np.testing.assert_allclose(found.low, low, rtol=0, atol=2.4e-6)
    np.testing.assert_allclose(found.high, high, rtol=0, atol=2.4e-6)
    labels = seeds.label_map(found.high, found.keys, 0.3)
    np.testing.assert_array_equal(labels, recorded[f"f64/{photo}/label_{fusion}_0.30"])


def test_mean_iou_at_each_threshold(shared_dir):
    """Photo 4 has a patch whose maps equal float32(0.3): there it is background."""
    recorded = weights.golden(shared_dir, "wsss_miou")
    np.testing.assert_array_equal(seeds.THRESHOLDS, recorded["seed/thresholds"])
    confusions = 0
    for i in range(5):
        maps, keys = recorded[f"seed/high{i}"], recorded[f"seed/keys{i}"]
        np.testing.assert_array_equal(
            seeds.label_map(maps, keys, 0.3), recorded[f"seed/labels{i}_0.30"]
        )
        truth = recorded[f"seed/truth{i}"]
        confusions += seeds.confusions_at_thresholds(maps, keys, truth, 21)
    np.testing.assert_array_equal(confusions, recorded["seed/confusion"])
    means = np.nanmean(label_ious(confusions), axis=-1)
    np.testing.assert_allclose(means, recorded["seed/miou"], rtol=1e-12)
    best = means.max(), seeds.THRESHOLDS[means.argmax()]
    assert best == pytest.approx(recorded["seed/best"])
