"""A true mask eroded and dilated to any area (paper, figure 1)."""

from collections.abc import Sequence

import cv2
import numpy as np

OBJECT_VALUE = 255  # of a mask file; 0 is background, 128 is ignore
FINE_SHARES = (0, 0.02, *np.arange(1, 20) / 20, *np.arange(10, 21) / 10)
COARSE_FACTOR, COARSE_END = 1.25, 16.0


def share_grid(largest: float) -> np.ndarray:
    """Shares of the object's area at which masks are compared.

    0 (nothing), 0.02, then steps of 0.05 up to the object itself at 1, of 0.1 up to
    2, of a quarter more each up to 16, and `largest` itself.

    Args:
      largest: image area / object area of the smallest object.

    Returns:
      [n] float64, strictly increasing; it ends at `largest`, or at 2 if that is more.
    """
    shares = list(FINE_SHARES)
    while shares[-1] * COARSE_FACTOR < min(largest, COARSE_END):
        shares.append(shares[-1] * COARSE_FACTOR)
    if largest > shares[-1]:
        shares.append(largest)
    return np.array(shares, np.float64)


def signed_distance(is_object: np.ndarray) -> np.ndarray:
    """Euclidean distance to the nearest pixel of the other kind, > 0 on the object.

    The image's edge is no boundary: an object cut off there is not eroded from it.

    Args:
      is_object: bool [height, width] with pixels of both kinds.

    Returns:
      [height, width] float32: at least 1 on the object, at most -1 outside.
    """
    inside, outside = (
        cv2.distanceTransform(
            np.ascontiguousarray(kind, np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
        )
        for kind in (is_object, ~is_object)
    )
    return inside - outside


def masks_of_areas(is_object: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Masks of given areas around or inside the object's own.

    The pixels with the highest signed distance to the object's boundary are kept,
    of equal ones the first in raster order. So every mask holds each smaller one, the
    share 1 gives the object itself, less erodes and more dilates it.

    Args:
      is_object: bool [height, width] with pixels of both kinds.
      shares: [n] >= 0, areas divided by the object's area; what exceeds the image is
        the whole image.

    Returns:
      bool [n, height, width]; mask i has min(round(shares[i] * object area), height
      * width) pixels.
    """
    order = np.argsort(-signed_distance(is_object), axis=None, kind="stable")
    rank = np.empty(is_object.size, np.int64)
    rank[order] = np.arange(is_object.size)
    counts = np.rint(np.asarray(shares, np.float64) * is_object.sum())
    masks = rank < counts[:, np.newaxis]  # [n, height * width]
    return masks.reshape(-1, *is_object.shape)
