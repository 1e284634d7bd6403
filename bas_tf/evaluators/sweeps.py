"""Figures over a grid of candidate boxes: thresholds of a map, or centred boxes.

A baseline takes for each of its figures the candidate that is best for it over the
whole split, an oracle's choice. The intervals are of that maximum: each resample of
images takes its own best candidate.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from bas_tf.evaluators.figures import ORACLE, Figure, box_facts, check_has_boxes
from bas_tf.evaluators.ground_truth import GroundTruth
from bas_tf.evaluators.predictions import Predictions
from bas_tf.geometry.components import boxes_at_thresholds
from bas_tf.metrics import bootstrap, localization

SCORE_THRESHOLDS = np.arange(50) / 50  # 0.00, 0.02 ... 0.98
CENTRE_FRACTIONS = np.arange(1, 21) / 20  # of the crop's width or height


@dataclasses.dataclass(frozen=True)
class Baseline:
    """What a choice over candidates reaches.

    Attributes:
      figures: {name: Figure}, each at its best candidate.
      best: {name: value}, the candidate that is best for GT-known localization.
    """

    figures: Mapping[str, Figure]
    best: Mapping[str, float]


def threshold_ious(maps: np.ndarray, truth: GroundTruth) -> np.ndarray:
    """Best IoU of every box at every threshold: float64 [n, len(SCORE_THRESHOLDS)].

    Of maps [records, h, w], not normalised, of which n have true boxes.
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
    check_has_boxes(len(truth.images))
    ious = threshold_ious(predictions.maps, truth)
    return float(SCORE_THRESHOLDS[_best_column(ious)])


def cam_baseline(predictions: Predictions, truth: GroundTruth) -> Baseline:
    """CAM of the same network, each figure at its own best threshold on this split.

    That is the most generous reading of CAM. Figures of the label's CAM and of the
    predicted class's are named as those of the maps. `best` has the `score_threshold`.
    """
    ious = threshold_ious(predictions.cams, truth)
    at_best = _at_best_thresholds(ious, predictions, truth)
    of_predicted = predictions.predicted
    if of_predicted is not None:
        others = _ious_of_others(ious, predictions.cams, of_predicted.cams, truth)
        at_best = _at_best_thresholds(others, of_predicted, truth) | at_best
    threshold = float(SCORE_THRESHOLDS[_best_column(ious)])
    return Baseline(at_best, {"score_threshold": threshold})


def _at_best_thresholds(
    ious: np.ndarray, predictions: Predictions, truth: GroundTruth
) -> dict[str, Figure]:
    figures = _best_of_candidates(ious, predictions, truth, predictions.map_class)
    return {
        name: dataclasses.replace(
            figure,
            score_thresholds=[float(SCORE_THRESHOLDS[place])],
            map_class=predictions.map_class,
        )
        for name, (figure, place) in figures.items()
    }


def _ious_of_others(
    ious: np.ndarray, maps: np.ndarray, others: np.ndarray, truth: GroundTruth
) -> np.ndarray:
    """`threshold_ious` of `others`, known already where they equal `maps`."""
    same = (maps == others).all(axis=(1, 2))[truth.images]
    changed = np.flatnonzero(~same)
    of_changed = dataclasses.replace(
        truth, images=truth.images[changed], boxes=[truth.boxes[i] for i in changed]
    )
    ious = ious.copy()
    ious[changed] = threshold_ious(others, of_changed)
    return ious


def centre_box_baseline(predictions: Predictions, truth: GroundTruth) -> Baseline:
    """One centred box for all images, each figure at its own best size on this split.

    The box that needs no map but sees the answers. `best` has the `width_fraction`
    and the `height_fraction`.
    """
    fractions = np.array(np.meshgrid(CENTRE_FRACTIONS, CENTRE_FRACTIONS))
    fractions = fractions.reshape(2, -1).T  # [candidates, 2], width and height
    margins = (1 - fractions) / 2
    corners = np.concatenate([margins, 1 - margins], axis=1)
    boxes = corners * np.tile(truth.crop_size_wh, 2)
    ious = np.array([localization.best_ious(boxes, true) for true in truth.boxes])
    width, height = fractions[_best_column(ious)]
    figures = _best_of_candidates(ious, predictions, truth)
    return Baseline(
        {name: figure for name, (figure, _) in figures.items()},
        {"width_fraction": float(width), "height_fraction": float(height)},
    )


def _best_of_candidates(
    ious: np.ndarray,
    predictions: Predictions,
    truth: GroundTruth,
    map_class: str = localization.LABEL,
) -> dict[str, tuple[Figure, int]]:
    """Every figure's maximum over candidates, and the first that reaches it.

    Args:
      ious: [n, candidates] of the n images with true boxes.
      map_class: decides the names, see `metrics.localization`; a box that no map gave
        has those of the label's.
    """
    images = truth.images
    values = localization.localization_values(
        ious, predictions.class_ids[images], predictions.labels[images], map_class
    )
    intervals = bootstrap.maximum_intervals(list(values.values()))
    best = {}
    for (name, table), interval in zip(values.items(), intervals, strict=True):
        means = table.mean(axis=0)
        facts = box_facts(localization.IOU_THRESHOLDS[name], localization.COMPARISON)
        figure = Figure(
            value=float(means.max()),
            num_images=len(table),
            interval_95=interval,
            threshold_origin=ORACLE,
            **facts,
        )
        best[name] = figure, int(means.argmax())
    return best


def _best_column(ious: np.ndarray) -> int:
    """Candidate with the highest GT-known localization, then mean IoU, then first."""
    is_right = ious > localization.IOU_THRESHOLD
    ranking = np.lexsort((-ious.mean(axis=0), -is_right.sum(axis=0)))
    return int(ranking[0])
