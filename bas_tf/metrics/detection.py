"""Precision and recall of several boxes an image, as COCO matches them.

Boxes are taken best first. Each is right when its IoU with a true box that no better
one took is at least IOU_THRESHOLD, and then takes the one with the highest IoU.
"""

from collections.abc import Callable, Mapping

import numpy as np

from bas_tf.geometry.boxes import box_from_mask, iou_xyxy
from bas_tf.geometry.components import components_of_labels

IOU_THRESHOLD, COMPARISON = 0.5, ">="
MIN_SHARE = 0.005  # of the pixels, of a class; a cell of the maps is 0.1 to 0.4 %


def box_counts(boxes: np.ndarray, true_boxes: np.ndarray) -> tuple[int, int, int]:
    """How many boxes of one image are right, how many there are, and how many true.

    Args:
      boxes: [k, 4], best first, half-open.
      true_boxes: [m, 4], same frame.
    """
    ious, right = iou_xyxy(boxes, true_boxes), 0
    for i in range(len(ious)):
        if ious[i].max(initial=0.0) >= IOU_THRESHOLD:
            ious[:, np.argmax(ious[i])] = 0.0  # taken
            right += 1
    return right, len(boxes), len(true_boxes)


def class_counts(found: np.ndarray, truth: np.ndarray) -> tuple[int, int, int]:
    """As `box_counts`, of the box around each class's largest component.

    Args:
      found: uint8 [height, width]: 0 background, k + 1 class k; MIN_SHARE and more is
        found.
      truth: likewise, 255 ignored.
    """
    boxes, true_boxes = (
        {label: box_from_mask(mask) for label, mask in components.items()}
        for components in (
            components_of_labels(found, min_share=MIN_SHARE),
            components_of_labels(truth),
        )
    )
    right = sum(
        iou_xyxy(boxes[label][np.newaxis], true_boxes[label][np.newaxis])[0, 0]
        >= IOU_THRESHOLD
        for label in boxes.keys() & true_boxes.keys()
    )
    return int(right), len(boxes), len(true_boxes)


def precision(counts: np.ndarray) -> np.ndarray:
    """Share of the boxes that are right: counts [..., 3], or means of them."""
    right, found, _ = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    return np.divide(right, found, out=np.zeros_like(right), where=found > 0)


def recall(counts: np.ndarray) -> np.ndarray:
    """Share of the true boxes that were found; as `precision`."""
    right, _, true = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    return np.divide(right, true, out=np.zeros_like(right), where=true > 0)


POOLED: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "all_boxes_precision": precision,
    "all_boxes_recall": recall,
}
POOLED_OF_CLASSES = {
    "class_boxes_precision": precision,
    "class_boxes_recall": recall,
}
