"""Masks of several classes: 0 background, k + 1 class k, 255 ignore."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bas_tf.data import decode
from bas_tf.data.records import DataError
from bas_tf.names import UNSURE_LABEL


def read_class_mask(path: Path, labels: Sequence[int]) -> np.ndarray:
    """The indices of a PNG with a palette, or its grey values, as a model's labels.

    Args:
      path: 0 is background, 255 ignored, i + 1 the i-th of `labels`.
      labels: of the data set's classes, below 254.

    Returns:
      uint8 [height, width]: 0 background, k + 1 label k, 255 ignore.
    """
    with decode.opened(decode.read_file(path), str(path)) as image:
        if image.mode not in ("P", "L"):
            raise DataError(
                f"{path}: mode is {image.mode}; expected a PNG with a palette, or grey"
            )
        indices = np.asarray(image)
    largest = indices[indices != UNSURE_LABEL].max(initial=0)
    if largest > len(labels):
        raise DataError(
            f"{path}: has index {largest}; expected 0 to {len(labels)}, or "
            f"{UNSURE_LABEL} for what is ignored"
        )
    table = np.full(256, UNSURE_LABEL, np.uint8)
    table[: len(labels) + 1] = [0, *(label + 1 for label in labels)]
    return table[indices]


def mask_of_class(load_class_mask: Callable[[], np.ndarray], label: int) -> np.ndarray:
    """One label of a mask of several: uint8 [h, w], 255 object, 128 ignore, else 0."""
    classes = load_class_mask()
    mask = np.where(classes == label + 1, 255, 0).astype(np.uint8)
    mask[classes == UNSURE_LABEL] = 128
    return mask
