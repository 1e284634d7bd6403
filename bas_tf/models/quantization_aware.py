"""Training that sees the rounding of an int8 file (quantization-aware training).

The way back where a file that was made int8 after training loses too much: some more
epochs in which every pass rounds what the file will round, while gradients flow as if
nothing was rounded (straight through). Weights, checkpoints and exports stay what they
are without: there is no variable of its own, and a localizer that is built to be judged
or exported does not round.

- Kernels: 255 levels around zero for each output channel. The file folds BatchNorm
  into the kernel, which multiplies each channel by a factor of its own, gamma / sqrt(
  variance + epsilon): kernel and largest value alike, so the kernel alone rounds to
  the very same levels. The generator's kernel is rounded alike, a channel a class.
- Activations: 256 levels for a tensor, between the least and the largest value of the
  batch at hand (and zero). A file takes both from its calibration images; a ReLU6 is
  measured alike there. A replica measures its own part of the batch.

Not rounded are poolings, whose inputs are, and what follows features and class maps:
edge files compute that in float32, and the scaling of pixels, whose result is rounded.
"""

from collections.abc import Callable

import keras
import tensorflow as tf
from keras import layers

from bas_tf.models import blocks
from bas_tf.models.backbones.efficientnet_lite0 import InvertedResidual
from bas_tf.models.backbones.inception_v3 import Branches
from bas_tf.models.backbones.resnet50 import Bottleneck
from bas_tf.models.localizer import Localizer

LARGEST = 127  # int8 kernels leave -128 out
# Layers whose output is a tensor of the file that is not rounded further inside.
ROUNDED = (
    blocks.PixelScaling,
    blocks.ConvNormActivation,
    InvertedResidual,
    Bottleneck,
    Branches,
)


def make_quantization_aware(localizer: Localizer) -> None:
    """Makes every pass of a built localizer round as its int8 file will.

    To be called before the first step is traced. A convolution without a BatchNorm
    behind it has its own output rounded.
    """
    parts = localizer._flatten_layers()
    normalized = {
        id(part.conv) for part in parts if isinstance(part, blocks.ConvNormActivation)
    }
    for layer in parts:
        is_convolution = isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D))
        if is_convolution:
            layer.call = _with_rounded_kernel(layer)
        if isinstance(layer, ROUNDED) or (
            is_convolution and id(layer) not in normalized
        ):
            layer.call = _with_rounded_result(layer.call)
    generator = localizer.generator
    kernel_in_use = generator.kernel_in_use
    generator.kernel_in_use = lambda: round_kernel(kernel_in_use(), axes=(0, 1, 2))


def round_activations(x: tf.Tensor) -> tf.Tensor:
    """Rounds a tensor to 256 levels from its least to its largest value, and zero.

    Args:
      x: float, any shape.

    Returns:
      The same shape and dtype. Its gradient is that of x.
    """

    def rounded(x):
        values = tf.cast(x, tf.float32)
        least = tf.minimum(tf.reduce_min(values), 0.0)
        largest = tf.maximum(tf.reduce_max(values), 0.0)
        values = tf.quantization.fake_quant_with_min_max_vars(values, least, largest)
        return tf.cast(values, x.dtype)

    return tf.grad_pass_through(rounded)(x)


def round_kernel(kernel: tf.Tensor, *, axes: tuple[int, ...]) -> tf.Tensor:
    """Rounds each output channel to 255 levels around zero.

    Args:
      kernel: float.
      axes: those that are no output channels.

    Returns:
      The same shape and dtype. Its gradient is that of the kernel.
    """

    def rounded(kernel):
        step = tf.reduce_max(tf.abs(kernel), axes, keepdims=True) / LARGEST
        return tf.round(tf.math.divide_no_nan(kernel, step)) * step

    return tf.grad_pass_through(rounded)(kernel)


def _with_rounded_kernel(layer: keras.layers.Layer) -> Callable:
    """The layer's call, in which its kernel is the rounded one."""
    call = layer.call
    # Behind height and width: [in, out], or [channels, 1] of a depthwise convolution.
    axes = (0, 1, 2) if isinstance(layer, layers.Conv2D) else (0, 1)

    def rounding_call(*args, **kwargs):
        # What the variables are here: constants in a frozen pass.
        values = {variable.path: variable.value for variable in layer.variables}
        path = layer.kernel.path
        values[path] = round_kernel(values[path], axes=axes)
        pairs = [(variable, values[variable.path]) for variable in layer.variables]
        with keras.StatelessScope(pairs):
            return call(*args, **kwargs)

    return rounding_call


def _with_rounded_result(function: Callable) -> Callable:
    def rounding_function(*args, **kwargs):
        return round_activations(function(*args, **kwargs))

    return rounding_function
