"""Wide depthwise windows as sums of narrower ones, for LiteRT.

Its fast kernels for depthwise convolutions end at 25 taps. A window of 6x6, which has
36, took five times as long in int8 as two of 3x6 and their sum; in float32 twice. The
sum is the same function up to its rounding: training and weights know nothing of it.
"""

import contextlib
import math
from collections.abc import Iterator

import keras
import tensorflow as tf
from keras import layers

from bas_tf.models.blocks import ConvNormActivation

MOST_TAPS = 25


@contextlib.contextmanager
def narrow_windows(model: keras.Model) -> Iterator[None]:
    """Inside the block, depthwise layers of a built model sum narrower windows.

    Those of stride 1 with a window of more than MOST_TAPS taps, BatchNorm folded in by
    its moving statistics: to be called where the model is traced for inference.
    """
    wide = [layer for layer in model._flatten_layers() if _is_wide(layer)]
    for layer in wide:
        layer.call = _narrow_call(layer)
    try:
        yield
    finally:
        for layer in wide:
            del layer.call  # the class's own again


def _is_wide(layer: keras.layers.Layer) -> bool:
    return (
        isinstance(layer, ConvNormActivation)
        and isinstance(layer.conv, layers.DepthwiseConv2D)
        and layer.conv.strides == (1, 1)
        and layer.conv.padding == "same"
        and layer.conv.kernel_size[1] <= MOST_TAPS
        and math.prod(layer.conv.kernel_size) > MOST_TAPS
    )


def _narrow_call(layer: ConvNormActivation):
    def call(x, training=False):
        return layer.activation(_sum_of_parts(x, *layer.folded()))

    return call


def _sum_of_parts(x: tf.Tensor, kernel: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """Depthwise convolution at stride 1, zeros around it, by groups of kernel rows.

    Of x [batch, h, w, channels], kernel [kh, kw, channels, 1] and offset [channels],
    as x.
    """
    height, (kernel_height, kernel_width) = x.shape[1], kernel.shape[:2]
    margins = [((side - 1) // 2, side // 2) for side in (kernel_height, kernel_width)]
    padded = tf.pad(x, [(0, 0), *margins, (0, 0)])
    count = math.ceil(kernel_height / (MOST_TAPS // kernel_width))
    bounds = [round(i * kernel_height / count) for i in range(count + 1)]
    total = None
    for first, last in zip(bounds, bounds[1:], strict=False):
        seen = padded[:, first : last + height - 1]
        part = tf.nn.depthwise_conv2d(seen, kernel[first:last], [1] * 4, "VALID")
        total = part + offset if total is None else total + part
    return total
