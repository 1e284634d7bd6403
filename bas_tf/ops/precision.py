"""What must not lose precision: scores, sigmoids, ratios and losses."""

import tensorflow as tf


def at_least_float32(x: tf.Tensor) -> tf.Tensor:
    """Half-precision and integer values as float32; float32 and float64 stay."""
    return x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float32)
