"""The same numbers from the same seed, in every process, as far as can be had."""

import tensorflow as tf


def make_deterministic() -> None:
    """Keeps graphs from being rewritten differently in each process.

    TensorFlow's arithmetic optimizer reorders sums by where a graph happens to lie in
    memory: each process rounds differently, now and then. Without it evaluations and
    trainings repeat exactly on CPU, and are as fast. Where a tensor has three users or
    more, `ops.fan_out` keeps the order of their gradients.
    """
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
