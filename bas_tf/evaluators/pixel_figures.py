"""Figures about pixels, over the images that have masks: of objects, of classes."""

from collections.abc import Sequence

import numpy as np

from bas_tf.data.records import Record
from bas_tf.errors import UserError
from bas_tf.evaluators import ground_truth
from bas_tf.evaluators.figures import (
    Facts,
    Figure,
    box_facts,
    mean_figures,
    pooled_figures,
)
from bas_tf.evaluators.ground_truth import GroundTruth
from bas_tf.geometry.components import normalize_map, resize_map
from bas_tf.geometry.frames import CropFrame
from bas_tf.metrics import detection, segmentation


def pixel_figures(
    maps: np.ndarray,
    truth: GroundTruth,
    records: Sequence[Record],
    score_threshold: float,
    at: Facts,
) -> dict[str, Figure]:
    """Protocol `bas`: pixel IoU and precision, pooled, and how often the peak is on it.

    A resample pools the images' pixels.

    Args:
      maps: float32 [records, h, w], not normalised.
      truth: names the frame.
      records: those with masks count; without any there is no figure.
      at: the facts about the threshold and the map.

    Raises:
      UserError: no mask has an object.
      DataError: a mask cannot be read.
    """
    counts, peaks = [], []
    masks = ground_truth.crop_masks(
        records, resize_size_wh=truth.resize_size_wh, crop_size_wh=truth.crop_size_wh
    )
    for image, mask in masks:
        score_map = resize_map(normalize_map(maps[image]), truth.crop_size_wh)
        counts.append(
            segmentation.pixel_counts(score_map, mask, score_threshold=score_threshold)
        )
        peaks.append(segmentation.is_peak_in_mask(score_map, mask))
    if not counts:
        return {}
    if not np.any(counts, axis=0)[0]:
        raise UserError(
            f"protocol bas: {len(counts)} of {len(records)} images have a mask, and "
            f"none of those an object pixel (value {segmentation.OBJECT})"
        )
    return {
        **pooled_figures(counts, segmentation.POOLED, average="pixels", facts=at),
        **mean_figures(
            {"peak_in_mask": np.array(peaks)},
            {"peak_in_mask": {"map_class": at["map_class"]}},
        ),
    }


def label_figures(
    segmentations: np.ndarray | None,
    truth: GroundTruth,
    records: Sequence[Record],
    class_names: Sequence[str],
) -> tuple[dict[str, Figure], dict]:
    """mIoU over background and classes, pooled over pixels, and the classes' boxes.

    Args:
      segmentations: uint8 [records, crop_h, crop_w]; None of a model without any.
      truth: names the frame.
      records: those with masks of classes count.
      class_names: in the order of their labels.

    Returns:
      {name of LABEL_FIGURES: Figure}, and "background_iou" and "class_ious", None for
      a label that is nowhere; both empty where there is nothing to compare.
    """
    if segmentations is None:
        return {}, {}
    counts, boxes = [], []
    for record, found in zip(records, segmentations, strict=True):
        if record.load_class_mask is not None:
            mask = record.load_class_mask()
            size_wh = mask.shape[1::-1]
            frame = CropFrame(size_wh, truth.resize_size_wh, truth.crop_size_wh)
            mask = frame.mask_to_crop(mask)
            counts.append(segmentation.label_counts(mask, found, len(class_names) + 1))
            boxes.append(detection.class_counts(found, mask))
    if not counts:
        return {}, {}
    statistics = {
        "miou": lambda pooled: np.nanmean(segmentation.count_ious(pooled), axis=-1)
    }
    at = box_facts(detection.IOU_THRESHOLD, detection.COMPARISON)
    figures = {
        **pooled_figures(counts, statistics, average="pixels", facts={}),
        **pooled_figures(boxes, detection.POOLED_OF_CLASSES, average="boxes", facts=at),
    }
    ious = segmentation.count_ious(np.sum(counts, axis=0))
    background, *of_classes = [None if np.isnan(v) else float(v) for v in ious]
    return figures, {
        "background_iou": background,
        "class_ious": dict(zip(class_names, of_classes, strict=True)),
    }
