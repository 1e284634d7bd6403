"""From a score map to a box by protocol `bas`: the reference that exports must match.

Min-max normalise at the map's own resolution, resize to the crop, keep what is
strictly above the threshold, and box the largest 8-connected component.
"""

import cv2
import numpy as np

from bas_tf.geometry.frames import Size
from bas_tf.names import UNSURE_LABEL

_PIXELS_16_BIT = 2 * 65535  # at most half of them are components


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
    found = _label_components(foreground)
    return None if found is None else found[0] == found[2]


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
    outlines, _ = cv2.findContours(
        foreground.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    if len(outlines) == 1:  # often, and a tenth of the time of counting pixels
        x, y, width, height = cv2.boundingRect(outlines[0])
        return x, y, x + width, y + height
    found = _label_components(foreground)
    if found is None:
        return None
    _, stats, winner = found
    x, y, width, height = stats[winner, :4]
    return x, y, x + width, y + height


def _label_components(foreground: np.ndarray):
    """Labels [height, width], OpenCV's stats, the largest one; None if empty."""
    kind = cv2.CV_16U if foreground.size < _PIXELS_16_BIT else cv2.CV_32S
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        foreground.astype(np.uint8), connectivity=8, ltype=kind
    )
    if count == 1:  # only the background
        return None
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = 1 + np.flatnonzero(areas == areas.max())
    winner = largest[0] if len(largest) == 1 else _first_in_raster(labels, largest)
    return labels, stats, winner


def _first_in_raster(labels: np.ndarray, candidates: np.ndarray) -> int:
    """Which candidate's first pixel comes first.

    OpenCV scans in blocks of 2 x 2 pixels, so its numbering is not raster order.
    """
    pixels = labels.ravel()
    return pixels[np.argmax(np.isin(pixels, candidates))]
