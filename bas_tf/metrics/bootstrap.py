"""95 % intervals by resampling images."""

from collections.abc import Callable

import numpy as np

from bas_tf.metrics.sums import Interval

RESAMPLES = 1000
_CHUNK = 100  # resamples at a time: weights of 50,000 images take 40 MB


def bootstrap_interval(
    rows: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], *, seed: int = 0
) -> Interval:
    """Percentile interval of a statistic of the mean over images.

    Every resample draws as many images as there are, with replacement, and computes
    the whole statistic anew: of a maximum over thresholds each resample takes its own.

    Args:
      rows: [n, k] bool or float, n >= 1: what each image adds.
      statistic: means [resamples, k] -> [resamples].
      seed: of the draws; equal inputs give equal intervals.

    Returns:
      The 2.5 and 97.5 % points. Where all images are alike they coincide.
    """
    rows = np.asarray(rows, np.float64)
    count = len(rows)
    rng = np.random.default_rng(seed)
    values = []
    for start in range(0, RESAMPLES, _CHUNK):
        size = min(_CHUNK, RESAMPLES - start)
        drawn = rng.integers(count, size=(size, count))
        drawn += count * np.arange(size)[:, np.newaxis]
        weights = np.bincount(drawn.ravel(), minlength=size * count)
        values.append(statistic(weights.reshape(size, count) @ rows / count))
    low, high = np.percentile(np.concatenate(values), [2.5, 97.5])
    return float(low), float(high)
