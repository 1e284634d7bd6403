"""PxAP (Choe et al., CVPR 2020) and the peak pixel IoU, from histograms of scores.

A pixel is predicted as object when its score is at least the threshold. Precision and
recall pool the pixels of all images; PxAP is the area under the curve they make.
"""

import numpy as np

from bas_tf.metrics.box_accuracy import THRESHOLDS

EDGES = np.append(THRESHOLDS, [1.0, 2.0, 3.0])
NUM_BINS = len(EDGES) - 1  # the last holds nothing, it is the curve's start
_STEP = 0.001  # between thresholds


def score_histograms(
    scores: np.ndarray, is_object: np.ndarray, is_ignored: np.ndarray
) -> np.ndarray:
    """Pixels by the bin of EDGES that their score falls in, low edge included.

    Args:
      scores: float64 [h, w] in [0, 1].
      is_object: bool [h, w].
      is_ignored: bool [h, w]: pixels that do not count.

    Returns:
      int64 [2, NUM_BINS]: of the object, of the background.
    """
    # Division never falls short at an edge, so by monotony nowhere, but may round up
    # to one just below it. Much faster than a search through EDGES.
    bins = (scores / _STEP).astype(np.int64)
    bins -= scores < EDGES[bins]
    bins = np.where(is_object, bins, bins + NUM_BINS)[~is_ignored]
    return np.bincount(bins, minlength=2 * NUM_BINS).reshape(2, NUM_BINS)


def px_ap(histograms: np.ndarray) -> np.ndarray:
    """Sum over descending thresholds of precision x gain in recall.

    Args:
      histograms: [..., 2, NUM_BINS], counts or means over images.

    Returns:
      [...] float64 in [0, 1]; 0 without a pixel of the object.
    """
    hits, false_alarms = _above(histograms)  # [..., bins], ascending thresholds
    precision = _divide(hits, hits + false_alarms)
    gained = histograms[..., 0, :-1]  # what each lower threshold adds to the hits
    return _divide((precision[..., :-1] * gained).sum(axis=-1), hits[..., 0])


def pixel_ious(histograms: np.ndarray) -> np.ndarray:
    """Pooled pixel IoU at each threshold: [..., len(THRESHOLDS)] in [0, 1]."""
    hits, false_alarms = _above(histograms)
    union = hits[..., :1] + false_alarms
    return _divide(hits, union)[..., : len(THRESHOLDS)]


def precision_and_recall(histograms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of pooled pixels at each threshold: twice [..., len(THRESHOLDS)] in [0, 1]."""
    hits, false_alarms = _above(histograms)
    precision = _divide(hits, hits + false_alarms)
    recall = _divide(hits, hits[..., :1])
    return precision[..., : len(THRESHOLDS)], recall[..., : len(THRESHOLDS)]


def _above(histograms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Object and background pixels in each bin and all higher ones, as float64."""
    counts = np.asarray(histograms, np.float64)
    above = counts[..., ::-1].cumsum(axis=-1)[..., ::-1]
    return above[..., 0, :], above[..., 1, :]


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros_like(part + whole), where=whole > 0)
