"""The mean IoU of label maps with true masks of several classes."""

from collections.abc import Sequence

import numpy as np

from bas_tf.data.records import Record
from bas_tf.evaluators.figures import Figure, pooled_figures
from bas_tf.evaluators.ground_truth import GroundTruth
from bas_tf.geometry.frames import CropFrame
from bas_tf.metrics.segmentation import count_ious, label_counts


def label_figures(
    segmentations: np.ndarray | None,
    truth: GroundTruth,
    records: Sequence[Record],
    class_names: Sequence[str],
) -> tuple[dict[str, Figure], dict]:
    """mIoU over background and classes, pooled over pixels, and the IoU of each.

    Args:
      segmentations: uint8 [records, crop_h, crop_w]; None of a model without any.
      truth: names the frame.
      records: those with masks of classes count.
      class_names: in the order of their labels.

    Returns:
      {"miou": Figure}, and "background_iou" and "class_ious", None for a label that is
      nowhere; both empty where there is nothing to compare.
    """
    if segmentations is None:
        return {}, {}
    counts = []
    for record, found in zip(records, segmentations, strict=True):
        if record.load_class_mask is not None:
            mask = record.load_class_mask()
            size_wh = mask.shape[1::-1]
            frame = CropFrame(size_wh, truth.resize_size_wh, truth.crop_size_wh)
            counts.append(
                label_counts(frame.mask_to_crop(mask), found, len(class_names) + 1)
            )
    if not counts:
        return {}, {}
    statistics = {"miou": lambda pooled: np.nanmean(count_ious(pooled), axis=-1)}
    figures = pooled_figures(counts, statistics, average="pixels", facts={})
    ious = count_ious(np.sum(counts, axis=0))
    background, *of_classes = [None if np.isnan(v) else float(v) for v in ious]
    return figures, {
        "background_iou": background,
        "class_ious": dict(zip(class_names, of_classes, strict=True)),
    }
