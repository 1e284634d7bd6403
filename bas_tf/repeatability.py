"""The same numbers from the same seed, in every process."""

import tensorflow as tf


def repeat_to_the_bit() -> None:
    """Makes what is computed from now on the same in every process on CPU.

    TensorFlow's arithmetic optimizer reorders sums by where a graph happens to lie in
    memory: each process rounds differently, now and then. Without it a training
    repeats to the bit on the same machine, however it was interrupted, a judgement
    too, and both are as fast.
    Kernels of other devices may still differ from run to run.
    """
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
