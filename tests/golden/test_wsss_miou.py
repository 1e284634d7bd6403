"""Mean IoU of label maps against the journal extension's recorded one."""

import numpy as np
import pytest

from bas_tf.metrics.segmentation import label_confusion, label_ious
from tests.golden import weights


def test_confusion_and_mean_iou_of_masks(shared_dir):
    recorded = weights.golden(shared_dir, "wsss_miou")
    confusion = sum(
        label_confusion(recorded[f"seed/truth{i}"], recorded[f"mask/pred{i}"], 21)
        for i in range(5)
    )
    np.testing.assert_array_equal(confusion, recorded["mask/confusion"])
    ious = label_ious(confusion)
    np.testing.assert_allclose(ious, recorded["mask/iou"], rtol=1e-12)
    assert np.nanmean(ious) == pytest.approx(recorded["mask/miou"], rel=1e-12)
