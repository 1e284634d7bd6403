"""The evaluator of protocol `bas`, the one of the paper's tables.

Every model, in memory or exported, is evaluated by this file. Figures of the label's
map and of the predicted class's have their own names, see `metrics.localization`.
The original counts a box with IoU > 0.5 and averages over classes, the names that end
in "_class_mean"; the same names without it average over images. The journal extension
counts IoU >= 0.5, the names that start with "extension/". Two baselines stand next to
them, both with an oracle's help: the best centred box, and CAM of the same network
where the predict_fn gives it.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bas_tf.data.records import Record
from bas_tf.evaluators import ground_truth, sweeps
from bas_tf.evaluators.figures import (
    ORACLE,
    Evaluation,
    Facts,
    Figure,
    box_facts,
    check_threshold_origin,
    class_figures,
    class_mean_figures,
    image_counts,
    mean_figures,
    spread_over_records,
)
from bas_tf.evaluators.found_figures import found_figures
from bas_tf.evaluators.ground_truth import GroundTruth, Size
from bas_tf.evaluators.object_figures import object_figures
from bas_tf.evaluators.pixel_figures import pixel_figures
from bas_tf.evaluators.predictions import LabelFn, PredictFn, Predictions, predict_all
from bas_tf.geometry.components import box_from_map
from bas_tf.metrics import localization


def evaluate_bas(
    *,
    batches: Iterable[Mapping],
    records: Sequence[Record],
    predict_fn: PredictFn | None = None,
    label_fn: LabelFn | None = None,
    resize_size_wh: Size,
    crop_size_wh: Size,
    score_threshold: float,
    threshold_origin: str = "fixed",
) -> Evaluation:
    """Runs a model over a split and evaluates it.

    Args not listed are those of `predict_all` and `evaluate_predictions`.

    Args:
      records: the split's records, with the answers.
      predict_fn: gives no figure of the label's map.
      resize_size_wh: what images were resized to.
      crop_size_wh: what was then cut from their middle.

    Raises:
      DataError: an image with true boxes cannot be read.
      UserError: see `evaluate_predictions`.
      ValueError: the batches do not hold every record exactly once.
    """
    check_threshold_origin(threshold_origin)
    predictions = predict_all(
        batches=batches,
        num_records=len(records),
        predict_fn=predict_fn,
        label_fn=label_fn,
    )
    return evaluate_predictions(
        predictions,
        ground_truth.load_ground_truth(
            records, resize_size_wh=resize_size_wh, crop_size_wh=crop_size_wh
        ),
        records=records,
        score_threshold=score_threshold,
        threshold_origin=threshold_origin,
    )


def evaluate_predictions(
    predictions: Predictions,
    truth: GroundTruth,
    *,
    records: Sequence[Record],
    score_threshold: float,
    threshold_origin: str = "fixed",
    all_boxes: bool = False,
) -> Evaluation:
    """Evaluates predictions that were made before; no model runs.

    Args:
      predictions: of every record.
      truth, records: of the same records; masks are read from the latter.
      score_threshold: in [0, 1]; the model's own for "fixed", the one chosen on the
        validation split by `best_threshold` for "val-optimal", not used by "oracle".
      threshold_origin: "fixed" evaluates the boxes that the model drew. The others take
        boxes from the maps by `box_from_map`: "self" and "val-optimal" at
        `score_threshold`, "oracle" at the best threshold of this very split.
      all_boxes: adds `object_figures`.

    Raises:
      UserError: unknown origin; "oracle" without true boxes.
    """
    check_threshold_origin(threshold_origin)
    if threshold_origin == ORACLE:
        score_threshold = sweeps.best_threshold(predictions, truth)
    how = {"score_threshold": score_threshold, "threshold_origin": threshold_origin}
    boxes, degenerate = evaluated_boxes(predictions, truth, **how)
    ious = _best_ious(boxes, truth)
    at = {
        "score_thresholds": [float(score_threshold)],
        "threshold_origin": threshold_origin,
        "map_class": predictions.map_class,
    }
    baselines = _baselines(predictions, truth)
    found, of_found = found_figures(predictions, at)
    of_objects = {}
    if all_boxes:
        of_objects = object_figures(predictions.maps, truth, score_threshold, at)
    return Evaluation(
        figures={
            **_predicted_figures(predictions, truth, at),
            **_box_figures(ious, predictions, truth, at),
            **of_objects,
            **class_figures(predictions, class_means=True),
            **found,
            **pixel_figures(predictions.maps, truth, records, score_threshold, at),
            **_prefixed({key: b.figures for key, b in baselines.items()}),
        },
        other_metrics={
            **_prefixed({key: b.best for key, b in baselines.items()}),
            **image_counts(predictions, truth, degenerate),
            **_mean_map(predictions.maps),
            **of_found,
        },
        **how,
        map_class=predictions.map_class,
        per_image=_per_image(ious, boxes, truth),
    )


def _per_image(ious: np.ndarray, boxes: np.ndarray, truth: GroundTruth) -> dict:
    """Of every record; of one without a true box the first two are nothing."""
    spread = functools.partial(spread_over_records, len(boxes), truth.images)
    correct = ious > localization.IOU_THRESHOLD
    return {"iou": spread(ious), "correct": spread(correct), "box": boxes}


def evaluated_boxes(
    predictions: Predictions,
    truth: GroundTruth,
    *,
    score_threshold: float,
    threshold_origin: str,
) -> tuple[np.ndarray, np.ndarray]:
    """The boxes that an evaluation is about, and whether each map was degenerate.

    Args:
      score_threshold: the evaluation's, also where an oracle chose it.
      threshold_origin: "fixed" takes what the model drew, the others take
        boxes from the maps.

    Returns:
      float32 [records, 4] and bool [records].
    """
    if threshold_origin == "fixed":
        return predictions.boxes, predictions.degenerate
    at = {"crop_size_wh": truth.crop_size_wh, "score_threshold": score_threshold}
    found = [box_from_map(score_map, **at) for score_map in predictions.maps]
    boxes, degenerate = zip(*found, strict=True) if found else ([], [])
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(degenerate, bool)


def choose_threshold(
    predictions: Predictions, truth: GroundTruth, records: Sequence[Record]
) -> float:
    """`sweeps.best_threshold`; see `protocols.Protocol`, reads no record."""
    del records
    return sweeps.best_threshold(predictions, truth)


def _best_ious(boxes: np.ndarray, truth: GroundTruth) -> np.ndarray:
    """Best IoU of each image that has true boxes: float64 [n], of [records, 4]."""
    pairs = zip(truth.images, truth.boxes, strict=True)
    return np.array(
        [localization.best_ious(boxes[image], true)[0] for image, true in pairs]
    )


def _predicted_figures(
    predictions: Predictions, truth: GroundTruth, at: Facts
) -> dict[str, Figure]:
    """Of the predicted class's map, where it is not what `predictions` are about."""
    of_predicted = predictions.predicted
    if of_predicted is None:
        return {}
    boxes, _ = evaluated_boxes(
        of_predicted,
        truth,
        score_threshold=at["score_thresholds"][0],
        threshold_origin=at["threshold_origin"],
    )
    at = {**at, "map_class": of_predicted.map_class}
    return _box_figures(_best_ious(boxes, truth), of_predicted, truth, at)


def _box_figures(
    ious: np.ndarray, predictions: Predictions, truth: GroundTruth, at: Facts
) -> dict[str, Figure]:
    """Localization, averaged both ways, and the extension's; needs true boxes."""
    if not len(ious):
        return {}
    class_ids = predictions.class_ids[truth.images]
    labels = predictions.labels[truth.images]
    of_map = ious, class_ids, labels, predictions.map_class
    original = localization.localization_values(*of_map)
    extension = localization.extension_values(*of_map)
    facts = {
        name: {**at, **box_facts(iou_threshold, localization.COMPARISON)}
        for name, iou_threshold in localization.IOU_THRESHOLDS.items()
    }
    extension_facts = {
        **at,
        **box_facts(localization.IOU_THRESHOLD, localization.EXTENSION_COMPARISON),
    }
    return {
        **mean_figures(original, facts),
        **class_mean_figures(original, labels, facts),
        **mean_figures(extension, dict.fromkeys(extension, extension_facts)),
    }


def _baselines(
    predictions: Predictions, truth: GroundTruth
) -> dict[str, sweeps.Baseline]:
    """`centre_box` and, where there are class maps, `cam`."""
    if not len(truth.images):
        return {}
    baselines = {"centre_box": sweeps.centre_box_baseline(predictions, truth)}
    if predictions.cams is not None:
        baselines["cam"] = sweeps.cam_baseline(predictions, truth)
    return baselines


def _prefixed(groups: Mapping[str, Mapping]) -> dict:
    """{"cam": {"mean_iou": x}} -> {"cam/mean_iou": x}."""
    return {
        f"{prefix}/{name}": value
        for prefix, group in groups.items()
        for name, value in group.items()
    }


def _mean_map(maps: np.ndarray) -> dict[str, float]:
    finite = maps[np.isfinite(maps)]
    return {"mean_map": float(finite.mean(dtype=np.float64))} if finite.size else {}
