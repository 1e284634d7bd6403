"""The ceiling: what TensorFlow reaches in one large matrix product."""

from collections.abc import Callable

import tensorflow as tf

from benchmarks.method_speed import ours

SIDE = 3072
FLOP = 2 * SIDE**3


def build(*, threads: int) -> dict[str, Callable[[], None]]:
    """{"float32": a product of FLOP operations}."""
    ours.use_threads(threads)
    left, right = (tf.random.stateless_uniform([SIDE, SIDE], [0, i]) for i in range(2))
    in_graph = tf.function(tf.matmul)
    return {"float32": lambda: in_graph(left, right).numpy()}
