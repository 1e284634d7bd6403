"""What seed and epoch alone decide: the order of images, and labels of several."""

import numpy as np


def training_positions(
    count: int,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    worker: tuple[int, int] = (0, 1),
) -> np.ndarray:
    """Which images a worker's share of every batch of an epoch has.

    The order is one permutation of all records, across the files they lie in.

    Arguments as of `pipeline.train_batches`; returns int64 [batches, batch / workers].
    """
    order = np.random.default_rng([seed, epoch]).permutation(count)
    batches = order[: count // batch_size * batch_size].reshape(-1, batch_size)
    which, workers = worker
    return np.split(batches, workers, axis=1)[which].astype(np.int64)


def draw_labels(present: np.ndarray, *, seed: int, epoch: int) -> np.ndarray:
    """One of the classes of every image for an epoch, each as likely as the others.

    Args:
      present: [images, classes], 1 for the classes of each, one at least.
      seed, epoch: these and its position alone decide an image's label.

    Returns:
      int32 [images].
    """
    # Not the generator of an image's crop, of which a trailing 0 would be one.
    shares = np.random.default_rng([seed, epoch, 0, 1]).random(len(present))
    places = shares * present.sum(axis=1)
    drawn = (present.cumsum(axis=1) > places[:, np.newaxis]).argmax(axis=1)
    return drawn.astype(np.int32)
