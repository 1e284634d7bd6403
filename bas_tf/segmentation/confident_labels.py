"""Labels sure enough to train the edge network on (IRN, journal)."""

import numpy as np

from bas_tf.names import UNSURE_LABEL
from bas_tf.refinement.dense_crf import mean_field
from bas_tf.segmentation.seeds import as_labels, label_map

FOREGROUND_THRESHOLD, BACKGROUND_THRESHOLD = 0.3, 0.17


def confident_labels(
    high: np.ndarray, keys: np.ndarray, photo: np.ndarray
) -> np.ndarray:
    """A photo's labels, cut high and cut low, each following the photo's colours.

    Args:
      high: float [labels, height, width] of `Seeds`.
      keys: int [labels].
      photo: uint8 [height, width, 3].

    Returns:
      uint8 [height, width]: the class + 1 where the high cut has one, 0 where neither
      has, else UNSURE_LABEL.
    """
    if not len(keys):
        return np.zeros(photo.shape[:2], np.uint8)
    positions = np.arange(len(keys))
    thresholds = FOREGROUND_THRESHOLD, BACKGROUND_THRESHOLD
    maps = np.stack([label_map(high, positions, t) for t in thresholds])
    foreground, background = mean_field(photo, maps, len(keys) + 1).argmax(axis=-1)
    labels = as_labels(foreground, keys)
    labels[(foreground == 0) & (background != 0)] = UNSURE_LABEL
    return labels
