"""Score maps made comparable: scaled to [0, 1] and resized to the image.

Everything here converts to LiteRT with built-in operators only.
"""

import tensorflow as tf


def normalize_min_max(maps: tf.Tensor) -> tf.Tensor:
    """Scales each map so that its minimum is 0 and its maximum 1.

    Args:
      maps: [batch, h, w, 1] float.

    Returns:
      [batch, h, w, 1] float32 in [0, 1]; all zeros for a constant map and for one
      with a NaN or an infinity, which has no scale.
    """
    maps = tf.cast(maps, tf.float32)
    # A comparison is false for NaN, whatever a runtime's minimum makes of it.
    finite = tf.reduce_all(
        tf.abs(maps) <= tf.float32.max, axis=[1, 2, 3], keepdims=True
    )
    maps = tf.where(finite, maps, tf.zeros_like(maps))
    low = tf.reduce_min(maps, axis=[1, 2, 3], keepdims=True)
    span = tf.reduce_max(maps, axis=[1, 2, 3], keepdims=True) - low
    return (maps - low) / tf.where(span > 0.0, span, tf.ones_like(span))


def resize_bilinear(maps: tf.Tensor, size_hw: tuple[int, int]) -> tf.Tensor:
    """Bilinear, half-pixel centres, no antialiasing: [batch, *size_hw, channels]."""
    return tf.image.resize(maps, size_hw, method=tf.image.ResizeMethod.BILINEAR)
