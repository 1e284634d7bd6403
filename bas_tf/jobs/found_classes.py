"""Every class of a photo whose pixels are labelled, with its box and mask."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from bas_tf.geometry.boxes import box_from_mask
from bas_tf.geometry.components import components_of_labels
from bas_tf.geometry.frames import Size
from bas_tf.metrics.detection import MIN_SHARE
from bas_tf.names import NO_OBJECT
from bas_tf.refinement.masks import run_lengths


def found_classes(
    segmentation: np.ndarray, size_wh: Size, class_names: Sequence[str]
) -> list[dict[str, Any]]:
    """The largest component of each class, the largest class first.

    Args:
      segmentation: uint8 [h, w] of the whole photo, see names.SEGMENTATION.
      size_wh: of the photo.
      class_names: in the order of the labels.

    Returns:
      {"class", "box" [x0, y0, x1, y1] half-open in pixels of the photo, "area" of the
      mask as a share of the photo, "mask_rle" as `masks.run_lengths`} of each whose
      area is MIN_SHARE or more; none of NO_OBJECT.
    """
    found = []
    labels = cv2.resize(segmentation, size_wh, interpolation=cv2.INTER_NEAREST_EXACT)
    for label, mask in components_of_labels(labels, min_share=MIN_SHARE).items():
        if class_names[label - 1] == NO_OBJECT:
            continue
        found.append(
            {
                "class": class_names[label - 1],
                "box": [float(side) for side in box_from_mask(mask)],
                "area": round(float(mask.mean()), 4),
                "mask_rle": run_lengths(mask),
            }
        )
    return sorted(found, key=lambda each: -each["area"])
