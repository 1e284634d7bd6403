"""From a score map to boxes by protocol `maxboxacc` (Choe et al., CVPR 2020).

Resize the map to the crop, min-max normalise, quantise to 0 ... 255, keep what is
strictly above a level, and box the contours. The order of resizing and normalising,
the resampling and the boxes all differ from protocol `bas`; see `components`.

A contour is the outer edge of an 8-connected component or the edge of a hole in one.
A box here is x0, y0, x0 + width, y0 + height with the two high ends clipped to the
map's last pixel: half-open, or inclusive at the right and lower border.
"""

import dataclasses

import cv2
import numpy as np

from bas_tf.geometry.frames import Size

PEAK = 255  # what the highest score of every usable map becomes


@dataclasses.dataclass(frozen=True)
class LevelBoxes:
    """The boxes of one map at every level at which they change.

    Attributes:
      levels: int [k], increasing from 0; the boxes of levels[i] hold for every level
        from there to just before levels[i + 1].
      boxes: int64 [n, 4], of levels[0] first.
      starts: int [k], where each level's boxes begin; every level has at least one.
      largest: int [k], the row of the box of each level's largest contour.
    """

    levels: np.ndarray
    boxes: np.ndarray
    starts: np.ndarray
    largest: np.ndarray


def scores_on_crop(score_map: np.ndarray, crop_size_wh: Size) -> np.ndarray:
    """Bicubic resize of [h, w] in float64, then min-max.

    Returns:
      float64 [height, width] in [0, 1] that reaches both; all zeros for a constant
      map and for one with a NaN or an infinity.
    """
    score_map = np.ascontiguousarray(score_map, np.float64)
    if not np.isfinite(score_map).all() or score_map.max() == score_map.min():
        return np.zeros(tuple(crop_size_wh)[::-1])
    scores = cv2.resize(score_map, tuple(crop_size_wh), interpolation=cv2.INTER_CUBIC)
    scores -= scores.min()
    return scores / scores.max()


def quantize(scores: np.ndarray) -> np.ndarray:
    """Scores in [0, 1] as uint8, truncated: 1 becomes `PEAK`."""
    return (PEAK * scores).astype(np.uint8)


def level_of(score_threshold) -> np.ndarray:
    """The level behind thresholds in [0, 1], a number or an array: int(t * PEAK)."""
    return (np.asarray(score_threshold, np.float64) * PEAK).astype(np.int64)


def boxes_above(quantized: np.ndarray, level: int) -> tuple[np.ndarray, int]:
    """The boxes of every contour around what of uint8 [height, width] is above a level.

    Returns:
      int64 [n, 4] boxes in no particular order, n >= 1, and which of them belongs to
      the contour that encloses the largest area. [[0, 0, 0, 0]] where nothing is above.
    """
    boxes, largest = _contour_boxes(quantized, level)
    height, width = quantized.shape
    return _as_boxes(boxes, width, height), largest


def boxes_by_level(quantized: np.ndarray) -> LevelBoxes:
    """`boxes_above` for all levels below the peak, at most 255 of them.

    Whatever the number of thresholds, boxes differ only between levels, and only at
    a level that some pixel has.
    """
    height, width = quantized.shape
    present = np.flatnonzero(cv2.calcHist([quantized], [0], None, [256], [0, 256]))
    levels = np.unique(np.append(0, present[:-1]))
    rows: list[tuple[int, int, int, int]] = []
    starts, largest = [], []
    spans = zip(
        levels.tolist(),
        _spans_above(quantized.max(axis=0), levels),
        _spans_above(quantized.max(axis=1), levels),
        strict=True,
    )
    for level, (left, right), (top, bottom) in spans:
        part = quantized[top:bottom, left:right]  # fewer pixels to compare and scan
        boxes, winner = _contour_boxes(part, level, offset_xy=(left, top))
        starts.append(len(rows))
        largest.append(len(rows) + winner)
        rows += boxes
    return LevelBoxes(
        levels, _as_boxes(rows, width, height), np.array(starts), np.array(largest)
    )


def _spans_above(peaks: np.ndarray, levels: np.ndarray) -> list[list[int]]:
    """[first, end) of the rows or columns whose peak is above each of the levels.

    All of them where there is none.
    """
    above = peaks > levels[:, np.newaxis]
    ends = len(peaks) - above[:, ::-1].argmax(axis=1)
    return np.column_stack([above.argmax(axis=1), ends]).tolist()


def _contour_boxes(
    quantized: np.ndarray, level: int, *, offset_xy: tuple[int, int] = (0, 0)
) -> tuple[list[tuple], int]:
    """(x, y, width, height) of each contour, and the position of the largest."""
    _, foreground = cv2.threshold(quantized, level, 1, cv2.THRESH_BINARY)
    contours = _find_contours(foreground, cv2.RETR_LIST, offset_xy)
    if not contours:
        return [(0, 0, 0, 0)], 0
    areas = list(map(cv2.contourArea, contours))
    if areas.count(max(areas)) > 1:
        # The first of equals wins, in the order of RETR_TREE, which is much slower.
        contours = _find_contours(foreground, cv2.RETR_TREE, offset_xy)
        areas = list(map(cv2.contourArea, contours))
    return list(map(cv2.boundingRect, contours)), areas.index(max(areas))


def _find_contours(foreground: np.ndarray, mode: int, offset_xy: tuple[int, int]):
    return cv2.findContours(
        foreground, mode, cv2.CHAIN_APPROX_SIMPLE, offset=offset_xy
    )[0]


def _as_boxes(rectangles: list[tuple], width: int, height: int) -> np.ndarray:
    """x, y, width, height -> x0, y0, x1, y1 with clipped high ends: int64 [n, 4]."""
    boxes = np.array(rectangles, np.int64)
    boxes[:, 2:] = np.minimum(boxes[:, :2] + boxes[:, 2:], [width - 1, height - 1])
    return boxes
