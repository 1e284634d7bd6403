"""MaxBoxAcc and MaxBoxAccV2 (Choe et al., CVPR 2020): one pass for all thresholds.

A map counts as right at threshold t and IoU threshold delta when the box of its
largest contour (`single`), or the box of any contour (`multi`), has an IoU of at least
delta with any true box, counted with the extra pixel of `iou_plus_one`. BoxAcc(t,
delta) is the share of right maps; MaxBoxAcc the highest BoxAcc(t, 0.5) of `single`
over thresholds, MaxBoxAccV2 the mean over delta of the highest of `multi`.

The maximum is taken over thresholds that hold for all images. A best threshold image
by image is nowhere computed: it would count a map as right that no user could cut.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from bas_tf.geometry import contours
from bas_tf.geometry.boxes import iou_plus_one
from bas_tf.geometry.frames import Size

THRESHOLDS = np.arange(0, 1, 0.001)  # 0, 0.001 ... 0.999
IOU_THRESHOLDS = (0.3, 0.5, 0.7)
MAIN_IOU_THRESHOLD = 0.5
_NUM_LEVELS = contours.PEAK  # no threshold below 1 reaches the peak itself


@dataclasses.dataclass(frozen=True)
class BoxSweep:
    """Best IoUs of n maps at every level a threshold can fall on.

    Every usable map peaks at `contours.PEAK`, so a threshold is the same level for all
    of them; a degenerate one has the same box at every level.

    Attributes:
      single: float64 [n, 255], of the box of the largest contour.
      multi: float64 [n, 255], the best of all contours' boxes.
    """

    single: np.ndarray
    multi: np.ndarray

    def __len__(self) -> int:
        return len(self.single)

    def num_correct(self, *, iou_threshold: float, multi: bool = False) -> np.ndarray:
        """Right maps at each of THRESHOLDS: int64 [1000]."""
        right = self.is_right(iou_threshold=iou_threshold, multi=multi)
        return right.sum(axis=0)[contours.level_of(THRESHOLDS)]

    def is_right(self, *, iou_threshold: float, multi: bool = False) -> np.ndarray:
        """Which maps are right at each level: bool [n, 255]."""
        return (self.multi if multi else self.single) >= iou_threshold

    def best_threshold(self) -> float:
        """The lowest of THRESHOLDS with the highest BoxAcc at IoU 0.5, largest contour.

        Of equally good ones the highest mean IoU decides.
        """
        counts = self.num_correct(iou_threshold=MAIN_IOU_THRESHOLD)
        means = self.single.mean(axis=0)[contours.level_of(THRESHOLDS)]
        return float(THRESHOLDS[np.lexsort((-means, -counts))[0]])


def sweep_maps(
    maps: Sequence[np.ndarray],
    true_boxes: Sequence[np.ndarray],
    *,
    crop_size_wh: Size,
) -> BoxSweep:
    """Finds every contour of every map once.

    In one thread: the calls to OpenCV are so short that two threads, waiting for the
    interpreter's lock in between, took a third longer than one.

    Args:
      maps: n times [h, w] float, not normalised.
      true_boxes: n times [m, 4], m >= 1, in the crop's frame.
    """

    def best_ious(score_map, boxes):
        scores = contours.scores_on_crop(score_map, crop_size_wh)
        return ious_by_level(contours.quantize(scores), boxes)

    found = list(map(best_ious, maps, true_boxes))
    ious = np.array(found, np.float64).reshape(-1, 2, _NUM_LEVELS)
    return BoxSweep(single=ious[:, 0], multi=ious[:, 1])


def ious_by_level(quantized: np.ndarray, true_boxes: np.ndarray) -> np.ndarray:
    """Best IoU with any true box at each level, of the largest and of any contour.

    Of uint8 [height, width] with [m, 4], m >= 1: float64 [2, 255].
    """
    found = contours.boxes_by_level(quantized)
    ious = iou_plus_one(found.boxes, true_boxes).max(axis=1)
    best = np.stack([ious[found.largest], np.maximum.reduceat(ious, found.starts)])
    place = np.searchsorted(found.levels, np.arange(_NUM_LEVELS), side="right") - 1
    return best[:, place]
