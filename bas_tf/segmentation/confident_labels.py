"""Labels sure enough to train the edge network on (IRN, journal)."""

import numpy as np

from bas_tf.names import UNSURE_LABEL
from bas_tf.refinement.dense_crf import mean_field
from bas_tf.segmentation.seeds import as_labels, label_map

THRESHOLD = 0.3  # of the foreground
_BACKGROUND_SHARE = 0.17 / 0.3  # of it, up to where a map is background


def confident_labels(
    high: np.ndarray,
    keys: np.ndarray,
    photo: np.ndarray,
    *,
    threshold: float = THRESHOLD,
) -> np.ndarray:
    """A photo's labels, cut high and cut low, each following the photo's colours.

    Args:
      high: float [labels, height, width] of `Seeds`.
      keys: int [labels].
      photo: uint8 [height, width, 3].
      threshold: of the high cut; the low one is 17/30 of it, 0.17 as published.

    Returns:
      uint8 [height, width]: the class + 1 where the high cut has one, 0 where neither
      has, else UNSURE_LABEL.
    """
    if not len(keys):
        return np.zeros(photo.shape[:2], np.uint8)
    positions = np.arange(len(keys))
    thresholds = threshold, threshold * _BACKGROUND_SHARE
    maps = np.stack([label_map(high, positions, t) for t in thresholds])
    foreground, background = mean_field(photo, maps, len(keys) + 1).argmax(axis=-1)
    labels = as_labels(foreground, keys)
    labels[(foreground == 0) & (background != 0)] = UNSURE_LABEL
    return labels
