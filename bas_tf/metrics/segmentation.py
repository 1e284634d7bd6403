"""Pixels against true masks, where there are any: of an object, of each class."""

from collections.abc import Callable, Mapping

import numpy as np

from bas_tf.names import UNSURE_LABEL

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


def label_confusion(
    truth: np.ndarray, predicted: np.ndarray, num_labels: int
) -> np.ndarray:
    """Pixels by true and predicted label; sum it over images.

    Args:
      truth: int of any shape: 0 background, labels below `num_labels`, or
        UNSURE_LABEL, whose pixels do not count.
      predicted: int of that shape, likewise; UNSURE_LABEL counts as background.
      num_labels: with background.

    Returns:
      int64 [num_labels, num_labels]: a row for each true label.
    """
    counts = truth != UNSURE_LABEL
    truth = truth[counts].astype(np.int64)
    predicted = np.where(predicted == UNSURE_LABEL, 0, predicted)[counts]
    cells = np.bincount(truth * num_labels + predicted, minlength=num_labels**2)
    return cells.reshape(num_labels, num_labels)


def label_ious(confusion: np.ndarray) -> np.ndarray:
    """IoU of each label, background first: [..., n, n] -> float64 [..., n].

    NaN for a label that is neither true nor predicted anywhere: `np.nanmean` is the
    mean IoU. One that is predicted but never true has 0, and counts.
    """
    return count_ious(_counts_of(confusion))


def label_counts(
    truth: np.ndarray, predicted: np.ndarray, num_labels: int
) -> np.ndarray:
    """Pixels of each label that are true, predicted, and both: int64 [3 num_labels]."""
    return _counts_of(label_confusion(truth, predicted, num_labels))


def _counts_of(confusion: np.ndarray) -> np.ndarray:
    both = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.concatenate([confusion.sum(-1), confusion.sum(-2), both], axis=-1)


def count_ious(counts: np.ndarray) -> np.ndarray:
    """As `label_ious`: sums or means [..., 3 n] of `label_counts` -> [..., n]."""
    true, predicted, both = np.split(np.asarray(counts, np.float64), 3, axis=-1)
    union = true + predicted - both
    return np.divide(both, union, out=np.full_like(both, np.nan), where=union > 0)


POOLED: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "pixel_iou": pixel_iou,
    "pixel_precision": pixel_precision,
}


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
