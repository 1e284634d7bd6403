"""`metrics.confidence` inside the graph, for what a server answers."""

import tensorflow as tf

from bas_tf import names
from bas_tf.metrics.confidence import STRIDE, cuts
from bas_tf.ops import score_maps
from bas_tf.ops.boxes_from_maps import boxes_from_maps


def box_confidence(
    scores: tf.Tensor, maps: tf.Tensor, *, score_threshold: float
) -> tf.Tensor:
    """How far the box of each map can be trusted; see `metrics.confidence.confidence`.

    Args:
      scores: [batch, n] softmax of all or of the best classes, without NO_OBJECT's.
      maps: [batch, h, w, 1] float, not yet normalised; h and w static.
      score_threshold: of the box, in [0, 1).

    Returns:
      float32 [batch] in [0, 1].
    """
    height, width = maps.shape[1:3]
    resized = score_maps.resize_bilinear(
        score_maps.normalize_min_max(maps), (STRIDE * height, STRIDE * width)
    )
    thresholds = [score_threshold, *cuts(score_threshold)]
    above = tf.cast(
        resized > tf.constant(thresholds, tf.float32), tf.float32
    )  # [batch, height, width, cuts]
    at_cuts = tf.reshape(tf.transpose(above, [3, 0, 1, 2]), [-1, *above.shape[1:3], 1])
    found = boxes_from_maps(at_cuts, score_threshold=0.5)
    boxes = tf.reshape(found[names.BOXES], [len(thresholds), -1, 4])
    degenerate = tf.reshape(found[names.DEGENERATE], [len(thresholds), -1])
    ious = tf.where(degenerate[1:] | degenerate[:1], 0.0, _iou(boxes[:1], boxes[1:]))
    best = tf.minimum(tf.reduce_max(scores, axis=1), 1.0)
    return tf.reduce_mean(ious, axis=0) * best


def _iou(boxes_a: tf.Tensor, boxes_b: tf.Tensor) -> tf.Tensor:
    """Of half-open boxes [..., 4] that are not empty."""
    low = tf.maximum(boxes_a[..., :2], boxes_b[..., :2])
    high = tf.minimum(boxes_a[..., 2:], boxes_b[..., 2:])
    shared = tf.reduce_prod(tf.maximum(high - low, 0), axis=-1)
    return shared / (_area(boxes_a) + _area(boxes_b) - shared)


def _area(boxes: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(boxes[..., 2:] - boxes[..., :2], axis=-1)
