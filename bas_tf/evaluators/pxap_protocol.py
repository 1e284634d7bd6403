"""The evaluator of protocol `pxap` (Choe et al., CVPR 2020): pixels against true masks.

Images are resized without a crop, and so are the masks. PxAP sums over all thresholds
and needs none; the peak pixel IoU takes the best threshold of the evaluated split, an
oracle's; the rest is at one threshold, whose origin the caller says. `piou` is the
journal extension's peak, whose maps are scaled before they are enlarged.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bas_tf.data.images import in_parallel
from bas_tf.data.records import Record
from bas_tf.errors import UserError
from bas_tf.evaluators.figures import (
    ORACLE,
    Evaluation,
    Figure,
    check_threshold_origin,
    class_figures,
    pooled_figures,
    spread_over_records,
)
from bas_tf.evaluators.ground_truth import GroundTruth
from bas_tf.evaluators.predictions import Predictions
from bas_tf.geometry import contours, frames
from bas_tf.geometry.components import resize_map
from bas_tf.metrics import pixel_precision
from bas_tf.metrics.box_accuracy import THRESHOLDS
from bas_tf.metrics.pixel_precision import NUM_BINS
from bas_tf.metrics.segmentation import IGNORE, OBJECT

Size = tuple[int, int]  # width, height


def choose_threshold(
    predictions: Predictions, truth: GroundTruth, records: Sequence[Record]
) -> float:
    """The lowest threshold with the highest pooled pixel IoU on this split.

    Raises:
      UserError: no mask, or none with an object.
    """
    _, histograms = _histograms(predictions.maps, records, truth.crop_size_wh)
    return _best_threshold(histograms)


def evaluate_predictions(
    predictions: Predictions,
    truth: GroundTruth,
    *,
    records: Sequence[Record],
    score_threshold: float,
    threshold_origin: str = "fixed",
) -> Evaluation:
    """Evaluates the maps of predictions that were made before; no model runs.

    Args:
      truth: names the crop.
      records: those without a mask get class figures only.
      score_threshold: in [0, 1]; the nearest of THRESHOLDS is used and reported. Not
        used by "oracle".
      threshold_origin: "oracle" takes the best threshold of this very split.

    Raises:
      UserError: unknown origin; no mask, or none with an object.
      DataError: a mask cannot be read.
    """
    check_threshold_origin(threshold_origin)
    images, histograms = _histograms(predictions.maps, records, truth.crop_size_wh)
    if threshold_origin == ORACLE:
        score_threshold = _best_threshold(histograms)
    place = int(np.abs(THRESHOLDS - score_threshold).argmin())
    score_threshold = float(THRESHOLDS[place])
    _, of_extension = _histograms(
        predictions.maps, records, truth.crop_size_wh, _extension_scores
    )
    map_class = predictions.map_class
    ious = pixel_precision.pixel_ious(histograms)[:, place]
    return Evaluation(
        figures={
            **_pixel_figures(histograms, place, threshold_origin, map_class),
            **_peak("piou", of_extension, map_class),
            **class_figures(predictions),
        },
        other_metrics={
            "num_images": len(predictions),
            "num_images_without_masks": len(predictions) - len(images),
        },
        score_threshold=score_threshold,
        threshold_origin=threshold_origin,
        map_class=map_class,
        per_image={"pixel_iou": spread_over_records(len(predictions), images, ious)},
    )


def _histograms(
    maps: np.ndarray,
    records: Sequence[Record],
    crop_size_wh: Size,
    scores_of: Callable[[np.ndarray, Size], np.ndarray] = contours.scores_on_crop,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions [n] of the records with masks, and int64 [n, 2, NUM_BINS]."""
    images = [i for i, record in enumerate(records) if record.load_mask is not None]

    def histogram(image: int) -> np.ndarray:
        mask = frames.mask_to_size(records[image].load_mask(), crop_size_wh)
        scores = scores_of(maps[image], crop_size_wh)
        return pixel_precision.score_histograms(scores, mask == OBJECT, mask == IGNORE)

    rows = in_parallel(histogram, images)
    histograms = np.array(rows, np.int64).reshape(-1, 2, NUM_BINS)
    if not histograms[:, 0].any():
        raise UserError(
            f"protocol pxap: {len(images)} of {len(records)} images have a mask, and "
            f"none of those an object pixel (value {OBJECT})"
        )
    return np.array(images, np.int64), histograms


def _extension_scores(score_map: np.ndarray, crop_size_wh: Size) -> np.ndarray:
    """As the journal extension: min-max at the map's own size, then bilinear."""
    score_map = np.float32(score_map)
    if not np.isfinite(score_map).all():
        return np.zeros(tuple(crop_size_wh)[::-1])
    score_map = score_map - score_map.min()
    return np.float64(resize_map(score_map / (score_map.max() + 1e-5), crop_size_wh))


def _best_threshold(histograms: np.ndarray) -> float:
    pooled = pixel_precision.pixel_ious(histograms.sum(axis=0))
    return float(THRESHOLDS[pooled.argmax()])


def _pixel_figures(
    histograms: np.ndarray, place: int, threshold_origin: str, map_class: str
) -> dict[str, Figure]:
    """PxAP, and IoU, precision and recall at one of THRESHOLDS, and the peak IoU."""
    at = {
        "score_thresholds": [float(THRESHOLDS[place])],
        "threshold_origin": threshold_origin,
        "map_class": map_class,
    }
    curves = pixel_precision.precision_and_recall
    ious = pixel_precision.pixel_ious
    at_place = {
        "pixel_iou": lambda h: ious(h)[..., place],
        "pixel_precision": lambda h: curves(h)[0][..., place],
        "pixel_recall": lambda h: curves(h)[1][..., place],
    }
    px_ap = {"px_ap": pixel_precision.px_ap}
    return {
        **_pooled(histograms, px_ap, map_class=map_class),
        **_pooled(histograms, at_place, **at),
        **_peak("peak_pixel_iou", histograms, map_class),
    }


def _peak(name: str, histograms: np.ndarray, map_class: str) -> dict[str, Figure]:
    """The highest pooled IoU of any threshold."""
    return _pooled(
        histograms,
        {name: lambda h: pixel_precision.pixel_ious(h).max(axis=-1)},
        score_thresholds=[_best_threshold(histograms)],
        threshold_origin=ORACLE,
        map_class=map_class,
    )


def _pooled(
    histograms: np.ndarray, statistics: Mapping[str, Callable], **facts
) -> dict[str, Figure]:
    """`pooled_figures` of statistics of [..., 2, NUM_BINS] histograms."""

    def of_flat(statistic: Callable) -> Callable:
        return lambda rows: statistic(rows.reshape(*rows.shape[:-1], 2, NUM_BINS))

    return pooled_figures(
        histograms.reshape(len(histograms), -1),
        {name: of_flat(statistic) for name, statistic in statistics.items()},
        average="pixels",
        facts=facts,
    )
