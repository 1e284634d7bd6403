"""Pixel-adaptive mask refinement (Araslanov and Roth, CVPR 2020, section 4.3).

A pixel's score becomes the mean of its neighbours', weighted by how alike their colours
are, again and again. TensorFlow operations without weights: they run in a graph.
"""

import tensorflow as tf

DILATIONS = (1, 2, 4, 8, 12, 24)
ITERATIONS = 10
_DIRECTIONS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]


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
    found = []
    for distance in dilations:
        rows = [tf.clip_by_value(tf.range(height) + d * distance, 0, height - 1)
                for d in (-1, 0, 1)]  # fmt: skip
        columns = [tf.clip_by_value(tf.range(width) + d * distance, 0, width - 1)
                   for d in (-1, 0, 1)]  # fmt: skip
        for y, x_ in _DIRECTIONS:
            moved = tf.gather(
                tf.gather(x, rows[y + 1], axis=1), columns[x_ + 1], axis=2
            )
            found.append(moved)
    return tf.stack(found)
