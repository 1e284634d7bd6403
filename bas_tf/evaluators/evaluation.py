"""What a judge returns, by whatever protocol."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bas_tf.errors import check_choice
from bas_tf.evaluators.predictions import Predictions
from bas_tf.metrics.bootstrap import bootstrap_interval
from bas_tf.metrics.classification import TOP_K, is_within_top
from bas_tf.metrics.sums import Interval

THRESHOLD_ORIGINS = ("fixed", "val-optimal", "oracle")
ORACLE = "oracle"


@dataclasses.dataclass(frozen=True)
class Figure:
    """One number with all that must be said beside it.

    Attributes:
      value: a fraction in [0, 1].
      num_images: how many images it is about.
      interval_95: (low, high).
      iou_thresholds: of a right box; empty where no box is judged.
      score_thresholds: behind the figure, one, or one for each IoU threshold; empty
        where there is none, or where the figure is about all of them.
      threshold_origin: one of THRESHOLD_ORIGINS; None without score thresholds.
    """

    value: float
    num_images: int
    interval_95: Interval
    iou_thresholds: Sequence[float] = ()
    score_thresholds: Sequence[float] = ()
    threshold_origin: str | None = None


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """A judgement; iterating yields its (name, value) pairs.

    Attributes:
      metrics: {name: value}. Localization figures are left out where no image has a
        true box, since there is nothing to divide by.
      intervals_95: {name: (low, high)} for the means over images.
      score_threshold: the threshold behind the boxes.
      threshold_origin: one of THRESHOLD_ORIGINS.
      gt_known_table: (class id, right boxes, images) of each class with true boxes.
      figures: {name: Figure}; empty where one threshold is behind all metrics.
      per_image: {column: [records]}, the judge's own columns of the per-image table;
        NaN where an image does not count.
    """

    metrics: Mapping[str, float]
    intervals_95: Mapping[str, Interval]
    score_threshold: float
    threshold_origin: str
    gt_known_table: Sequence[tuple[int, int, int]] = ()
    figures: Mapping[str, Figure] = dataclasses.field(default_factory=dict)
    per_image: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return iter(self.metrics.items())


def check_threshold_origin(threshold_origin: str) -> None:
    """Raises UserError for what is none of THRESHOLD_ORIGINS."""
    check_choice("threshold_origin", threshold_origin, THRESHOLD_ORIGINS)


def mean_figure(values: np.ndarray, **facts) -> Figure:
    """The mean over images with its bootstrap interval.

    Args:
      values: [n] bool or float in [0, 1], n >= 1.
      **facts: the Figure's thresholds and their origin.
    """
    rows = np.asarray(values, np.float64)[:, np.newaxis]
    return Figure(
        value=float(rows.mean()),
        num_images=len(rows),
        interval_95=bootstrap_interval(rows, lambda means: means[:, 0]),
        **facts,
    )


def class_figures(predictions: Predictions) -> dict[str, Figure]:
    """Top-1 and top-5 accuracy over all images."""
    class_ids, labels = predictions.class_ids, predictions.labels
    return {
        name: mean_figure(is_within_top(class_ids, labels, k))
        for name, k in TOP_K.items()
    }


def figures_evaluation(
    figures: Mapping[str, Figure], *, counts: Mapping[str, int], **rest
) -> Evaluation:
    """An Evaluation whose metrics are figures, each with its own facts, and counts.

    Args:
      figures: by name.
      counts: by name, they start with "num_".
      **rest: the Evaluation's other attributes.
    """
    return Evaluation(
        metrics={**{name: f.value for name, f in figures.items()}, **counts},
        intervals_95={name: f.interval_95 for name, f in figures.items()},
        figures=figures,
        **rest,
    )


def spread_over_records(
    num_records: int, images: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """A column of the per-image table from the images that count.

    Args:
      num_records: length of the column.
      images: int [n], positions of the images that count.
      values: [n, ...] bool or number.

    Returns:
      float64 [num_records, ...], NaN elsewhere.
    """
    values = np.asarray(values)
    column = np.full([num_records, *values.shape[1:]], np.nan)
    column[images] = values
    return column
