"""The same numbers from the same seed, in every process, as far as can be had."""

import tensorflow as tf


def repeat_to_the_bit() -> None:
    """Keeps graphs from being rewritten differently in each process.

    TensorFlow's arithmetic optimizer reorders sums by where a graph happens to lie in
    memory: each process rounds differently, now and then. Without it judgements and
    trainings repeat to the bit on CPU, and are as fast. What it does not mend: a sum
    of three gradients or more (AddN) starts with whichever buffer is free, so
    `step.bas_terms` gives the map two users. Backbones of many branches were not tried.
    """
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
