"""PIoU of the journal extension's own evaluation, on its recorded maps and masks."""

import numpy as np
import pytest

from bas_tf.data.images import DrawnImage
from bas_tf.data.records import Record
from bas_tf.evaluators import ground_truth, pxap_protocol
from bas_tf.evaluators.predictions import Predictions
from bas_tf.metrics.segmentation import IGNORE, OBJECT

SIZE = (224, 224)


def test_piou(shared_dir):
    with np.load(shared_dir / "golden" / "wsss_piou.npz") as recorded:
        maps, masks = recorded["maps28"], recorded["masks224"]
        expected, threshold = recorded["PIoU"], recorded["best_threshold"]
    masks = np.select([masks == 1, masks == 255], [OBJECT, IGNORE], 0).astype(np.uint8)
    records = [
        Record("photo", 0, DrawnImage(None, SIZE), load_mask=lambda mask=mask: mask)
        for mask in masks
    ]
    zeros = np.zeros(len(maps), np.float32)
    evaluation = pxap_protocol.evaluate_predictions(
        Predictions(
            labels=zeros.astype(int), class_ids=np.zeros([len(maps), 0], np.int32),
            scores=zeros, maps=maps, boxes=np.zeros([len(maps), 4], np.float32),
            degenerate=zeros.astype(bool), cams=None,
        ),
        ground_truth.load_resized_truth(
            records, resize_size_wh=SIZE, crop_size_wh=SIZE
        ),
        records=records,
        score_threshold=0.5,
    )  # fmt: skip
    figure = evaluation.figures["piou"]
    assert 100 * figure.value == pytest.approx(expected, abs=1e-3)
    assert figure.score_thresholds == [pytest.approx(threshold)]
    assert figure.threshold_origin == "oracle"
    assert evaluation.metrics["peak_pixel_iou"] != figure.value  # another enlargement
