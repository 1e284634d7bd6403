"""The judge of protocol `bas`, the one of the paper's tables.

Every model, in memory or exported, is judged by this file. Two baselines stand beside
its figures, both with an oracle's help: the best centred box, and CAM of the same
network where the predict_fn gives it.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bas_tf.data.records import Record
from bas_tf.evaluators import ground_truth, sweeps
from bas_tf.evaluators.evaluation import (
    Evaluation,
    check_threshold_origin,
    spread_over_records,
)
from bas_tf.evaluators.ground_truth import GroundTruth, Size
from bas_tf.evaluators.predictions import PredictFn, Predictions, predict_all
from bas_tf.geometry.components import box_from_map, normalize_map, resize_map
from bas_tf.metrics.classification import ClassificationMetrics
from bas_tf.metrics.localization import (
    IOU_THRESHOLD,
    LocalizationMetrics,
    best_ious,
)
from bas_tf.metrics.segmentation import SegmentationMetrics
from bas_tf.metrics.sums import ClassSums


def evaluate_bas(
    *,
    batches: Iterable[Mapping],
    records: Sequence[Record],
    predict_fn: PredictFn,
    resize_size_wh: Size,
    crop_size_wh: Size,
    score_threshold: float,
    threshold_origin: str = "fixed",
) -> Evaluation:
    """Runs a predict_fn over a split and judges it.

    Args:
      batches: see `predict_all`; every record once, the last batch may be smaller.
      records: the split's records, with the answers.
      predict_fn: see `predict_all`.
      resize_size_wh: what images were resized to.
      crop_size_wh: what was then cut from their middle.
      score_threshold: see `evaluate_predictions`.
      threshold_origin: see `evaluate_predictions`.

    Raises:
      DataError: an image with true boxes cannot be read.
      UserError: see `evaluate_predictions`.
      ValueError: the batches do not hold every record exactly once.
    """
    check_threshold_origin(threshold_origin)
    predictions = predict_all(
        batches=batches, predict_fn=predict_fn, num_records=len(records)
    )
    truth = ground_truth.load_ground_truth(
        records, resize_size_wh=resize_size_wh, crop_size_wh=crop_size_wh
    )
    return evaluate_predictions(
        predictions,
        truth,
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
) -> Evaluation:
    """Judges predictions that were made before; no model runs.

    Args:
      predictions: of every record.
      truth: of the same records.
      records: the records, for their masks.
      score_threshold: in [0, 1]; the model's own for "fixed", the one chosen on the
        validation split by `best_threshold` for "val-optimal", not used by "oracle".
      threshold_origin: "fixed" judges the boxes of the predict_fn. The others take
        boxes from the maps by `box_from_map`: "val-optimal" at `score_threshold`,
        "oracle" at the best threshold of this very split.

    Raises:
      UserError: unknown origin; "oracle" without true boxes.
    """
    check_threshold_origin(threshold_origin)
    if threshold_origin == "oracle":
        score_threshold = sweeps.best_threshold(predictions, truth)
    boxes, degenerate = predictions.boxes, predictions.degenerate
    if threshold_origin != "fixed":
        boxes, degenerate = _boxes_from_maps(
            predictions.maps, truth.crop_size_wh, score_threshold
        )
    classification = ClassificationMetrics(predictions.num_classes)
    classification.update(predictions.class_ids, predictions.labels)
    ious = _best_ious(boxes, truth)
    localization = LocalizationMetrics(predictions.num_classes)
    localization.update(
        ious,
        predictions.class_ids[truth.images],
        predictions.labels[truth.images],
    )
    sums = {**localization.sums, **classification.sums}
    metrics = {
        **_means(sums),
        **_baselines(predictions, truth),
        **_segment(predictions.maps, truth, records, score_threshold),
        **_counts(predictions, truth, degenerate),
    }
    return Evaluation(
        metrics=metrics,
        intervals_95={n: s.interval_95() for n, s in sums.items() if s.count},
        score_threshold=score_threshold,
        threshold_origin=threshold_origin,
        gt_known_table=localization.gt_known_table(),
        per_image={
            "iou": spread_over_records(len(predictions), truth.images, ious),
            "correct": spread_over_records(
                len(predictions), truth.images, ious > IOU_THRESHOLD
            ),
            "box": boxes,
        },
    )


def choose_threshold(
    predictions: Predictions, truth: GroundTruth, records: Sequence[Record]
) -> float:
    """`sweeps.best_threshold` in the form that the judges share; reads no record."""
    del records
    return sweeps.best_threshold(predictions, truth)


def _boxes_from_maps(
    maps: np.ndarray, crop_size_wh: Size, score_threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """float32 [n, 4] boxes and bool [n] degenerate of [n, h, w] maps."""
    found = [
        box_from_map(m, crop_size_wh=crop_size_wh, score_threshold=score_threshold)
        for m in maps
    ]
    boxes, degenerate = zip(*found, strict=True) if found else ([], [])
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(degenerate, bool)


def _best_ious(boxes: np.ndarray, truth: GroundTruth) -> np.ndarray:
    """Best IoU of each image that has true boxes: float64 [n], of [records, 4]."""
    pairs = zip(truth.images, truth.boxes, strict=True)
    return np.array([best_ious(boxes[image], true)[0] for image, true in pairs])


def _means(sums: Mapping[str, ClassSums]) -> dict[str, float]:
    """Means over images (the extension's) and over classes (the original's)."""
    means = {}
    for name, values in sums.items():
        if values.count:
            means[name] = values.mean()
            means[f"{name}_class_mean"] = values.class_mean()
    return means


def _baselines(predictions: Predictions, truth: GroundTruth) -> dict[str, float]:
    """Figures under `centre_box/` and, where there are class maps, `cam/`."""
    if not len(truth.images):
        return {}
    baselines = {"centre_box": sweeps.centre_box_baseline(predictions, truth)}
    if predictions.cams is not None:
        baselines["cam"] = sweeps.cam_baseline(predictions, truth)
    return {
        f"{prefix}/{name}": value
        for prefix, figures in baselines.items()
        for name, value in figures.items()
    }


def _segment(
    maps: np.ndarray,
    truth: GroundTruth,
    records: Sequence[Record],
    score_threshold: float,
) -> Mapping[str, float]:
    """Pixel figures over the images that have masks."""
    metrics = SegmentationMetrics()
    masks = ground_truth.crop_masks(
        records, resize_size_wh=truth.resize_size_wh, crop_size_wh=truth.crop_size_wh
    )
    for image, mask in masks:
        score_map = resize_map(normalize_map(maps[image]), truth.crop_size_wh)
        metrics.update(score_map, mask, score_threshold=score_threshold)
    return metrics.results()


def _counts(
    predictions: Predictions, truth: GroundTruth, degenerate: np.ndarray
) -> dict[str, float]:
    """How many images, how many without an answer, and how full the maps are."""
    counts = {
        "num_images": len(predictions),
        "num_images_without_boxes": len(predictions) - len(truth.images),
        "num_empty_boxes": truth.num_empty_boxes,
        "num_degenerate": int(degenerate.sum()),
    }
    finite = predictions.maps[np.isfinite(predictions.maps)]
    if finite.size:
        counts["mean_map"] = float(finite.mean(dtype=np.float64))
    return counts
