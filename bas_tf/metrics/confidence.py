"""How far a box can be trusted, from what every model and file returns.

A map with a sharp edge gives nearly the same box at any threshold; where the box swells
as the threshold sinks, the map has no edge to cut at. So the box is cut twice, halfway
from the model's threshold t down to 0 and halfway up to 1, and

  confidence = sqrt(IoU(box at t / 2, box at (1 + t) / 2) * score of the best class)

The second factor is what other objects and empty scenes lower; the root, a geometric
mean of two numbers in [0, 1], puts it at the level of the IoU with the true box.
"""

import numpy as np

from bas_tf.geometry.boxes import iou_xyxy
from bas_tf.geometry.components import boxes_at_thresholds

FOUND_CONFIDENCE = 0.6  # measured, see "Nothing there" in docs/own_photos.md
_STRIDE = 8  # input pixels per pixel of the map


def confidence(
    scores: np.ndarray, localization_map: np.ndarray, *, score_threshold: float
) -> float:
    """Of one photo's box, about its IoU with the object: in [0, 1].

    Args:
      scores: [n] softmax of all or of the best classes; empty, or all 0, from a file
        that does not classify, whose confidence is then that of the map alone.
      localization_map: [h, w] float, not yet normalised.
      score_threshold: of the box, in [0, 1).

    Returns:
      0 where the map, or its part above the higher threshold, is empty.
    """
    height, width = localization_map.shape
    boxes, degenerate = boxes_at_thresholds(
        localization_map,
        crop_size_wh=(_STRIDE * width, _STRIDE * height),
        score_thresholds=[score_threshold / 2, (1 + score_threshold) / 2],
    )
    if degenerate.any():
        return 0.0
    score = np.max(scores, initial=0) or 1.0
    return float(np.sqrt(iou_xyxy(boxes[:1], boxes[1:])[0, 0] * min(score, 1.0)))
