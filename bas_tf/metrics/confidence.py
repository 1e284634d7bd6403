"""How far a box can be trusted, from what every model and file returns.

A map with a sharp edge gives nearly the same box at any threshold; where the box moves
with the threshold, the map has no edge to cut at. So the map is cut again a quarter,
half and three quarters of the way from the model's threshold t down to 0 and up to 1:

  confidence = mean over the cuts of IoU(box at the cut, box at t) * score

The score is the best class's: that of other objects and of empty scenes is low. The
class of photos without an object does not count, see `object_scores`.
"""

from collections.abc import Sequence

import numpy as np

from bas_tf.geometry.boxes import iou_xyxy
from bas_tf.geometry.components import boxes_at_thresholds
from bas_tf.names import NO_OBJECT

FOUND_CONFIDENCE = 0.5  # rates: "Confidence" in docs/results.md
_WAYS = np.array([0.25, 0.5, 0.75])  # from the threshold to either end
STRIDE = 8  # input pixels per pixel of the map


def confidence(
    scores: np.ndarray, localization_map: np.ndarray, *, score_threshold: float
) -> float:
    """Of one photo's box, about its IoU with the object: in [0, 1].

    Args:
      scores: [n] `object_scores` of all or of the best classes; empty from a file that
        does not classify, whose confidence is that of the map alone.
      localization_map: [h, w] float, not yet normalised.
      score_threshold: of the box, in [0, 1).

    Returns:
      0 where the map is degenerate.
    """
    height, width = localization_map.shape
    boxes, degenerate = boxes_at_thresholds(
        localization_map,
        crop_size_wh=(STRIDE * width, STRIDE * height),
        score_thresholds=[score_threshold, *cuts(score_threshold)],
    )
    if degenerate[0]:
        return 0.0
    ious = np.where(degenerate[1:], 0, iou_xyxy(boxes[:1], boxes[1:])[0])
    score = min(np.max(scores), 1.0) if np.size(scores) else 1.0
    return float(ious.mean() * score)


def cuts(score_threshold: float) -> np.ndarray:
    """The other thresholds, [6]."""
    down = score_threshold * (1 - _WAYS)
    up = score_threshold + (1 - score_threshold) * _WAYS
    return np.concatenate([down, up])


def object_scores(scores: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Softmax [..., classes] without that of NO_OBJECT; empty ones stay empty."""
    is_object = [name != NO_OBJECT for name in class_names]
    return scores[..., is_object] if np.size(scores) else scores


def is_found(
    class_name: str | None, found: float, least: float = FOUND_CONFIDENCE
) -> bool:
    """Whether an answer is an object: not NO_OBJECT, its confidence `least` or more."""
    return class_name != NO_OBJECT and found >= least


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """How often a positive [n] is above a negative [m]; equal ones count half."""
    negative = np.sort(negative)
    below = np.searchsorted(negative, positive, "left")
    up_to = np.searchsorted(negative, positive, "right")
    return float((below + up_to).mean() / (2 * len(negative)))
