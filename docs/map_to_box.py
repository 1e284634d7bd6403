"""How a threshold turns one map into boxes: the rule of protocol `bas`, drawn."""

import cv2
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from bas_tf.data.drawings.source import Example
from bas_tf.geometry import components
from bas_tf.report import pictures
from bas_tf.report.plots.chart_style import STYLE, png_of
from docs import drawings

INDEX, GRID, THRESHOLDS = 7, 36, (0.15, 0.45, 0.8)


def made_up_map(drawn: Example) -> np.ndarray:
    """A map such as training gives: [h, w], soft, with its own spot.

    The body blurred, brighter towards one side, and a weaker spot next to it.
    """
    body = (drawn.mask > 0).astype(np.float32)
    height, width = body.shape
    slope = np.linspace(0.45, 1.0, width, dtype=np.float32)
    soft = cv2.GaussianBlur(body * slope, (0, 0), 0.03 * height)
    spot = np.zeros_like(body)
    cv2.circle(spot, _place_next_to(body, 0.1 * height), round(0.06 * height), 0.5, -1)
    soft += cv2.GaussianBlur(spot, (0, 0), 0.02 * height)
    return cv2.resize(soft, (GRID, GRID), interpolation=cv2.INTER_AREA)


def _place_next_to(body: np.ndarray, distance: float) -> tuple[int, int]:
    """x, y of the pixel so far from the body that is deepest within the image."""
    apart = cv2.distanceTransform((body == 0).astype(np.uint8), cv2.DIST_L2, 5)
    rows, columns = np.indices(body.shape)
    height, width = body.shape
    inside = np.minimum.reduce([rows, columns, height - rows, width - columns])
    inside = np.where(np.abs(apart - distance) < 1, inside, -1)
    row, column = np.unravel_index(inside.argmax(), inside.shape)
    return int(column), int(row)


def boxes_png() -> bytes:
    """The drawing, its map, and what each threshold leaves with its box."""
    drawn = drawings.example(INDEX)
    size_wh = drawn.image.shape[1::-1]
    score_map = made_up_map(drawn)
    boxes, _ = components.boxes_at_thresholds(
        score_map, crop_size_wh=size_wh, score_thresholds=THRESHOLDS
    )
    shown = components.resize_map(components.normalize_map(score_map), size_wh)
    with rc_context(STYLE):
        figure = Figure(figsize=(11.0, 2.7), layout="constrained", facecolor="white")
        panels = figure.subplots(1, 2 + len(THRESHOLDS))
        drawings.show(panels[0], drawn.image, "the drawing")
        drawings.show(panels[1], pictures.heatmap(score_map, size_wh), "a map")
        for axes, threshold, box in zip(panels[2:], THRESHOLDS, boxes, strict=True):
            is_kept = (shown > threshold)[..., np.newaxis]
            kept = np.where(is_kept, drawn.image, drawn.image // 4)
            picture = pictures.overlay(kept, boxes=[box])
            drawings.show(axes, picture, f"above {threshold:g}")
    return png_of(figure, dots_per_inch=90)
