"""Why an image counts as wrong: each one that has a true box is of exactly one kind.

Boxes are counted as protocol `bas` does, with the extra pixel of `iou_plus_one`. Let t
be the true box that the predicted box p has the highest IoU with, the first of equals.
The first line that holds decides:

  correct              IoU > 0.5, and the predicted class is the true one
  wrong_class          IoU > 0.5
  degenerate           the map gave no box (constant, not finite, or nowhere above the
                       threshold), so the whole crop stands in for it
  wrong_class_and_box  the predicted class is not the true one
  box_too_small        t covers more than 2/3 of p
  box_too_large        p covers more than 2/3 of t
  box_elsewhere        neither: next to the object, or on another one

So `correct` are the images of Top-1 Loc, `correct` and `wrong_class` those of GT-known
Loc. No wrong box is too small and too large at once: with a = |p and t| / |p| and
b = |p and t| / |t|, 1 / IoU = 1 / a + 1 / b - 1, which is below 2 when a and b are both
above 2/3, and then IoU > 0.5.
"""

from collections.abc import Sequence

import numpy as np

from bas_tf.geometry.boxes import iou_plus_one, share_covered_plus_one
from bas_tf.metrics.localization import IOU_THRESHOLD

CORRECT = "correct"
WRONG_CLASS = "wrong_class"
DEGENERATE = "degenerate"
WRONG_CLASS_AND_BOX = "wrong_class_and_box"
BOX_TOO_SMALL = "box_too_small"
BOX_TOO_LARGE = "box_too_large"
BOX_ELSEWHERE = "box_elsewhere"
MOSTLY = 2 / 3  # a box is mostly covered when more than this share of it is


def kind_of(
    box: np.ndarray,
    true_boxes: np.ndarray,
    *,
    is_class_right: bool,
    is_degenerate: bool,
) -> str:
    """The kind of one image, as the module defines it.

    Args:
      box: [4], predicted, half-open, pixels of the crop.
      true_boxes: [m, 4], m >= 1, same frame.
    """
    ious = iou_plus_one(box, true_boxes)[0]
    if ious.max() > IOU_THRESHOLD:
        return CORRECT if is_class_right else WRONG_CLASS
    if is_degenerate:
        return DEGENERATE
    if not is_class_right:
        return WRONG_CLASS_AND_BOX
    nearest = true_boxes[ious.argmax()]
    if share_covered_plus_one(box, nearest)[0, 0] > MOSTLY:
        return BOX_TOO_SMALL
    if share_covered_plus_one(nearest, box)[0, 0] > MOSTLY:
        return BOX_TOO_LARGE
    return BOX_ELSEWHERE


def kinds_of(
    boxes: np.ndarray,
    true_boxes: Sequence[np.ndarray],
    *,
    is_class_right: np.ndarray,
    is_degenerate: np.ndarray,
) -> list[str]:
    """`kind_of` of n images that have true boxes: [n, 4], n times [m, 4], bool [n]."""
    rows = zip(boxes, true_boxes, is_class_right, is_degenerate, strict=True)
    return [
        kind_of(box, true, is_class_right=bool(right), is_degenerate=bool(degenerate))
        for box, true, right, degenerate in rows
    ]
