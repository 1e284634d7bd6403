"""Intersection over union in two conventions, and boxes of masks.

A box is x0, y0, x1, y1; half-open unless a protocol says otherwise.
"""

import numpy as np


def iou_xyxy(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Pairwise IoU of half-open boxes.

    Args:
      boxes_a: [n, 4] float or int.
      boxes_b: [m, 4], same frame.

    Returns:
      [n, m] float64 in [0, 1]; 0 where a box is empty or inverted.
    """
    return _pairwise_iou(boxes_a, boxes_b, extra=0.0)


def iou_plus_one(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Pairwise IoU as protocol `bas` counts it: every width and height is one more.

    The reference feeds half-open boxes to a formula for inclusive ones; its published
    numbers contain the extra pixel, on intersections and on the areas of both boxes.

    Args:
      boxes_a: [n, 4] float or int.
      boxes_b: [m, 4], same frame.

    Returns:
      [n, m] float64 in [0, 1]; 0 where a box is inverted by a pixel or more.
    """
    return _pairwise_iou(boxes_a, boxes_b, extra=1.0)


def share_covered_plus_one(boxes: np.ndarray, by: np.ndarray) -> np.ndarray:
    """What share of each box others cover, with the extra pixel of `iou_plus_one`.

    Args:
      boxes: [n, 4] or [4] float or int.
      by: [m, 4] or [4], same frame.

    Returns:
      [n, m] float64 in [0, 1]; 0 where a box is inverted by a pixel or more.
    """
    shared, areas, _ = _pairwise_areas(boxes, by, extra=1.0)
    return _share(shared, np.broadcast_to(areas, shared.shape))


def box_from_mask(mask: np.ndarray) -> np.ndarray:
    """Smallest half-open box around the true pixels.

    Args:
      mask: [height, width], non-zero = object.

    Returns:
      float32 [4], pixels of the mask.

    Raises:
      ValueError: no pixel is true.
    """
    rows, columns = np.any(mask, axis=1), np.any(mask, axis=0)
    if not rows.any():
        raise ValueError("box_from_mask: the mask has no object pixel")
    y0, x0 = np.argmax(rows), np.argmax(columns)
    y1, x1 = rows.size - np.argmax(rows[::-1]), columns.size - np.argmax(columns[::-1])
    return np.array([x0, y0, x1, y1], np.float32)


def _pairwise_iou(boxes_a, boxes_b, *, extra: float) -> np.ndarray:
    intersection, areas_a, areas_b = _pairwise_areas(boxes_a, boxes_b, extra=extra)
    return _share(intersection, areas_a + areas_b - intersection)


def _pairwise_areas(boxes_a, boxes_b, *, extra: float):
    """Of what is shared [n, m], of the first boxes [n, 1], of the second [1, m]."""
    a = np.asarray(boxes_a, np.float64).reshape(-1, 1, 4)
    b = np.asarray(boxes_b, np.float64).reshape(1, -1, 4)

    def areas(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.prod(np.maximum(high - low + extra, 0.0), axis=-1)

    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., 2:], b[..., 2:])
    return (
        areas(low, high),
        areas(a[..., :2], a[..., 2:]),
        areas(b[..., :2], b[..., 2:]),
    )


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
