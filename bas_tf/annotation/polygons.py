"""Outlines of masks, with few points."""

import cv2
import numpy as np

from bas_tf.geometry.boxes import box_from_mask

MIN_IOU = 0.985  # of an outline's inside and the mask without its holes
_FINE = 2  # pixels of the grid that is outlined to one of the mask


def outline(mask: np.ndarray) -> np.ndarray:
    """The outer outline of a mask of one component, holes filled.

    Points lie a quarter of a pixel within the outermost pixels' edges, so that a tool
    that fills pixels by their centres and one that drops fractions get the same pixels.
    The points that touch the mask's box are kept.

    Args:
      mask: bool [height, width], at least one pixel true.

    Returns:
      float64 [n, 2] x, y in pixels, n >= 3.
    """
    x0, y0, x1, y1 = box_from_mask(mask).astype(int)
    part = np.ascontiguousarray(mask[y0:y1, x0:x1], np.uint8)
    fine = part.repeat(_FINE, axis=0).repeat(_FINE, axis=1)
    contours, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    contour = max(contours, key=len)
    filled = cv2.drawContours(np.zeros_like(fine), [contour], 0, 1, cv2.FILLED)
    tolerance = max(fine.shape) / 32
    points = _simplify(contour, tolerance)
    while tolerance > 0.5 and _iou(points, filled) < MIN_IOU:
        tolerance /= 2
        points = _simplify(contour, tolerance)
    if _iou(points, filled) < MIN_IOU:
        points = contour
    return (points[:, 0] + 0.5) / _FINE + (x0, y0)


def _simplify(contour: np.ndarray, tolerance: float) -> np.ndarray:
    """Fewer points of a contour [n, 1, 2]; those at its four extremes stay."""
    x, y = contour[:, 0].T
    corners = sorted({int(k) for k in (x.argmin(), x.argmax(), y.argmin(), y.argmax())})
    arcs = []
    for first, last in zip(corners, [*corners[1:], corners[0] + len(x)], strict=True):
        arc = contour.take(range(first, last + 1), axis=0, mode="wrap")
        arcs.append(cv2.approxPolyDP(arc, tolerance, closed=False)[:-1])
    return np.concatenate(arcs)


def _iou(points: np.ndarray, filled: np.ndarray) -> float:
    drawn = cv2.fillPoly(np.zeros_like(filled), [points], 1)
    return (drawn & filled).sum() / (drawn | filled).sum()
