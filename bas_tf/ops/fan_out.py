"""One tensor for several users, whose gradients are added in one order."""

import tensorflow as tf


def fan_out(x: tf.Tensor, count: int) -> list[tf.Tensor]:
    """`count` tensors equal to x, in place of as many users of it.

    TensorFlow adds three gradients or more (AddN) beginning with whichever buffer is
    free, so that the same step rounds differently from run to run. Two are added alike
    in either order.
    """
    copies = [tf.identity(x)]
    while len(copies) < count:
        copies.append(tf.identity(copies[-1]))
    return copies
