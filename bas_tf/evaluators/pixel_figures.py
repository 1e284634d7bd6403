"""Figures of protocol `bas` about pixels, over the images that have masks."""

from collections.abc import Sequence

import numpy as np

from bas_tf.data.records import Record
from bas_tf.evaluators import ground_truth
from bas_tf.evaluators.figures import Facts, Figure, mean_figures, pooled_figures
from bas_tf.evaluators.ground_truth import GroundTruth
from bas_tf.geometry.components import normalize_map, resize_map
from bas_tf.metrics import segmentation


def pixel_figures(
    maps: np.ndarray,
    truth: GroundTruth,
    records: Sequence[Record],
    score_threshold: float,
    at: Facts,
) -> dict[str, Figure]:
    """Pixel IoU and precision, pooled, and how often the peak is on the object.

    A resample pools the images' pixels.

    Args:
      maps: float32 [records, h, w], not normalised.
      truth: names the frame.
      records: those with masks count; without any there is no figure.
      score_threshold: in [0, 1], of the foreground.
      at: the facts about the threshold and the map.

    Raises:
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
    return {
        **pooled_figures(counts, segmentation.POOLED, average="pixels", facts=at),
        **mean_figures(
            {"peak_in_mask": np.array(peaks)},
            {"peak_in_mask": {"map_class": at["map_class"]}},
        ),
    }
