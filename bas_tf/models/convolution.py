"""Convolutions whose backward passes avoid kernels that oneDNN computes slowly.

Without AVX-512 it has no fast kernel for the input gradient: of a 3x3 of 1,024
channels on 8 maps of 14 x 14 it took 2.6 times as long, on two threads of an AMD EPYC
with AVX2, as the same arithmetic as a convolution of the output's gradient by the
transposed kernel. Of 1x1 kernels a training step gained nothing.

The kernel's gradient of a depthwise convolution is slow where the window is wider than
3: of a 5x5 of 1,152 channels on 16 maps of 20 x 20 it took 3.1 times as long as two
gradients of 5x3 windows (2.0 with AVX2 alone), whose columns are together the five.
"""

import platform

import keras
import tensorflow as tf
from keras import layers

from bas_tf.ops.precision import has_cpu_instructions


class Conv2D(layers.Conv2D):
    """Keras's, with `has_fast_gradient` set by `speed_up_gradients`."""

    has_fast_gradient = False

    def convolution_op(self, inputs, kernel):
        if self.has_fast_gradient:
            return _convolve(inputs, tf.convert_to_tensor(kernel))
        return super().convolution_op(inputs, kernel)


class DepthwiseConv2D(layers.DepthwiseConv2D):
    """Keras's, without bias; `has_fast_gradient` as of `Conv2D`."""

    has_fast_gradient = False

    def call(self, inputs):
        return self.convolution_op(inputs, tf.convert_to_tensor(self.kernel))

    def convolution_op(self, inputs, kernel):
        if self.has_fast_gradient and inputs.shape[2] and inputs.shape[2] % 2 == 0:
            return _convolve_5x5_depthwise(inputs, kernel)
        strides = [1, *self.strides, 1]
        return tf.nn.depthwise_conv2d(inputs, kernel, strides, self.padding.upper())


def speed_up_gradients(model: keras.Model) -> None:
    """For a training on an x86 processor: the other form of gradients.

    Same numbers up to rounding. To be called before the first step is traced. Exported
    graphs of such a model keep an identity operation where the gradient hung.
    """
    is_x86 = platform.machine() in ("x86_64", "AMD64")
    if tf.config.list_physical_devices("GPU") or not is_x86:
        return
    turns = not has_cpu_instructions("avx512f")
    for layer in model._flatten_layers():
        if isinstance(layer, Conv2D):
            layer.has_fast_gradient = turns and _can_turn(layer)
        elif isinstance(layer, DepthwiseConv2D):
            layer.has_fast_gradient = layer.kernel_size == (5, 5) and _is_plain(layer)


def _can_turn(layer: layers.Conv2D) -> bool:
    """A centred window at stride 1, of more than one pixel, over all channels."""
    return (
        layer.kernel_size != (1, 1)
        and all(side % 2 for side in layer.kernel_size)
        and layer.groups == 1
        and _is_plain(layer)
    )


def _is_plain(layer: layers.Layer) -> bool:
    return (
        layer.strides == (1, 1) == layer.dilation_rate
        and layer.padding == "same"
        and layer.data_format == "channels_last"
    )


@tf.custom_gradient
def _convolve(x: tf.Tensor, kernel: tf.Tensor):
    def gradients(by_output):
        turned = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])
        by_kernel = tf.raw_ops.Conv2DBackpropFilter(
            input=x,
            filter_sizes=tf.shape(kernel),
            out_backprop=by_output,
            strides=[1] * 4,
            padding="SAME",
        )
        return tf.nn.conv2d(by_output, turned, 1, "SAME"), by_kernel

    return tf.nn.conv2d(x, kernel, 1, "SAME"), gradients


@tf.custom_gradient
def _convolve_5x5_depthwise(x: tf.Tensor, kernel: tf.Tensor):
    """Of [batch, h, w, channels] with an even w."""
    options = {"strides": [1] * 4, "padding": "SAME"}

    def gradients(by_output):
        by_input = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
            input_sizes=tf.shape(x), filter=kernel, out_backprop=by_output, **options
        )

        def by_three_columns(inputs, by_output):
            return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=inputs,
                filter_sizes=[5, 3, inputs.shape[-1], 1],
                out_backprop=by_output,
                **options,
            )

        near = by_three_columns(x, by_output)  # columns -1, 0 and 1
        # Side by side in one pixel, columns of equal parity are neighbours.
        far = by_three_columns(_pair_columns(x), _pair_columns(by_output))
        far = tf.reduce_sum(tf.reshape(far, [5, 3, 2, -1, 1]), axis=2)  # -2, 0, 2
        return by_input, tf.concat([far[:, :1], near, far[:, 2:]], axis=1)

    return tf.nn.depthwise_conv2d(x, kernel, **options), gradients


def _pair_columns(x: tf.Tensor) -> tf.Tensor:
    """[batch, h, w, channels] -> [batch, h, w / 2, 2 channels], of the same memory."""
    _, height, width, channels = x.shape
    return tf.reshape(x, [-1, height, width // 2, 2 * channels])
