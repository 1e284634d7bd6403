"""Which images a comparison of runs shows, and what it shows of each."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from bas_tf.evaluators.evaluation_result import EvaluationResult
from bas_tf.geometry.components import normalize_map, resize_map
from bas_tf.report import pictures
from bas_tf.report.cases import Case, case_of, crop_of, spread_evenly, true_boxes_of

_TILE_HEIGHT = 224


@dataclasses.dataclass(frozen=True)
class ComparedImage:
    """One image of the page.

    Attributes:
      image_id: see `Record`.
      photo: its tile with true boxes, RGB uint8.
      answers: by run's name, each run's map, box and class.
    """

    image_id: str
    photo: np.ndarray
    answers: Mapping[str, Case]

    @property
    def true_class(self) -> str:
        """The class that all runs were to find."""
        return next(iter(self.answers.values())).true_class


def iou_spreads(ious: np.ndarray) -> np.ndarray:
    """How far apart the runs' boxes are: [runs, n] -> [n] in [0, 1].

    NaN, an image without a true box, stays NaN.
    """
    return ious.max(axis=0) - ious.min(axis=0)


def map_spreads(maps: Sequence[np.ndarray]) -> np.ndarray:
    """How far apart the runs' maps [n, h, w] are, for images without true boxes.

    Returns:
      [n] in [0, 1], the mean over pixels of highest minus lowest value of the
      normalised maps, at the first run's size.
    """
    size_wh = maps[0].shape[:0:-1]
    spreads = [
        np.ptp([resize_map(normalize_map(m), size_wh) for m in of_image], axis=0).mean()
        for of_image in zip(*maps, strict=True)
    ]
    return np.array(spreads, np.float64)


def choose_images(spreads: np.ndarray, *, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images that runs disagree on, and others.

    Args:
      spreads: [n]; NaN where none is known.
      count: of both together; with fewer images than that, all.

    Returns:
      Int indices, all distinct: at most half of them, rounded up, those of the largest
      spreads above 0, largest first; the rest evenly spread over all other images, in
      order.
    """
    known = np.nan_to_num(spreads, nan=0.0)
    count = min(count, len(known))
    largest = np.argsort(-known, kind="stable")[: (count + 1) // 2]
    largest = largest[known[largest] > 0]
    rest = np.setdiff1d(np.arange(len(known)), largest)
    return largest, spread_evenly(rest, count - len(largest))


def tile(
    image: np.ndarray,
    *,
    true_boxes: np.ndarray,
    localization_map: np.ndarray | None = None,
    box: np.ndarray | None = None,
) -> np.ndarray:
    """A photo, if asked under a map, with boxes, at the height of every tile.

    Args:
      image: RGB uint8; both kinds of boxes are in its pixels.
      true_boxes: [m, 4], m may be 0.
      localization_map: [h, w] float, covering the whole image.
      box: [4] predicted.
    """
    scaled, scale = pictures.scale_to_height(image, _TILE_HEIGHT)
    return pictures.overlay(
        scaled,
        localization_map,
        boxes=[] if box is None else [box * scale],
        true_boxes=[true_box * scale for true_box in true_boxes],
    )


def compared_image(
    evaluated: Mapping[str, EvaluationResult], index: int
) -> ComparedImage:
    first = next(iter(evaluated.values()))
    return ComparedImage(
        image_id=first.records[index].image_id,
        photo=tile(crop_of(first, index), true_boxes=true_boxes_of(first, index)),
        answers={name: _case(each, index) for name, each in evaluated.items()},
    )


def _case(evaluated: EvaluationResult, index: int) -> Case:
    """A run's map and box over what its network saw."""
    picture = tile(
        crop_of(evaluated, index),
        true_boxes=true_boxes_of(evaluated, index),
        localization_map=evaluated.predictions.maps[index],
        box=evaluated.evaluation.per_image["box"][index],
    )
    return case_of(evaluated, index, picture)
