"""Foreground pixels against true masks, where there are any."""

from collections.abc import Callable, Mapping

import numpy as np

OBJECT, IGNORE = 255, 128


def pixel_counts(
    score_map: np.ndarray, mask: np.ndarray, *, score_threshold: float
) -> tuple[int, int, int]:
    """Pixels of the object, of the predicted foreground, and of both.

    Args:
      score_map: float32 [h, w], normalised; its foreground is what is strictly above
        the threshold, all components of it.
      mask: uint8 [h, w], same frame: 0 background, 255 object, 128 ignore. Pixels to
        be ignored do not count.
      score_threshold: in [0, 1].
    """
    is_object = mask == OBJECT
    predicted = (score_map > np.float32(score_threshold)) & (mask != IGNORE)
    both = predicted & is_object
    return int(is_object.sum()), int(predicted.sum()), int(both.sum())


def is_peak_in_mask(score_map: np.ndarray, mask: np.ndarray) -> bool:
    """Whether the highest pixel is on the object; a map of zeros has none."""
    has_peak = score_map.max() > 0
    return bool(has_peak and mask.flat[np.argmax(score_map)] == OBJECT)


def pixel_iou(counts: np.ndarray) -> np.ndarray:
    """IoU of pooled pixels: sums or means [..., 3] of `pixel_counts` -> [...].

    0 where there is nothing to divide by.
    """
    of_object, predicted, both = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    return _divide(both, of_object + predicted - both)


def pixel_precision(counts: np.ndarray) -> np.ndarray:
    """Share of the predicted pixels that are on the object; as `pixel_iou`."""
    _, predicted, both = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    return _divide(both, predicted)


POOLED: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "pixel_iou": pixel_iou,
    "pixel_precision": pixel_precision,
}


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
