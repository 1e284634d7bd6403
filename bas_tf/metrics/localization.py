"""GT-known, Top-1 and Top-5 localization by protocol `bas`.

Whose map the box is of decides the name of a figure. `gt_known_loc`, `top5_loc` and
`mean_iou` are of the label's map, as in the reference; `predicted_map_loc` and
`predicted_map_iou` are of the predicted class's, all that a deployed model has.
`top1_loc` is of either: where the class is right both are the same map. Where a model
averages the maps of its top-k classes the label plays no part, and all are of the mean.

A box is right when its best IoU with the image's true boxes, counted with the extra
pixel of `iou_plus_one`, is strictly above 0.5. GT-known asks for nothing else; Top-1
and Top-5 also need the label among the first 1 or 5 classes.

The journal extension also takes an IoU of exactly 0.5 for right. Its figures have
their own names.
"""

from collections.abc import Mapping

import numpy as np

from bas_tf.geometry.boxes import iou_plus_one
from bas_tf.metrics.classification import is_within_top

LABEL, PREDICTED = "label", "predicted"  # whose map
IOU_THRESHOLD = 0.5
COMPARISON, EXTENSION_COMPARISON = ">", ">="  # a right box's IoU with its threshold
# Figures of the original by the IoU that a right box exceeds; none evaluates the mean.
IOU_THRESHOLDS: Mapping[str, float | None] = {
    "gt_known_loc": IOU_THRESHOLD,
    "gt_known_loc@0.3": 0.3,
    "gt_known_loc@0.7": 0.7,
    "top1_loc": IOU_THRESHOLD,
    "top5_loc": IOU_THRESHOLD,
    "mean_iou": None,
    "predicted_map_loc": IOU_THRESHOLD,
    "predicted_map_loc@0.3": 0.3,
    "predicted_map_loc@0.7": 0.7,
    "predicted_map_iou": None,
}
NAMES = {
    LABEL: ("gt_known_loc", "mean_iou"),
    PREDICTED: ("predicted_map_loc", "predicted_map_iou"),
}
_TOP_LOC = {LABEL: {"top1_loc": 1, "top5_loc": 5}, PREDICTED: {"top1_loc": 1}}


def best_ious(boxes: np.ndarray, true_boxes: np.ndarray) -> np.ndarray:
    """Best IoU of each box with any true box of one image.

    Args:
      boxes: [n, 4], predicted boxes, half-open, pixels of the crop.
      true_boxes: [m, 4], m >= 1, same frame.

    Returns:
      [n] float64 in [0, 1].
    """
    return iou_plus_one(boxes, true_boxes).max(axis=1)


def localization_values(
    ious: np.ndarray, class_ids: np.ndarray, labels: np.ndarray, map_class: str = LABEL
) -> Mapping[str, np.ndarray]:
    """The original's value of every figure for every image: a right box has IoU > t.

    Args:
      ious: [batch] or, for many candidate boxes an image, [batch, candidates].
      class_ids: int [batch, n], predicted classes, best first; with n of 0 no figure
        that needs a class.
      labels: int [batch].
      map_class: LABEL or PREDICTED, whose map the boxes are of.

    Returns:
      {name: array like `ious`} for those of IOU_THRESHOLDS that are of this map: bool,
      and float for the mean IoU.
    """
    loc, mean_iou = NAMES[map_class]
    return {
        loc: ious > IOU_THRESHOLD,
        f"{loc}@0.3": ious > 0.3,
        f"{loc}@0.7": ious > 0.7,
        **with_class(ious > IOU_THRESHOLD, class_ids, labels, map_class),
        mean_iou: ious,
    }


def extension_values(
    ious: np.ndarray, class_ids: np.ndarray, labels: np.ndarray, map_class: str = LABEL
) -> Mapping[str, np.ndarray]:
    """The journal extension's: a right box has IoU >= 0.5. As `localization_values`.

    Returns:
      {name: bool [batch]} for "extension/" gt_known_loc, top1_loc and top5_loc, or
      predicted_map_loc and top1_loc.
    """
    right, (loc, _) = ious >= IOU_THRESHOLD, NAMES[map_class]
    values = {loc: right, **with_class(right, class_ids, labels, map_class)}
    return {f"extension/{name}": value for name, value in values.items()}


def with_class(
    right: np.ndarray, class_ids: np.ndarray, labels: np.ndarray, map_class: str
) -> dict[str, np.ndarray]:
    """Right boxes whose class is among the first too; right is [batch, ...]."""
    if not class_ids.shape[1]:
        return {}
    rest = [1] * (right.ndim - 1)
    return {
        name: right & is_within_top(class_ids, labels, k).reshape(-1, *rest)
        for name, k in _TOP_LOC[map_class].items()
    }
