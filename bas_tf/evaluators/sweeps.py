"""Figures over a grid of candidate boxes: thresholds of a map, or centred boxes."""

from collections.abc import Mapping

import numpy as np

from bas_tf.errors import UserError
from bas_tf.evaluators.ground_truth import GroundTruth
from bas_tf.evaluators.predictions import Predictions
from bas_tf.geometry.components import boxes_at_thresholds
from bas_tf.metrics import localization

SCORE_THRESHOLDS = np.arange(50) / 50  # 0.00, 0.02 ... 0.98
CENTRE_FRACTIONS = np.arange(1, 21) / 20  # of the crop's width or height


def threshold_ious(maps: np.ndarray, truth: GroundTruth) -> np.ndarray:
    """Best IoU of every image's box at every threshold.

    Args:
      maps: [records, h, w] float, not normalised.
      truth: n images with true boxes.

    Returns:
      [n, len(SCORE_THRESHOLDS)] float64.
    """
    rows = []
    for image, true_boxes in zip(truth.images, truth.boxes, strict=True):
        boxes, _ = boxes_at_thresholds(
            maps[image],
            crop_size_wh=truth.crop_size_wh,
            score_thresholds=SCORE_THRESHOLDS,
        )
        rows.append(localization.best_ious(boxes, true_boxes))
    return np.array(rows).reshape(-1, len(SCORE_THRESHOLDS))


def best_threshold(predictions: Predictions, truth: GroundTruth) -> float:
    """The grid's threshold with the highest GT-known localization.

    Of equally good ones the highest mean IoU decides, then the lower threshold.
    On the split that is then reported this is an oracle; for `val-optimal`, hand in
    the validation split.

    Raises:
      UserError: no image has a true box.
    """
    if not len(truth.images):
        raise UserError(
            "a threshold can be chosen only on images with true boxes; this split "
            "has none: keep the fixed threshold"
        )
    ious = threshold_ious(predictions.maps, truth)
    return float(SCORE_THRESHOLDS[_best_column(ious)])


def cam_baseline(predictions: Predictions, truth: GroundTruth) -> Mapping[str, float]:
    """CAM of the same network, each figure at its own best threshold on this split.

    That is the most generous reading of CAM; `score_threshold` is the best one for
    GT-known localization.
    """
    ious = threshold_ious(predictions.cams, truth)
    threshold = float(SCORE_THRESHOLDS[_best_column(ious)])
    figures = _best_of_candidates(ious, predictions, truth)
    return {**figures, "score_threshold": threshold}


def centre_box_baseline(
    predictions: Predictions, truth: GroundTruth
) -> Mapping[str, float]:
    """One centred box for all images, each figure at its own best size on this split.

    An oracle: the box that needs no map but sees the answers. `width_fraction` and
    `height_fraction` are the best ones for GT-known localization.
    """
    fractions = np.array(np.meshgrid(CENTRE_FRACTIONS, CENTRE_FRACTIONS))
    fractions = fractions.reshape(2, -1).T  # [candidates, 2], width and height
    margins = (1 - fractions) / 2
    corners = np.concatenate([margins, 1 - margins], axis=1)
    boxes = corners * np.tile(truth.crop_size_wh, 2)
    ious = np.array([localization.best_ious(boxes, true) for true in truth.boxes])
    width, height = fractions[_best_column(ious)]
    figures = _best_of_candidates(ious, predictions, truth)
    return {
        **figures,
        "width_fraction": float(width),
        "height_fraction": float(height),
    }


def _best_of_candidates(
    ious: np.ndarray, predictions: Predictions, truth: GroundTruth
) -> dict[str, float]:
    """Every figure's maximum over candidates: ious [n, candidates]."""
    values = localization.localization_values(
        ious, predictions.class_ids[truth.images], predictions.labels[truth.images]
    )
    return {name: float(v.mean(axis=0).max()) for name, v in values.items()}


def _best_column(ious: np.ndarray) -> int:
    """Candidate with the highest GT-known localization, then mean IoU, then first."""
    is_right = ious > localization.IOU_THRESHOLD
    ranking = np.lexsort((-ious.mean(axis=0), -is_right.sum(axis=0)))
    return int(ranking[0])
