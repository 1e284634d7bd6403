"""What an evaluator returns, by whatever protocol."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bas_tf.errors import UserError, check_choice
from bas_tf.evaluators.ground_truth import GroundTruth
from bas_tf.evaluators.predictions import Predictions
from bas_tf.metrics.bootstrap import (
    Interval,
    bootstrap_interval,
    class_mean_intervals,
    mean_intervals,
)
from bas_tf.metrics.class_means import ClassMeans
from bas_tf.metrics.classification import classification_values

FIXED, SELF, VAL_OPTIMAL, ORACLE = "fixed", "self", "val-optimal", "oracle"
THRESHOLD_ORIGINS = (FIXED, SELF, VAL_OPTIMAL, ORACLE)

Facts = Mapping[str, Any]  # a Figure's attributes by name
# Of label maps, whatever makes boxes of one map.
LABEL_FIGURES = ("miou", "class_boxes_precision", "class_boxes_recall")


@dataclasses.dataclass(frozen=True)
class Figure:
    """One number with all that must be stated with it.

    Attributes:
      value: a fraction in [0, 1].
      num_images: how many images it is about.
      interval_95: (low, high), by resampling images.
      average: over "images", "classes" (the mean over classes of each class's mean
        over images), or "pixels" or "boxes", pooled over images.
      iou_thresholds: of a right box; empty where no box is evaluated.
      comparison: ">" or ">=", how a right box's IoU compares with its threshold; None
        without IoU thresholds.
      score_thresholds: behind the figure, one, or one for each IoU threshold; empty
        where there is none, or where the figure is about all of them.
      threshold_origin: one of THRESHOLD_ORIGINS, of the score thresholds or of what
        else was chosen; None where nothing was.
      map_class: one of `predictions.MAP_CLASSES`, whose map it is about; None where it
        is about none.
    """

    value: float
    num_images: int
    interval_95: Interval
    average: str = "images"
    iou_thresholds: Sequence[float] = ()
    comparison: str | None = None
    score_thresholds: Sequence[float] = ()
    threshold_origin: str | None = None
    map_class: str | None = None


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """An evaluation; iterating yields its (name, value) pairs.

    Attributes:
      figures: {name: Figure}. Localization figures are left out where no image has a
        true box, since there is nothing to divide by.
      other_metrics: {name: value} of what has no interval: counts, which start with
        "num_", and settings that were found.
      score_threshold: the threshold behind the boxes.
      threshold_origin: one of THRESHOLD_ORIGINS.
      map_class: one of `predictions.MAP_CLASSES`, of the boxes and of `per_image`.
      per_image: {column: [records]}, the evaluator's own columns of the per-image
        table; NaN where an image does not count.
    """

    figures: Mapping[str, Figure]
    other_metrics: Mapping[str, float]
    score_threshold: float
    threshold_origin: str
    map_class: str
    per_image: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def metrics(self) -> dict[str, float]:
        """{name: value} of the figures and of all else."""
        values = {name: figure.value for name, figure in self.figures.items()}
        return {**values, **self.other_metrics}

    @property
    def intervals_95(self) -> dict[str, Interval]:
        """{name: (low, high)} of the figures."""
        return {name: figure.interval_95 for name, figure in self.figures.items()}

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return iter(self.metrics.items())


def check_threshold_origin(threshold_origin: str) -> None:
    """Raises UserError for what is none of THRESHOLD_ORIGINS."""
    check_choice("threshold_origin", threshold_origin, THRESHOLD_ORIGINS)


def check_has_boxes(count: int) -> None:
    """Raises UserError where no image has a true box to choose a threshold on."""
    if not count:
        raise UserError(
            "a threshold can be chosen only on images with true boxes; this split "
            "has none: keep the fixed threshold"
        )


def box_facts(iou_threshold: float | None, comparison: str) -> dict[str, Any]:
    """What a figure says about its right boxes; empty where it has none (None)."""
    if iou_threshold is None:
        return {}
    return {"iou_thresholds": [iou_threshold], "comparison": comparison}


def mean_figures(
    values: Mapping[str, np.ndarray], facts: Mapping[str, Facts]
) -> dict[str, Figure]:
    """Means over images with their bootstrap intervals.

    Args:
      values: {name: [n] bool or float in [0, 1]}, n >= 1, all of the same images.
      facts: {name: the figure's thresholds and their origin}; a name may be missing.
    """
    rows = np.stack(list(values.values()), axis=1)  # [n, figures]
    return _figures(
        {name: float(np.mean(column)) for name, column in values.items()},
        mean_intervals(rows),
        facts,
        num_images=len(rows),
        average="images",
    )


def pooled_figures(
    counts: np.ndarray,
    statistics: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    *,
    average: str,
    facts: Facts,
) -> dict[str, Figure]:
    """Statistics of counts that are summed over images; a resample sums its images'.

    Args:
      counts: [n, k] of each image, n >= 1.
      statistics: {name: sums or means [..., k] -> [...]}.
      average: see `Figure`.
      facts: of all of them.
    """
    rows = np.asarray(counts, np.float64)
    return {
        name: Figure(
            value=float(statistic(rows.sum(axis=0))),
            num_images=len(rows),
            interval_95=bootstrap_interval(rows, statistic),
            average=average,
            **facts,
        )
        for name, statistic in statistics.items()
    }


def class_mean_figures(
    values: Mapping[str, np.ndarray], labels: np.ndarray, facts: Mapping[str, Facts]
) -> dict[str, Figure]:
    """{name + "_class_mean": Figure}: means over the classes present of their means.

    As `mean_figures`; labels are int [n].
    """
    rows = np.stack(list(values.values()), axis=1)
    means = ClassMeans(labels).of(rows, np.ones([1, len(rows)]))[0]
    figures = _figures(
        dict(zip(values, means.tolist(), strict=True)),
        class_mean_intervals(rows, labels),
        facts,
        num_images=len(rows),
        average="classes",
    )
    return {f"{name}_class_mean": figure for name, figure in figures.items()}


def class_figures(
    predictions: Predictions, *, class_means: bool = False
) -> dict[str, Figure]:
    """Top-1 and top-5 accuracy over all images, of a model that classifies."""
    if not predictions.classifies:
        return {}
    values = classification_values(predictions.class_ids, predictions.labels)
    figures = mean_figures(values, {})
    if class_means:
        figures |= class_mean_figures(values, predictions.labels, {})
    return figures


def image_counts(
    predictions: Predictions, truth: GroundTruth, degenerate: np.ndarray
) -> dict[str, int]:
    """Counts of images, of those without a true box, of empty boxes and of bad maps."""
    return {
        "num_images": len(predictions),
        "num_images_without_boxes": len(predictions) - len(truth.images),
        "num_empty_boxes": truth.num_empty_boxes,
        "num_degenerate": int(degenerate.sum()),
    }


def _figures(
    values: Mapping[str, float],
    intervals: Sequence[Interval],
    facts: Mapping[str, Facts],
    **shared,
) -> dict[str, Figure]:
    """A figure for each value and interval; `shared` facts are the same for all."""
    return {
        name: Figure(value=value, interval_95=interval, **shared, **facts.get(name, {}))
        for (name, value), interval in zip(values.items(), intervals, strict=True)
    }


def spread_over_records(
    num_records: int, images: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """A column of the per-image table: float64 [num_records, ...], NaN elsewhere.

    Args:
      images: int [n], positions of the images that count.
      values: [n, ...] bool or number.
    """
    values = np.asarray(values)
    column = np.full([num_records, *values.shape[1:]], np.nan)
    column[images] = values
    return column
