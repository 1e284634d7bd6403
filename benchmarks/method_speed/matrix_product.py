"""The ceiling: what TensorFlow reaches in one large matrix product."""

from collections.abc import Callable

import tensorflow as tf

from benchmarks.method_speed import ours

SIDE = 3072
FLOP = 2 * SIDE**3


def build(*, threads: int) -> dict[str, Callable[[], None]]:
    """{"float32" and "bfloat16": a product of FLOP operations}."""
    ours.use_threads(threads)
    return {dtype.name: _product(dtype) for dtype in (tf.float32, tf.bfloat16)}


def _product(dtype: tf.DType) -> Callable[[], None]:
    left, right = (
        tf.cast(tf.random.stateless_uniform([SIDE, SIDE], [0, i]), dtype)
        for i in range(2)
    )
    in_graph = tf.function(tf.matmul)
    return lambda: in_graph(left, right).numpy()
