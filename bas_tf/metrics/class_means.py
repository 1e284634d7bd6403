"""Means over classes: every class counts once, however many images it has."""

import numpy as np


class ClassMeans:
    """The grouping of n images by class, made once for any number of values.

    Needs memory for the images and for the classes, never for their product.

    Args:
      labels: int [n], n >= 1.
    """

    def __init__(self, labels: np.ndarray):
        self._order = np.argsort(labels, kind="stable")
        _, self._starts = np.unique(labels[self._order], return_index=True)

    def of(self, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Mean over the classes present of each class's weighted mean.

        Args:
          rows: [n, k] bool or float.
          weights: float64 [m, n], how often each image is there; a class whose images
            are all at 0 is not present.

        Returns:
          float64 [m, k].
        """
        weights = weights[:, self._order]
        counts = self._sums(weights)  # [m, classes]
        present = counts > 0
        columns = []
        for column in rows[self._order].T:
            sums = self._sums(weights * column)
            means = np.divide(sums, counts, out=np.zeros_like(sums), where=present)
            columns.append(means.sum(axis=1) / present.sum(axis=1))
        return np.stack(columns, axis=1)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over each class's images: [m, n] in the order of classes."""
        return np.add.reduceat(values, self._starts, axis=1)
