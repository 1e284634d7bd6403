"""Means over the images of each class."""

import numpy as np


def means_by_class(
    values: np.ndarray, labels: np.ndarray, num_classes: int
) -> np.ndarray:
    """Each class's mean over those of its images that count.

    Args:
      values: [n] bool or float, NaN where an image does not count.
      labels: int [n], in [0, num_classes).

    Returns:
      float64 [num_classes], NaN for a class of which no image counts.
    """
    values, labels = np.asarray(values, np.float64), np.asarray(labels)
    kept = ~np.isnan(values)
    sums = np.bincount(labels[kept], values[kept], minlength=num_classes)
    counts = np.bincount(labels[kept], minlength=num_classes)
    unknown = np.full(num_classes, np.nan)
    return np.divide(sums, counts, out=unknown, where=counts > 0)
