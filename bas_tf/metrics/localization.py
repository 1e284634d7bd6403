"""GT-known, Top-1 and Top-5 localization by protocol `bas`.

A box is right when its best IoU with the image's true boxes, counted with the extra
pixel of `iou_plus_one`, is strictly above 0.5. GT-known asks for nothing else; Top-1
and Top-5 also need the label among the first 1 or 5 classes.
"""

from collections.abc import Mapping

import numpy as np

from bas_tf.geometry.boxes import iou_plus_one
from bas_tf.metrics.classification import is_within_top
from bas_tf.metrics.sums import ClassSums

IOU_THRESHOLD = 0.5  # strict; the journal extension counts equality too
NAMES = (
    "gt_known_loc",
    "gt_known_loc@0.3",
    "gt_known_loc@0.7",
    "top1_loc",
    "top5_loc",
    "mean_iou",
)


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
    ious: np.ndarray, class_ids: np.ndarray, labels: np.ndarray
) -> Mapping[str, np.ndarray]:
    """The value of every figure for every image.

    Args:
      ious: [batch] or, for many candidate boxes an image, [batch, candidates].
      class_ids: int [batch, n], predicted classes, best first.
      labels: int [batch].

    Returns:
      {name: array like `ious`} for each of NAMES: bool, and float for "mean_iou".
    """
    right = ious > IOU_THRESHOLD

    def also_in_top(k):
        in_top = is_within_top(class_ids, labels, k)
        return right & in_top.reshape(-1, *[1] * (ious.ndim - 1))

    return {
        "gt_known_loc": right,
        "gt_known_loc@0.3": ious > 0.3,
        "gt_known_loc@0.7": ious > 0.7,
        "top1_loc": also_in_top(1),
        "top5_loc": also_in_top(5),
        "mean_iou": ious,
    }


class LocalizationMetrics:
    """Localization over the images that have true boxes."""

    def __init__(self, num_classes: int):
        self.sums = {
            name: ClassSums(num_classes, is_fraction=name != "mean_iou")
            for name in NAMES
        }

    def update(
        self, ious: np.ndarray, class_ids: np.ndarray, labels: np.ndarray
    ) -> None:
        """Adds a batch: best IoUs [batch], int [batch, n] best first, int [batch]."""
        values = localization_values(ious, class_ids, labels)
        for name in NAMES:
            self.sums[name].update(values[name], labels)

    def gt_known_table(self) -> list[tuple[int, int, int]]:
        """(class id, right boxes, images with true boxes) of each class seen."""
        sums = self.sums["gt_known_loc"]
        seen = np.flatnonzero(sums.counts)
        return [(int(c), int(sums.sums[c]), int(sums.counts[c])) for c in seen]
