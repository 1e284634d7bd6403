"""GrabCut from a localization map (Rother, Kolmogorov and Blake, SIGGRAPH 2004)."""

import cv2
import numpy as np

from bas_tf.geometry.frames import Size
from bas_tf.refinement.masks import map_at

SURE_FOREGROUND, SURE_BACKGROUND = 0.8, 0.2  # of a map whose threshold is at 0.5
ITERATIONS = 5
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
    height, width = photo.shape[:2]
    size_wh = _bounded((width, height))
    scores = map_at(score_map, size_wh, score_threshold=score_threshold)
    coarse = scores > 0.5
    mask = _cut(cv2.resize(photo, size_wh, interpolation=cv2.INTER_AREA), scores)
    is_kept = mask is None or not (
        MIN_AREA_RATIO <= mask.sum() / max(coarse.sum(), 1) <= MAX_AREA_RATIO
    )
    if is_kept:
        own = map_at(score_map, (width, height), score_threshold=score_threshold)
        return own > 0.5, True
    share = cv2.resize(mask.astype(np.float32), (width, height))
    return share > 0.5, False


def _cut(photo: np.ndarray, scores: np.ndarray) -> np.ndarray | None:
    """bool [h, w]; None without a pixel that is sure to be either."""
    trimap = np.where(scores > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[scores > SURE_FOREGROUND] = cv2.GC_FGD
    trimap[scores < SURE_BACKGROUND] = cv2.GC_BGD
    if not ((trimap == cv2.GC_FGD).any() and (trimap == cv2.GC_BGD).any()):
        return None
    cv2.setRNGSeed(0)  # its colour clusters begin at random
    models = np.zeros([1, 65]), np.zeros([1, 65])
    cv2.grabCut(photo, trimap, None, *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)


def _bounded(size_wh: Size) -> Size:
    """The size, or the largest of its proportions with MAX_PIXELS."""
    width, height = size_wh
    scale = min(1.0, (MAX_PIXELS / (width * height)) ** 0.5)
    return max(1, round(width * scale)), max(1, round(height * scale))
