"""Small pieces of the method that are one line of algebra each (paper, section 3)."""

import tensorflow as tf

from bas_tf.ops.precision import at_least_float32


def background_map(foreground_map: tf.Tensor) -> tf.Tensor:
    """The coupled background map 1 - M, same shape and range [0, 1]."""
    return 1.0 - foreground_map


def select_class(maps: tf.Tensor, class_ids: tf.Tensor) -> tf.Tensor:
    """Each example's map of one class: [batch, h, w, classes] -> [batch, h, w, 1]."""
    channels_first = tf.transpose(maps, [0, 3, 1, 2])
    picked = tf.gather(channels_first, class_ids, axis=1, batch_dims=1)
    return picked[..., tf.newaxis]


def select_score(logits: tf.Tensor, class_ids: tf.Tensor) -> tf.Tensor:
    """Picks one class's score for each example: [batch, classes] -> [batch]."""
    return tf.gather(logits, class_ids, axis=1, batch_dims=1)


def top_k_mean(maps: tf.Tensor) -> tf.Tensor:
    """Mean of the selected maps: [batch, h, w, k] -> [batch, h, w, 1]."""
    return tf.reduce_mean(maps, axis=-1, keepdims=True)


def global_average_pool(class_maps: tf.Tensor) -> tf.Tensor:
    """S = GAP(A): [batch, h', w', classes] -> [batch, classes], float32 or float64."""
    return tf.reduce_mean(at_least_float32(class_maps), axis=[1, 2])


def average_pool_2x2(maps: tf.Tensor) -> tf.Tensor:
    """Halves a map's resolution: [batch, h, w, c] -> [batch, h / 2, w / 2, c]."""
    return tf.nn.avg_pool2d(maps, ksize=2, strides=2, padding="VALID")
