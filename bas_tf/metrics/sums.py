"""Means that know their classes: sums and counts, and 95 % intervals."""

import math

import numpy as np

from bas_tf.errors import UserError

Interval = tuple[float, float]
Z_95 = 1.959963984540054  # 97.5 % point of the standard normal distribution


class ClassSums:
    """Accumulates one value an image, by the image's class.

    Args:
      num_classes: labels are in [0, num_classes).
      is_fraction: values are 0 or 1, so the interval is Wilson's.
    """

    def __init__(self, num_classes: int, *, is_fraction: bool):
        self.is_fraction = is_fraction
        self.sums = np.zeros(num_classes)
        self.squares = np.zeros(num_classes)
        self.counts = np.zeros(num_classes, np.int64)

    def update(self, values: np.ndarray, labels: np.ndarray) -> None:
        """Adds a batch.

        Args:
          values: [batch] bool or float in [0, 1].
          labels: [batch] int.

        Raises:
          UserError: a label is outside [0, num_classes): another data set's model.
        """
        values, labels = np.asarray(values, np.float64), np.asarray(labels, np.int64)
        size = len(self.counts)
        if labels.size and not (labels.min() >= 0 and labels.max() < size):
            raise UserError(
                f"labels span {labels.min()}..{labels.max()}, but the model has "
                f"{size} classes: labels must be in 0..{size - 1}"
            )
        self.sums += np.bincount(labels, values, size)
        self.squares += np.bincount(labels, values**2, size)
        self.counts += np.bincount(labels, minlength=size)

    @property
    def count(self) -> int:
        """Images seen."""
        return int(self.counts.sum())

    def mean(self) -> float:
        """Mean over images. Needs at least one."""
        return float(self.sums.sum() / self.count)

    def class_mean(self) -> float:
        """Mean over the classes that have images of each class's mean."""
        seen = self.counts > 0
        return float(np.mean(self.sums[seen] / self.counts[seen]))

    def interval_95(self) -> Interval:
        """95 % interval of the mean over images, within [0, 1]."""
        if self.is_fraction:
            return wilson_interval(self.sums.sum(), self.count)
        return normal_interval(self.sums.sum(), self.squares.sum(), self.count)


def wilson_interval(successes: float, count: int) -> Interval:
    """Wilson's 95 % score interval of a fraction; (0, 1) without any trial."""
    if count == 0:
        return 0.0, 1.0
    z2 = Z_95**2
    fraction = successes / count
    centre = (fraction + z2 / (2 * count)) / (1 + z2 / count)
    variance = fraction * (1 - fraction) / count + z2 / (4 * count**2)
    return _within_unit(centre, Z_95 * math.sqrt(variance) / (1 + z2 / count))


def normal_interval(total: float, total_of_squares: float, count: int) -> Interval:
    """95 % interval of a mean of values in [0, 1] by the central limit theorem.

    (0, 1) for fewer than two values, whose spread is unknown.
    """
    if count < 2:
        return 0.0, 1.0
    mean = total / count
    variance = max(total_of_squares - count * mean**2, 0.0) / (count - 1)
    return _within_unit(mean, Z_95 * math.sqrt(variance / count))


def _within_unit(centre: float, half_width: float) -> Interval:
    low, high = centre - half_width, centre + half_width
    return max(0.0, float(low)), min(1.0, float(high))
