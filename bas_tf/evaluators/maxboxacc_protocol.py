"""The evaluator of protocol `maxboxacc` (Choe et al., CVPR 2020).

It is about the maps of the predictions it gets, of the label as in the paper, or of the
predicted class, whose figures have other names (see `metrics.localization`).

Images are resized without a crop. Figures of two kinds stand side by side: those at
one score threshold, whose origin the caller says, and the protocol's own maxima over
thresholds of the evaluated split, which are an oracle's.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from bas_tf.data.records import Record
from bas_tf.errors import UserError
from bas_tf.evaluators.figures import (
    ORACLE,
    Evaluation,
    Figure,
    box_facts,
    check_has_boxes,
    check_threshold_origin,
    class_figures,
    image_counts,
    mean_figures,
    spread_over_records,
)
from bas_tf.evaluators.ground_truth import GroundTruth
from bas_tf.evaluators.predictions import Predictions
from bas_tf.geometry import contours
from bas_tf.metrics import box_accuracy, localization
from bas_tf.metrics.bootstrap import bootstrap_interval
from bas_tf.metrics.box_accuracy import IOU_THRESHOLDS, MAIN_IOU_THRESHOLD, BoxSweep

COMPARISON = ">="  # a right box's IoU with its threshold


def choose_threshold(
    predictions: Predictions, truth: GroundTruth, records: Sequence[Record]
) -> float:
    """The best threshold of this split, see `BoxSweep.best_threshold`.

    Raises:
      UserError: no image has a true box.
    """
    del records
    return _choose(_sweep(predictions.maps, truth))


def evaluate_predictions(
    predictions: Predictions,
    truth: GroundTruth,
    *,
    records: Sequence[Record],
    score_threshold: float,
    threshold_origin: str = "fixed",
) -> Evaluation:
    """Evaluates predictions that were made before; no model runs.

    Args:
      predictions: of every record; their boxes, which follow another protocol, are
        not used.
      score_threshold: in [0, 1); not used by "oracle".
      threshold_origin: "oracle" takes the best threshold of this very split.

    Raises:
      UserError: unknown origin; "oracle" without true boxes; a threshold outside
        [0, 1).
    """
    del records
    check_threshold_origin(threshold_origin)
    sweep = _sweep(predictions.maps, truth)
    if threshold_origin == ORACLE:
        score_threshold = _choose(sweep)
    if not 0 <= score_threshold < 1:
        raise UserError(
            f"eval.score_threshold is {score_threshold}; protocol maxboxacc takes "
            "thresholds in [0, 1)"
        )
    map_class, figures = predictions.map_class, class_figures(predictions)
    if len(truth.images):
        at = {"threshold_origin": threshold_origin, "map_class": map_class}
        figures |= _figures_at(sweep, predictions, truth, score_threshold, at)
        figures |= _maxima(sweep, map_class)
        if predictions.cams is not None:
            figures |= _maxima(_sweep(predictions.cams, truth), map_class, "cam/")
    return Evaluation(
        figures=figures,
        other_metrics=image_counts(
            predictions, truth, _is_degenerate(predictions.maps)
        ),
        score_threshold=score_threshold,
        threshold_origin=threshold_origin,
        map_class=map_class,
        per_image=_per_image(sweep, predictions, truth, score_threshold),
    )


def _sweep(maps: np.ndarray, truth: GroundTruth) -> BoxSweep:
    return box_accuracy.sweep_maps(
        maps[truth.images], truth.boxes, crop_size_wh=truth.crop_size_wh
    )


def _choose(sweep: BoxSweep) -> float:
    check_has_boxes(len(sweep))
    return sweep.best_threshold()


def _figures_at(
    sweep: BoxSweep,
    predictions: Predictions,
    truth: GroundTruth,
    score_threshold: float,
    at: Mapping,
) -> dict[str, Figure]:
    """Figures at one threshold over the images with true boxes, largest contour."""
    ious = _ious_at(sweep, score_threshold)
    at = {**at, "score_thresholds": [score_threshold]}
    class_ids = predictions.class_ids[truth.images]
    labels = predictions.labels[truth.images]
    loc, mean_iou = localization.NAMES[predictions.map_class]
    right, main = ious >= MAIN_IOU_THRESHOLD, MAIN_IOU_THRESHOLD
    top = localization.with_class(right, class_ids, labels, predictions.map_class)
    columns = {
        **{_name(loc, d): (ious >= d, d) for d in IOU_THRESHOLDS},
        **{name: (values, main) for name, values in top.items()},
        mean_iou: (ious, None),
    }
    return mean_figures(
        {name: values for name, (values, _) in columns.items()},
        {n: {**at, **box_facts(d, COMPARISON)} for n, (_, d) in columns.items()},
    )


def _maxima(sweep: BoxSweep, map_class: str, prefix: str = "") -> dict[str, Figure]:
    """MaxBoxAcc at each IoU threshold, and MaxBoxAccV2 with its three parts."""
    figures = {}
    for delta in IOU_THRESHOLDS:
        name = _name(f"{prefix}max_box_acc", delta)
        figures[name] = _maximum(sweep, [delta], map_class, multi=False)
    v2 = f"{prefix}max_box_acc_v2"
    figures[v2] = _maximum(sweep, IOU_THRESHOLDS, map_class, multi=True)
    for delta in IOU_THRESHOLDS:
        figures[f"{v2}@{delta}"] = _maximum(sweep, [delta], map_class, multi=True)
    return figures


def _maximum(
    sweep: BoxSweep, iou_thresholds: Sequence[float], map_class: str, *, multi: bool
) -> Figure:
    """Mean over IoU thresholds of the best accuracy of any score threshold."""
    right = [sweep.is_right(iou_threshold=d, multi=multi) for d in iou_thresholds]
    rows = np.stack(right, axis=1)  # [n, deltas, levels]
    best = rows.mean(axis=0).argmax(axis=1)  # the lowest of equally good levels
    levels = contours.level_of(box_accuracy.THRESHOLDS)
    thresholds = box_accuracy.THRESHOLDS[np.searchsorted(levels, best)]

    def statistic(means):  # [resamples, deltas * levels]
        means = means.reshape(len(means), *rows.shape[1:])
        return means.max(axis=2).mean(axis=1)

    flat = rows.reshape(len(rows), -1)
    return Figure(
        value=float(statistic(flat.mean(axis=0)[np.newaxis])[0]),
        num_images=len(rows),
        interval_95=bootstrap_interval(flat, statistic),
        iou_thresholds=list(iou_thresholds),
        comparison=COMPARISON,
        score_thresholds=thresholds.tolist(),
        threshold_origin=ORACLE,
        map_class=map_class,
    )


def _name(name: str, iou_threshold: float) -> str:
    """The main IoU threshold goes without saying."""
    is_main = iou_threshold == MAIN_IOU_THRESHOLD
    return name if is_main else f"{name}@{iou_threshold}"


def _ious_at(sweep: BoxSweep, score_threshold: float) -> np.ndarray:
    return sweep.single[:, contours.level_of(score_threshold)]


def _is_degenerate(maps: np.ndarray) -> np.ndarray:
    """bool [n]: constant or not finite."""
    flat = maps.reshape(len(maps), -1)
    finite = np.isfinite(flat).all(axis=1)
    return ~finite | (flat.min(axis=1) == flat.max(axis=1))


def _per_image(
    sweep: BoxSweep,
    predictions: Predictions,
    truth: GroundTruth,
    score_threshold: float,
) -> dict[str, np.ndarray]:
    """IoU, whether it is right, and the box of the largest contour at one threshold.

    The box's low edges and, off the right and lower border, its high edges are those
    of a half-open box; see `contours`.
    """
    ious = _ious_at(sweep, score_threshold)
    count, level = len(predictions), int(contours.level_of(score_threshold))
    boxes = []
    for score_map in predictions.maps:
        scores = contours.scores_on_crop(score_map, truth.crop_size_wh)
        found, largest = contours.boxes_above(contours.quantize(scores), level)
        boxes.append(found[largest])
    right = ious >= MAIN_IOU_THRESHOLD
    return {
        "iou": spread_over_records(count, truth.images, ious),
        "correct": spread_over_records(count, truth.images, right),
        "box": np.array(boxes, np.float64).reshape(-1, 4),
    }
