"""From a score map to a box by protocol `bas`: the reference that exports must match.

Min-max normalise at the map's own resolution, resize to the crop, keep what is
strictly above the threshold, and box the largest 8-connected component.
"""

import cv2
import numpy as np

from bas_tf.geometry.frames import Size
from bas_tf.names import UNSURE_LABEL


def normalize_map(score_map: np.ndarray) -> np.ndarray:
    """Scales a map so that its minimum is 0 and its maximum 1.

    Args:
      score_map: [h, w] float.

    Returns:
      [h, w] float32 in [0, 1]; all zeros for a constant map and for one with a NaN
      or an infinity.
    """
    score_map = np.asarray(score_map, np.float32)
    if not np.isfinite(score_map).all() or score_map.max() == score_map.min():
        return np.zeros_like(score_map)
    low, high = score_map.min(), score_map.max()
    return (score_map - low) / (high - low)


def resize_map(score_map: np.ndarray, size_wh: Size) -> np.ndarray:
    """Bilinear with half-pixel centres and no antialiasing: float32 [height, width]."""
    score_map = np.ascontiguousarray(score_map, np.float32)
    return cv2.resize(score_map, tuple(size_wh), interpolation=cv2.INTER_LINEAR)


def box_from_map(
    score_map: np.ndarray, *, crop_size_wh: Size, score_threshold: float
) -> tuple[np.ndarray, bool]:
    """Box of the largest component of a map.

    Args:
      score_map: [h, w] float, not yet normalised.
      score_threshold: in [0, 1].

    Returns:
      float32 [4] half-open, pixels of the crop, and whether the map is degenerate:
      constant, not finite or nowhere above the threshold. Its box is the whole crop.
    """
    boxes, degenerate = boxes_at_thresholds(
        score_map, crop_size_wh=crop_size_wh, score_thresholds=[score_threshold]
    )
    return boxes[0], bool(degenerate[0])


def boxes_at_thresholds(
    score_map: np.ndarray, *, crop_size_wh: Size, score_thresholds
) -> tuple[np.ndarray, np.ndarray]:
    """`box_from_map` at t thresholds with one resize: float32 [t, 4] and bool [t]."""
    resized = resize_map(normalize_map(score_map), crop_size_wh)
    # A float32 threshold, as in the graph: else 0.3 differs between the two.
    thresholds = np.asarray(score_thresholds, np.float32)
    found = [_largest_component_box(resized > t) for t in thresholds]
    degenerate = np.array([box is None for box in found], bool)
    whole = (0, 0, *crop_size_wh)
    boxes = [whole if box is None else box for box in found]
    return np.array(boxes, np.float32).reshape(-1, 4), degenerate


def largest_component(foreground: np.ndarray) -> np.ndarray | None:
    """The pixels, bool [height, width], of the component that `box_from_map` boxes.

    None where nothing is foreground.
    """
    outline = _largest_outline(foreground)
    if outline is None:
        return None
    _, labels = cv2.connectedComponents(foreground.astype(np.uint8), connectivity=8)
    x, y = outline[0, 0]
    return labels == labels[y, x]


def components_of_labels(
    label_map: np.ndarray, *, min_share: float = 0.0
) -> dict[int, np.ndarray]:
    """The largest component of each label but 0 and UNSURE_LABEL.

    Args:
      label_map: uint8 [height, width].
      min_share: of all pixels, below which a component is left out.

    Returns:
      {label: bool [height, width]}.
    """
    found = {}
    for label in np.setdiff1d(label_map, [0, UNSURE_LABEL]):
        component = largest_component(label_map == label)
        if component.mean() >= min_share:
            found[int(label)] = component
    return found


def _largest_component_box(foreground: np.ndarray) -> tuple[int, ...] | None:
    """Half-open box of the largest 8-connected component; None when there is none."""
    outline = _largest_outline(foreground)
    if outline is None:
        return None
    x, y, width, height = cv2.boundingRect(outline)
    return x, y, x + width, y + height


def _largest_outline(foreground: np.ndarray) -> np.ndarray | None:
    """Of the largest 8-connected component, from its first pixel in raster order on.

    Of equally large ones the first in raster order. Pixels are counted along the
    outlines, by Pick's theorem: often there are few, and to label all pixels takes
    several times as long.

    Returns:
      int32 [points, 1, 2], x and y of each outermost pixel; None without any.
    """
    outlines, tree = cv2.findContours(
        foreground.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    if len(outlines) < 2:
        return outlines[0] if outlines else None
    pixels, parents = [0.0] * len(outlines), tree[0, :, 3].tolist()
    for i, (outline, parent) in enumerate(zip(outlines, parents, strict=True)):
        steps = len(outline) if len(outline) > 1 else 0
        area = cv2.contourArea(outline)
        if parent < 0:
            pixels[i] += area + steps / 2 + 1
        else:  # a hole, which the pixels around it outline
            pixels[parent] -= area - steps / 2 + 1
    most = max(pixels)
    largest = [outlines[i] for i, count in enumerate(pixels) if count == most]
    return min(largest, key=lambda outline: tuple(outline[0, 0, ::-1]))
