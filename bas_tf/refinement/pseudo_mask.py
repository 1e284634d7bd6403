"""Masks to train on: of a map and its photo's colours, where the two agree."""

from collections.abc import Sequence

import numpy as np

from bas_tf.data.images import in_parallel
from bas_tf.data.pseudo_masks import BACKGROUND, OBJECT, UNSURE
from bas_tf.geometry import boxes
from bas_tf.geometry.components import largest_component
from bas_tf.refinement import grabcut
from bas_tf.refinement.masks import map_at

MIN_AGREEMENT = 0.6  # IoU of the refined mask and the map's own
_SURE = 0.1, 0.95  # stricter than for boxes: a photo that this spoils gets no mask
MIN_BOX_AGREEMENT = 0.8  # IoU of a corrected box and the box of the mask in it
_THRESHOLD_PHOTOS = 64
_LOWEST, _HIGHEST, _STEPS = 0.2, 0.8, 6  # of the threshold's bisection


def pseudo_mask(
    photo: np.ndarray, score_map: np.ndarray, *, score_threshold: float
) -> np.ndarray | None:
    """The mask that GrabCut makes of a map; None where it disagrees with the map.

    Args:
      photo: uint8 [height, width, 3].
      score_map: float [h, w] of the whole photo.
      score_threshold: in (0, 1).

    Returns:
      uint8 of the photo's proportions, at most `grabcut.MAX_PIXELS`: OBJECT or
      BACKGROUND.
    """
    mask, coarse = grabcut.bounded_cut(
        photo, score_map, score_threshold=score_threshold, sure=_SURE
    )
    if mask is None or (mask & coarse).sum() < MIN_AGREEMENT * (mask | coarse).sum():
        return None
    return np.where(mask, OBJECT, BACKGROUND).astype(np.uint8)


def corrected_mask(
    photo: np.ndarray,
    score_map: np.ndarray,
    corrected_boxes: np.ndarray,
    *,
    score_threshold: float,
) -> np.ndarray:
    """The mask of objects whose boxes are known: outside of them is no object.

    Args:
      photo: uint8 [height, width, 3].
      score_map: float [h, w] of the whole photo.
      corrected_boxes: [n, 4] half-open, pixels of the photo.
      score_threshold: in (0, 1).

    Returns:
      As `pseudo_mask`; UNSURE inside the boxes where GrabCut does not fill each.
    """
    small = grabcut.bounded(photo)
    size_wh = small.shape[1::-1]
    scores = map_at(score_map, size_wh, score_threshold=score_threshold)
    scale = np.tile(np.divide(size_wh, photo.shape[1::-1]), 2)
    corners = np.rint(corrected_boxes * scale).astype(int)
    low = np.minimum(corners[:, :2], np.array(size_wh) - 1)
    high = np.maximum(corners[:, 2:], low + 1)
    places = [np.s_[y0:y1, x0:x1] for (x0, y0), (x1, y1) in zip(low, high, strict=True)]
    inside = np.zeros(small.shape[:2], bool)
    for place in places:
        inside[place] = True
    mask, value = grabcut.cut_inside(small, scores, inside), OBJECT
    if mask is None or not all(_fills(mask[place]) for place in places):
        mask, value = inside, UNSURE
    return np.where(mask, value, BACKGROUND).astype(np.uint8)


def _fills(mask: np.ndarray) -> bool:
    """Whether the largest component's box is about the whole picture."""
    component = largest_component(mask)
    if component is None:
        return False
    box, (height, width) = boxes.box_from_mask(component), mask.shape
    return boxes.iou_xyxy([box], [[0, 0, width, height]]).item() >= MIN_BOX_AGREEMENT


def threshold_sample(count: int) -> range:
    """Positions of photos, spread over `count`, that a threshold is chosen on."""
    return range(0, count, max(1, count // _THRESHOLD_PHOTOS))


def threshold_without_boxes(
    photos: Sequence[np.ndarray], score_maps: Sequence[np.ndarray]
) -> float:
    """The threshold at which maps cover as much of their photos as their GrabCuts do.

    Colours pull the edge of a map that is cut too low inwards, of one that is cut too
    high outwards; in between the median of the areas' ratio is 1. Looks at photos and
    maps alone.

    Args:
      photos: uint8 [height, width, 3] each; a `threshold_sample` is enough.
      score_maps: float [h, w] of each.
    """
    low, high = _LOWEST, _HIGHEST
    for _ in range(_STEPS):
        middle = (low + high) / 2

        def ratio(photo, score_map, threshold=middle) -> float:
            size_wh = photo.shape[1::-1]
            scores = map_at(score_map, size_wh, score_threshold=threshold)
            mask = grabcut.cut(photo, scores)
            return 1.0 if mask is None else mask.sum() / max((scores > 0.5).sum(), 1)

        if np.median(in_parallel(ratio, photos, score_maps)) < 1:
            low = middle
        else:
            high = middle
    return round((low + high) / 2, 3)
