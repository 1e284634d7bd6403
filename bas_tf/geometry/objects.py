"""Several objects of one map or mask: its components, cut where they are narrow.

A map knows a class, not its objects, so those that touch are one component. Its
distance transform has a peak in each of them and a saddle in the neck between them: a
neck that is narrow next to the narrower of its two sides separates two objects.
"""

import cv2
import numpy as np

from bas_tf.geometry.boxes import box_from_mask, iou_xyxy
from bas_tf.geometry.components import normalize_map, resize_map
from bas_tf.geometry.frames import Size

ONE, ALL = BOXES = "one", "all"  # boxes of a map: the largest component's, or these
MIN_SHARE = 0.2  # of the largest object's area
NECK = 0.75  # a neck's width over that of its narrower side; wider ones are not cut
MAX_IOU = 0.5  # of a box with a larger object's
MAX_OBJECTS = 100  # components looked at
_SIDE = 160  # necks are found in a copy of at most this width and height
_LEVELS = 24  # of the distances tried


def objects_from_map(
    score_map: np.ndarray, *, crop_size_wh: Size, score_threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of all objects, the largest first.

    Where nothing is cut, the first is the box of `components.box_from_map`.

    Args:
      score_map: [h, w] float, not yet normalised.
      score_threshold: in [0, 1].

    Returns:
      float32 [k, 4] half-open, pixels of the crop, and float32 [k] scores of
      `boxes_of_labels`; the whole crop with score 0 where the map is degenerate.
    """
    resized = resize_map(normalize_map(score_map), crop_size_wh)
    return boxes_of_labels(label_objects(resized > np.float32(score_threshold)))


def boxes_of_labels(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The boxes of `label_objects`, and areas relative to the largest's as scores.

    Args:
      labels: int [height, width].

    Returns:
      float32 [k, 4] half-open and float32 [k], in (0, 1]; all of it with score 0 where
      there is no object.
    """
    count = labels.max()
    if not count:
        height, width = labels.shape
        return np.array([[0, 0, width, height]], np.float32), np.zeros(1, np.float32)
    areas = np.bincount(labels.ravel())[1:]
    boxes = np.stack([box_from_mask(labels == i) for i in range(1, count + 1)])
    return boxes, (areas / areas[0]).astype(np.float32)


def label_objects(foreground: np.ndarray) -> np.ndarray:
    """Numbers the objects of a mask, the largest first, in raster order where equal.

    Smaller than MIN_SHARE of the largest is left out; so is an object whose box is
    that of a larger one, up to MAX_IOU.

    Args:
      foreground: bool [height, width].

    Returns:
      int32 [height, width]: 0 for the background, 1 for the largest object, and so on.
    """
    _, components, stats, _ = cv2.connectedComponentsWithStats(
        foreground.astype(np.uint8), connectivity=8
    )
    parts, count = np.zeros(foreground.shape, np.int32), 0
    for i in _candidates(components, stats):
        x, y, width, height = stats[i, :4]
        inside = np.s_[y : y + height, x : x + width]
        member = components[inside] == i
        cut = _cut_at_necks(member)
        parts[inside][member] = count + cut[member]
        count += cut.max()
    return _largest_first(parts, count)


def _candidates(components: np.ndarray, stats: np.ndarray) -> list[int]:
    """Components that may be objects, the largest first, in raster order where equal.

    Cutting may leave a quarter of the largest component as the largest object.
    """
    areas = stats[:, cv2.CC_STAT_AREA]
    least = MIN_SHARE / 4 * areas[1:].max(initial=0)

    def order(i: int) -> tuple[int, int, int]:
        top = stats[i, cv2.CC_STAT_TOP]
        return -areas[i], top, np.argmax(components[top] == i)

    return sorted(1 + np.flatnonzero(areas[1:] >= least), key=order)[:MAX_OBJECTS]


def _largest_first(parts: np.ndarray, count: int) -> np.ndarray:
    """Renumbers parts 1 to `count` as `label_objects` says, and drops some."""
    areas = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    new_ids, boxes = np.zeros(count + 1, np.int32), np.empty([0, 4])
    for i in 1 + np.argsort(-areas, kind="stable"):
        if areas[i - 1] < MIN_SHARE * areas.max():
            break
        box = box_from_mask(parts == i)[np.newaxis]
        if iou_xyxy(box, boxes).max(initial=0) <= MAX_IOU:
            boxes = np.vstack([boxes, box])
            new_ids[i] = len(boxes)
    return new_ids[parts]


def _cut_at_necks(component: np.ndarray) -> np.ndarray:
    """Which part each pixel is nearest to: int32 [h, w], from 1, of a bool [h, w]."""
    size_wh = component.shape[::-1]
    scale = min(1.0, _SIDE / max(size_wh))
    small_wh = tuple(max(1, round(scale * side)) for side in size_wh)
    small = cv2.resize(
        component.astype(np.uint8), small_wh, interpolation=cv2.INTER_NEAREST
    )
    # The component ends at its own border, also where the image does.
    distance = cv2.distanceTransform(np.pad(small, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    cores = _cores(distance, small > 0, 0.0)
    if len(cores) < 2:
        return np.ones(component.shape, np.int32)
    seeds = np.zeros(small.shape, np.int32)
    for i, core in enumerate(cores, start=1):
        seeds[core] = i
    _, zones = cv2.distanceTransformWithLabels(
        (seeds == 0).astype(np.uint8),
        cv2.DIST_L2,
        5,
        labelType=cv2.DIST_LABEL_CCOMP,
    )
    of_zone = np.zeros(zones.max() + 1, np.int32)
    of_zone[zones[seeds > 0]] = seeds[seeds > 0]
    return cv2.resize(of_zone[zones], size_wh, interpolation=cv2.INTER_NEAREST)


def _cores(distance: np.ndarray, region: np.ndarray, above: float) -> list[np.ndarray]:
    """The middles of what a rising distance falls apart into; one where it does not."""
    peak = distance[region].max()
    for level in np.linspace(above, NECK * peak, _LEVELS)[1:-1]:
        count, labels = cv2.connectedComponents(
            (region & (distance > level)).astype(np.uint8), connectivity=8
        )
        if count > 2:
            found = [labels == i for i in range(1, count)]
            found = [core for core in found if NECK * distance[core].max() > level]
            if len(found) > 1:
                return [part for c in found for part in _cores(distance, c, level)]
    return [region & (distance > level)]
