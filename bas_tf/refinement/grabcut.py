"""GrabCut from a localization map (Rother, Kolmogorov and Blake, SIGGRAPH 2004)."""

import cv2
import numpy as np

from bas_tf.refinement.masks import map_at

SURE = 0.2, 0.8  # background below, object above; of a map whose threshold is at 0.5
ITERATIONS = 2  # 5 make no better masks of photos
# Refined area over the map's area; beyond, colours do not tell object from background.
MIN_AREA_RATIO, MAX_AREA_RATIO = 0.6, 1.6
MAX_PIXELS = 288 * 288  # larger photos are cut in a smaller copy


def grabcut_mask(
    photo: np.ndarray, score_map: np.ndarray, *, score_threshold: float
) -> tuple[np.ndarray, bool]:
    """The object's mask in a photo; the same for the same arguments.

    Args:
      photo: uint8 [height, width, 3].
      score_map: float [h, w] of the whole photo, not yet normalised.
      score_threshold: where the map is cut, in (0, 1).

    Returns:
      bool [height, width], and whether the map's own mask was kept: nothing is surely
      object or surely background, or the areas disagree.
    """
    size_wh = photo.shape[1::-1]
    mask, _ = bounded_cut(photo, score_map, score_threshold=score_threshold)
    if mask is None:
        own = map_at(score_map, size_wh, score_threshold=score_threshold)
        return own > 0.5, True
    share = cv2.resize(mask.astype(np.float32), size_wh)
    return share > 0.5, False


def bounded_cut(
    photo: np.ndarray,
    score_map: np.ndarray,
    *,
    score_threshold: float,
    sure: tuple[float, float] = SURE,
) -> tuple[np.ndarray | None, np.ndarray]:
    """The refined mask and the map's own, in a copy of at most MAX_PIXELS.

    Takes what `grabcut_mask` and `cut` take.

    Returns:
      bool [h, w] each; no refined one without a `cut`, or where the areas disagree.
    """
    small = bounded(photo)
    scores = map_at(score_map, small.shape[1::-1], score_threshold=score_threshold)
    mask, coarse = cut(small, scores, sure), scores > 0.5
    if mask is not None:
        ratio = mask.sum() / max(coarse.sum(), 1)
        mask = mask if MIN_AREA_RATIO <= ratio <= MAX_AREA_RATIO else None
    return mask, coarse


def cut(
    photo: np.ndarray, scores: np.ndarray, sure: tuple[float, float] = SURE
) -> np.ndarray | None:
    """The object's mask by the photo's colours.

    Args:
      photo: uint8 [h, w, 3].
      scores: [h, w] of `masks.map_at`.
      sure: scores below the first are background for sure, above the second object.

    Returns:
      bool [h, w]; None where no pixel is sure to be object, or none background.
    """
    trimap = np.where(scores > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[scores < sure[0]] = cv2.GC_BGD
    trimap[scores > sure[1]] = cv2.GC_FGD
    return _cut_trimap(photo, trimap) if (trimap == cv2.GC_FGD).any() else None


def cut_inside(
    photo: np.ndarray, scores: np.ndarray, inside: np.ndarray
) -> np.ndarray | None:
    """The mask of an object that is known to lie inside a region and to fill it.

    All of the region is likely object at first, wherever the map ends: it is corrected
    where it was wrong.

    Args:
      photo: uint8 [h, w, 3].
      scores: [h, w] of `masks.map_at`; says what is surely object.
      inside: bool [h, w].

    Returns:
      bool [h, w]; None where the region is the whole photo.
    """
    likely = np.where(scores > SURE[1], cv2.GC_FGD, cv2.GC_PR_FGD)
    return _cut_trimap(photo, np.where(inside, likely, cv2.GC_BGD))


def _cut_trimap(photo: np.ndarray, trimap: np.ndarray) -> np.ndarray | None:
    """None where no pixel is sure to be background."""
    if not (trimap == cv2.GC_BGD).any():
        return None
    trimap = trimap.astype(np.uint8)
    cv2.setRNGSeed(0)  # its colour clusters begin at random
    models = np.zeros([1, 65]), np.zeros([1, 65])
    cv2.grabCut(photo, trimap, None, *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)


def bounded(photo: np.ndarray, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The photo, or a copy of its proportions with at most so many pixels."""
    height, width = photo.shape[:2]
    scale = min(1.0, (max_pixels / (width * height)) ** 0.5)
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(photo, size_wh, interpolation=cv2.INTER_AREA)
