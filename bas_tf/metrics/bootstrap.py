"""95 % intervals by resampling images.

Every resample draws as many images as there are, with replacement, and computes the
whole statistic anew. The draws depend on the number of images alone, so equal inputs
give equal intervals. Where all images are alike, both ends coincide.
"""

from collections.abc import Callable, Sequence

import numpy as np

from bas_tf.metrics.class_means import ClassMeans

Interval = tuple[float, float]  # the 2.5 and 97.5 % points

RESAMPLES = 1000
_CHUNK = 100  # resamples at a time: weights of 50,000 images take 40 MB


def bootstrap_interval(
    rows: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray]
) -> Interval:
    """Percentile interval of a statistic of the mean over images.

    Args:
      rows: [n, k] bool or float, n >= 1: what each image adds.
      statistic: means [resamples, k] -> [resamples].
    """
    rows = np.asarray(rows, np.float64)

    def of_draws(weights: np.ndarray) -> np.ndarray:
        return statistic(weights @ rows / len(rows))[:, np.newaxis]

    return _intervals(len(rows), of_draws)[0]


def mean_intervals(rows: np.ndarray) -> list[Interval]:
    """Intervals of k means over images: rows [n, k], n >= 1."""
    rows = np.asarray(rows, np.float64)
    return _intervals(len(rows), lambda weights: weights @ rows / len(rows))


def class_mean_intervals(rows: np.ndarray, labels: np.ndarray) -> list[Interval]:
    """Intervals of k means over classes of each class's mean.

    A resample averages over the classes that it holds images of.

    Args:
      rows: [n, k] bool or float, n >= 1.
      labels: int [n].
    """
    means = ClassMeans(labels)
    return _intervals(len(rows), lambda weights: means.of(rows, weights))


def maximum_intervals(tables: Sequence[np.ndarray]) -> list[Interval]:
    """Intervals of the largest mean of any candidate, which each resample chooses anew.

    400 candidates of 50,000 images take one to two seconds a table.

    Args:
      tables: [n, candidates] bool or float each, n >= 1, all of the same n images.
    """

    def of_draws(weights: np.ndarray) -> np.ndarray:
        best = [(weights @ table.astype(np.float64)).max(axis=1) for table in tables]
        return np.stack(best, axis=1) / weights.shape[1]

    return _intervals(len(tables[0]), of_draws)


def _intervals(
    count: int, of_draws: Callable[[np.ndarray], np.ndarray]
) -> list[Interval]:
    """Percentiles of k figures: of_draws takes float64 [resamples, n] -> [., k].

    The weights say how often each resample holds each image.
    """
    rng = np.random.default_rng(0)
    values = []
    for start in range(0, RESAMPLES, _CHUNK):
        size = min(_CHUNK, RESAMPLES - start)
        drawn = rng.integers(count, size=(size, count))
        drawn += count * np.arange(size)[:, np.newaxis]
        weights = np.bincount(drawn.ravel(), minlength=size * count)
        values.append(of_draws(weights.reshape(size, count).astype(np.float64)))
    ends = np.percentile(np.concatenate(values), [2.5, 97.5], axis=0)
    return [(float(low), float(high)) for low, high in ends.T]
