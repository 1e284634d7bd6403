"""A random walk of class maps that edges hold back, and its masks (IRN, journal)."""

import numpy as np

from bas_tf.geometry.components import resize_map
from bas_tf.segmentation.affinity import affinities, offsets, shifted
from bas_tf.segmentation.seeds import STRIDE, label_map

RADIUS = 5  # of the pairs: 34, each both ways
_SHARPNESS = 10  # power of the affinities
_STEPS = 256
_SEED_POWER = 1.5
_THRESHOLD = 0.22  # of the masks


def random_walk(
    maps: np.ndarray, edge: np.ndarray, *, steps: int = _STEPS
) -> np.ndarray:
    """Maps after so many steps: a cell's value stays, or goes to cells like it.

    That is `maps` (as rows) @ T^steps, T = W / its column sums, W_ij the affinity^10
    of a pair and W_ii = 1. W is never made, it is applied offset by offset; in float32
    the steps would be off by 1e-3 of the maximum.

    Args:
      maps: float [labels, h, w].
      edge: float [h, w] in [0, 1].
      steps: of the walk.

    Returns:
      float64 [labels, h, w].
    """
    reach, size = RADIUS - 1, edge.shape
    weights = affinities(edge.astype(np.float64), RADIUS) ** _SHARPNESS

    def apply_pairs(walkers: np.ndarray) -> np.ndarray:
        moved = walkers.copy()
        for offset, weight in zip(offsets(RADIUS), weights, strict=True):
            for source, target in (((0, 0), offset), (offset, (0, 0))):
                arriving = shifted(moved, target, size, RADIUS)
                arriving += weight * shifted(walkers, source, size, RADIUS)
        return moved

    # Pairs that end in these margins have affinity 0.
    walkers = np.pad(maps.astype(np.float64), [(0, 0), (0, reach), (reach, reach)])
    column_sums = apply_pairs(np.ones([1, *walkers.shape[1:]]))
    for _ in range(steps):
        walkers = apply_pairs(walkers) / column_sums
    return shifted(walkers, (0, 0), size, RADIUS)


def masks_from_seeds(
    low: np.ndarray,
    keys: np.ndarray,
    edge: np.ndarray,
    size_wh: tuple[int, int],
    *,
    threshold: float = _THRESHOLD,
) -> np.ndarray:
    """The mask of a photo's labels: its seeds after the walk.

    Args:
      low: float [labels, h, w] of `Seeds`.
      keys: int [labels].
      edge: float [h, w] in [0, 1].
      size_wh: width and height of the photo.
      threshold: share of the highest value of all labels that still is background.

    Returns:
      uint8 [height, width]: 0 background, else the class + 1.
    """
    width, height = size_wh
    walked = random_walk(low**_SEED_POWER * (1 - edge), edge)
    grown_wh = STRIDE * edge.shape[1], STRIDE * edge.shape[0]
    maps = np.zeros([len(low), height, width], np.float32)
    for i, each in enumerate(walked):
        maps[i] = resize_map(each, grown_wh)[:height, :width]
    return label_map(maps / max(maps.max(initial=0), 1e-12), keys, threshold)
