"""What must not lose precision: scores, sigmoids, ratios and losses."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from bas_tf.errors import check_choice

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def at_least_float32(x: tf.Tensor) -> tf.Tensor:
    """Half-precision and integer values as float32; float32 and float64 stay."""
    return x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float32)


@contextlib.contextmanager
def layers_computing_in(precision: str) -> Iterator[None]:
    """Layers built inside compute in this precision; their variables are float32.

    Args:
      precision: one of `PRECISIONS`.

    Raises:
      UserError: an unknown precision.
    """
    check_choice("train.precision", precision, PRECISIONS)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
