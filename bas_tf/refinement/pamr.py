"""Pixel-adaptive mask refinement (Araslanov and Roth, CVPR 2020, section 4.3).

A pixel's score becomes the mean of its neighbours', weighted by how alike their colours
are, again and again. TensorFlow operations without weights: they run in a graph, and
convert to LiteRT with built-in operators only.
"""

import tensorflow as tf

from bas_tf.ops import boxes_from_maps, score_maps

DILATIONS = (1, 2, 4, 8, 12)
ITERATIONS = 6
REDUCTION = 2  # maps are refined in a copy of the image that is this much smaller
_DIRECTIONS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


def refined_boxes(
    maps: tf.Tensor, images: tf.Tensor, *, score_threshold: float
) -> dict[str, tf.Tensor]:
    """names.BOXES and DEGENERATE of `refined_scores`, in pixels of the images."""
    scores = refined_scores(maps, images, score_threshold=score_threshold)
    return boxes_from_maps.boxes_from_maps(scores, score_threshold=0.5)


def refined_scores(
    maps: tf.Tensor, images: tf.Tensor, *, score_threshold: float
) -> tf.Tensor:
    """Maps refined by their images, the same in Keras and in exported files.

    Args:
      maps: [batch, h, w, 1] float, not yet normalised.
      images: [batch, height, width, 3] in 0..255, height and width static.
      score_threshold: where a normalised map is cut, in (0, 1).

    Returns:
      [batch, height, width, 1] float32 in [0, 1], to be cut at 0.5.
    """
    size_hw = images.shape[1:3]
    small_hw = [max(1, side // REDUCTION) for side in size_hw]
    scores = score_maps.resize_bilinear(score_maps.normalize_min_max(maps), small_hw)
    below = 0.5 * scores / score_threshold  # as `masks.map_at`
    above = 0.5 + 0.5 * (scores - score_threshold) / (1 - score_threshold)
    scores = tf.where(scores <= score_threshold, below, above)
    small = score_maps.resize_bilinear(images, small_hw)
    return score_maps.resize_bilinear(refine_maps(scores, small), size_hw)


def refine_maps(
    maps: tf.Tensor,
    images: tf.Tensor,
    *,
    dilations: tuple[int, ...] = DILATIONS,
    iterations: int = ITERATIONS,
) -> tf.Tensor:
    """Scores that follow the edges of their images.

    Args:
      maps: [batch, height, width, 1] float in [0, 1], of the size of the images.
      images: [batch, height, width, 3] in 0..255.
      dilations: distances of the neighbours, eight each.
      iterations: how often the scores are averaged.

    Returns:
      [batch, height, width, 1] float32 in [0, 1].
    """
    images = tf.cast(images, tf.float32) / 255.0
    around = _neighbours(images, dilations)  # [n, batch, h, w, 3]
    count = len(dilations)
    each = tf.concat([around, tf.stack([images] * count)], axis=0)
    total = tf.cast(tf.shape(each)[0], tf.float32)
    spread = tf.math.reduce_std(each, axis=0) * tf.sqrt(total / (total - 1))
    likeness = -tf.abs(around - images) / (1e-8 + 0.1 * spread)
    weights = tf.nn.softmax(tf.reduce_mean(likeness, axis=-1, keepdims=True), axis=0)
    maps = tf.cast(maps, tf.float32)
    for _ in range(iterations):
        maps = tf.reduce_sum(weights * _neighbours(maps, dilations), axis=0)
    return maps


def _neighbours(x: tf.Tensor, dilations: tuple[int, ...]) -> tf.Tensor:
    """[neighbours, batch, h, w, channels]; what lies outside is the edge's."""
    height, width = tf.shape(x)[1], tf.shape(x)[2]
    rim = max(dilations)
    rows = tf.clip_by_value(tf.range(-rim, height + rim), 0, height - 1)
    columns = tf.clip_by_value(tf.range(-rim, width + rim), 0, width - 1)
    padded = tf.gather(tf.gather(x, rows, axis=1), columns, axis=2)
    starts = [(rim + y * d, rim + x_ * d) for d in dilations for y, x_ in _DIRECTIONS]
    return tf.stack(
        [padded[:, top : top + height, left : left + width] for top, left in starts]
    )
