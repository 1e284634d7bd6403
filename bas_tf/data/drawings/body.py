"""Where a synthetic creature is: outline, pose, size and place, blind to its class."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

from bas_tf.data.drawings import drawing
from bas_tf.geometry.boxes import iou_xyxy

_AREA_RANGE = (0.055, 0.58)  # leaves room for rounding inside 0.05 to 0.60
_MAX_AREA = 0.50  # before the border cuts it
_GROUP_AREA = 0.35  # the largest areas of all creatures of a group together
_TRIES = 50  # places tried for each creature of a group before starting over
_SHARE_CUT = 0.13
_MARGIN = 0.015
_SUBPIXELS = 4


@dataclasses.dataclass(frozen=True)
class Body:
    """A creature's geometry in the unit frame of `drawing`."""

    outline: np.ndarray  # float64 [n, 2], part of it may lie outside the image
    centre: np.ndarray  # float64 [2]
    axis: float  # direction of the head, radians
    radius: float  # that of a disc of the outline's area
    emblem: np.ndarray  # float64 [2], where an emblem would sit


def sample_group(
    rng: np.random.Generator, image_size: tuple[int, int], *, count: int, max_iou: float
) -> list[Body]:
    """Creatures of one picture, the largest first; one alone is `sample_body`'s.

    Args:
      rng, image_size: as of `sample_body`.
      count: how many; the more, the smaller.
      max_iou: 0 keeps their boxes apart. Otherwise the box of each but the first drawn
        overlaps that of an earlier one, by at most this IoU.
    """
    if count == 1:
        return [sample_body(rng, image_size)]
    frame, tries, group = drawing.frame_size(image_size), 0, []
    while len(group) < count:
        if tries % (_TRIES * count) == 0:
            group, boxes = [], np.empty((0, 4))
        tries += 1
        body = sample_body(rng, image_size, max_area=_GROUP_AREA / count)
        corners = np.clip(
            [body.outline.min(axis=0), body.outline.max(axis=0)], 0, frame
        )
        overlap = iou_xyxy(corners.reshape(1, 4), boxes).max(initial=0)
        if overlap <= max_iou and (overlap > 0 or max_iou == 0 or not group):
            group.append(body)
            boxes = np.vstack([boxes, corners.reshape(1, 4)])
    return sorted(group, key=lambda body: -body.radius)


def sample_body(
    rng: np.random.Generator,
    image_size: tuple[int, int],
    *,
    max_area: float = _MAX_AREA,
) -> Body:
    """Draws until the creature covers 0.05 to 0.60 of the image.

    Depends on the aspect ratio of `image_size` (width, height) and not on its scale.
    """
    frame = drawing.frame_size(image_size)
    overshoot = rng.uniform(0.10, 0.35) if rng.random() < _SHARE_CUT else 0.0
    probe_size = tuple(np.rint(48 * frame).astype(int))
    while True:
        area = 0.07 * (max_area / 0.07) ** (rng.random() ** 1.3)
        axis = rng.uniform(0, 2 * np.pi)
        outline = np.sqrt(area) * sample_outline(rng) @ drawing.rotation(axis)
        emblem = outline[rng.integers(len(outline))] * rng.uniform(0.3, 0.5)
        centre = _sample_centre(rng, outline, frame, overshoot)
        if centre is None:
            continue
        visible = np.mean(coverage(outline + centre, probe_size) >= 128)
        if _AREA_RANGE[0] <= visible <= _AREA_RANGE[1]:
            radius = float(np.sqrt(area / np.pi))
            return Body(outline + centre, centre, axis, radius, emblem + centre)


def sample_outline(rng: np.random.Generator) -> np.ndarray:
    """A mirror-symmetric outline [96, 2] of area one, head towards positive x.

    Its radius is a short cosine series of the angle, so it has no holes; the negative
    mean of the fourth term parts four wings.
    """
    angle = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    waves = rng.normal([0.05, 0.0, 0.0, -0.12, 0, 0], [0.1, 0.15, 0.1, 0.1, 0.05, 0.04])
    radius = 1 + np.cos(angle[:, None] * np.arange(1, 7)) @ waves
    radius = np.maximum(radius, 0.4)[:, None]
    points = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    stretch = rng.uniform(0.78, 1.28)
    points *= stretch, 1 / stretch
    return points / np.sqrt(cv2.contourArea(points.astype(np.float32)))


def _sample_centre(
    rng: np.random.Generator, outline: np.ndarray, frame: np.ndarray, overshoot: float
) -> np.ndarray | None:
    """A place where the outline fits the frame, or None when it cannot.

    Places near the border are more likely, or a box in the middle would find many. A
    positive `overshoot` pushes that share of its extent over one of the four sides.
    """
    low, high = outline.min(axis=0), outline.max(axis=0)
    free = frame - (high - low) - 2 * _MARGIN
    if free.min() < 0:
        return None
    corner = _MARGIN + free * rng.beta(0.6, 0.6, 2)
    if overshoot:
        side = rng.integers(2)
        hidden = overshoot * (high - low)[side]
        far = frame[side] - (high - low)[side] + hidden
        corner[side] = far if rng.random() < 0.5 else -hidden
    return corner - low


def coverage(outline: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """How much of each pixel the outline covers, uint8 [height, width], 255 is all.

    Counts fine pixels: OpenCV's own anti-aliased filling is half a pixel too wide.
    """
    width, height = image_size
    fine = np.zeros((height * _SUBPIXELS, width * _SUBPIXELS), np.uint8)
    unit = drawing.unit_in_pixels((fine.shape[1], fine.shape[0]))
    cv2.fillPoly(fine, [np.rint(outline * unit - 0.5).astype(np.int32)], 255)
    return cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)


def mask_from_coverage(covered: np.ndarray) -> np.ndarray:
    """uint8 [height, width]: 255 where at least half of a pixel is covered, else 0."""
    return np.where(covered >= 128, 255, 0).astype(np.uint8)


def visible_masks(coverages: Sequence[np.ndarray]) -> np.ndarray:
    """What is seen of creatures, uint8 [n, height, width]: later ones hide earlier."""
    masks = np.stack([mask_from_coverage(each) for each in coverages])
    for i in range(len(masks) - 1):
        masks[i][masks[i + 1 :].any(axis=0)] = 0
    return masks
