"""Masks: from a map, to a box, and as text."""

import numpy as np

from bas_tf.geometry import components
from bas_tf.geometry.frames import Size


def map_at(
    score_map: np.ndarray, size_wh: Size, *, score_threshold: float
) -> np.ndarray:
    """A map normalised, resized, and rescaled so that its threshold is 0.5.

    Args:
      score_map: float [h, w].
      size_wh: width and height wanted.
      score_threshold: in (0, 1).

    Returns:
      float32 [height, width] in [0, 1], linear on either side of the threshold.
    """
    resized = components.resize_map(components.normalize_map(score_map), size_wh)
    below = 0.5 * resized / score_threshold
    above = 0.5 + 0.5 * (resized - score_threshold) / (1 - score_threshold)
    return np.where(resized <= score_threshold, below, above).astype(np.float32)


def box_of_mask(mask: np.ndarray) -> tuple[np.ndarray, bool]:
    """The half-open box of a mask's largest component, and whether it has none."""
    height, width = mask.shape
    return components.box_from_map(
        mask.astype(np.float32), crop_size_wh=(width, height), score_threshold=0.5
    )


def run_lengths(mask: np.ndarray) -> dict:
    """COCO's uncompressed RLE: lengths by columns, the first of background."""
    pixels = mask.ravel(order="F").astype(np.int8)
    changes = np.flatnonzero(np.diff(pixels, prepend=0))
    counts = np.diff(changes, prepend=0, append=len(pixels))
    return {"size": list(mask.shape), "counts": counts.tolist()}


def from_run_lengths(rle: dict) -> np.ndarray:
    """The inverse of `run_lengths`: bool [height, width]."""
    counts = rle["counts"]
    pixels = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return pixels.reshape(rle["size"], order="F")
