"""Layers shared by the backbones.

Padding is explicit where the PyTorch reference pads: `symmetric` pads both sides of
a stride-2 window equally, which TensorFlow's SAME does not.
"""

import keras
import tensorflow as tf
from keras import layers

from bas_tf.errors import check_choice
from bas_tf.models.batch_norm import BatchNormalization
from bas_tf.models.convolution import Conv2D, DepthwiseConv2D

BATCH_NORM_EPSILON = 1e-5  # torch's default, MobileNetV1 and ResNet50 of the paper
BATCH_NORM_MOMENTUM = 0.9  # torch counts the other way round: 0.1


class PixelScaling(layers.Layer):
    """Pixels in 0..255 to what the weights were trained on: (x - mean) / std.

    Mean and std belong to the weights: they are variables that no optimizer touches,
    so they travel in every weights file and checkpoint and into every export. Both are
    of red, green and blue, in 0..255.
    """

    def __init__(self, *, mean, std, **kwargs):
        super().__init__(**kwargs)
        self._initial_mean, self._initial_std = tuple(mean), tuple(std)

    def build(self, input_shape):
        self.mean = self._add_constant("mean", self._initial_mean)
        self.std = self._add_constant("std", self._initial_std)
        self.built = True

    def _add_constant(self, name: str, values: tuple[float, ...]):
        return self.add_weight(
            name=name,
            shape=(len(values),),
            initializer=keras.initializers.Constant(values),
            trainable=False,
            autocast=False,
        )

    def call(self, images):
        """uint8 or float [batch, height, width, 3] -> same shape, compute dtype."""
        images = tf.cast(images, self.variable_dtype)
        mean, std = tf.convert_to_tensor(self.mean), tf.convert_to_tensor(self.std)
        return tf.cast((images - mean) / std, self.compute_dtype)


class Chain(layers.Layer):
    """Layers one after the other: built from shapes alone, since Keras would trace."""

    def chain(self) -> list[layers.Layer]:
        """The layers; a subclass's attributes, which name them in weights files."""
        raise NotImplementedError

    def build(self, input_shape):
        build_layers(self.chain(), input_shape)
        self.built = True

    def compute_output_shape(self, input_shape):
        return output_shape(self.chain(), input_shape)


def build_layers(chain: list[layers.Layer], shape) -> None:
    """Builds layers that run one after the other."""
    for layer in chain:
        layer.build(shape)
        shape = layer.compute_output_shape(shape)


def output_shape(chain: list[layers.Layer], shape):
    """What a shape becomes behind the last of the layers."""
    for layer in chain:
        shape = layer.compute_output_shape(shape)
    return shape


def padded(shape, margins):
    """The static shape of [batch, height, width, channels] with margins around it."""
    grown = [s and s + sum(m) for s, m in zip(shape[1:3], margins, strict=True)]
    return (shape[0], *grown, shape[3])


class ConvNormActivation(layers.Layer):
    """Convolution (or depthwise convolution), BatchNorm, activation.

    Args:
      filters: output channels; None makes the convolution depthwise.
      kernel_size: side of the square kernel, or height and width.
      padding: where a stride of 2 pads: "symmetric" (as torch), "end" (as Keras's
        MobileNet) or "same" (as TensorFlow). At stride 1 these are one. "valid" pads
        nothing.
    """

    def __init__(
        self,
        filters: int | None,
        kernel_size: int | tuple[int, int],
        strides: int = 1,
        *,
        padding: str = "symmetric",
        activation: str | None = "relu",
        epsilon: float = BATCH_NORM_EPSILON,
        **kwargs,
    ):
        super().__init__(**kwargs)
        sides = (kernel_size,) * 2 if isinstance(kernel_size, int) else kernel_size
        self._margins = _stride_margins(sides, padding) if strides > 1 else None
        options = {
            "strides": strides,
            "padding": "valid" if self._margins or padding == "valid" else "same",
            "use_bias": False,
        }
        if filters is None:
            # Keras's he_normal counts every channel as an input of each.
            stddev = (2 / (sides[0] * sides[1])) ** 0.5
            self.conv = DepthwiseConv2D(
                sides, name="conv",
                depthwise_initializer=keras.initializers.RandomNormal(stddev=stddev),
                **options,
            )  # fmt: skip
        else:
            self.conv = Conv2D(
                filters, sides, kernel_initializer="he_normal", name="conv", **options
            )
        self.norm = BatchNormalization(
            momentum=BATCH_NORM_MOMENTUM, epsilon=epsilon, name="norm"
        )
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        input_shape = padded(input_shape, self._margins or ((0, 0), (0, 0)))
        self.conv.build(input_shape)
        self.norm.build(self.conv.compute_output_shape(input_shape))
        self.built = True

    def compute_output_shape(self, input_shape):
        input_shape = padded(input_shape, self._margins or ((0, 0), (0, 0)))
        return self.conv.compute_output_shape(input_shape)

    def call(self, x, training=False):
        if self._margins:
            x = tf.pad(x, [(0, 0), *self._margins, (0, 0)])
        # Scaled kernels would be rounded to half precision once more.
        if training or x.dtype.size == 2:
            return self.activation(self.norm(self.conv(x), training=training))
        kernel, offset = self.folded()
        x = self.conv.convolution_op(x, kernel)
        return self.activation(tf.nn.bias_add(x, offset))

    def folded(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The kernel times what the moving statistics scale by, and what they add.

        A training step saves the passes over its maps, forwards and backwards.
        """
        scale, offset = self.norm.by_moving_statistics()
        if isinstance(self.conv, DepthwiseConv2D):
            scale = scale[:, tf.newaxis]
        return tf.convert_to_tensor(self.conv.kernel) * scale, offset


def _stride_margins(sides: tuple[int, int], padding: str):
    """Zeros before and after height and width; None where Keras pads by itself."""
    if padding == "symmetric":
        return tuple((side // 2, side // 2) for side in sides)
    return tuple((0, side // 2) for side in sides) if padding == "end" else None


class PaddedMaxPooling(layers.Layer):
    """Max pooling of rectified features with zeros around them.

    Behind a ReLU zeros are as good as the minus infinity that torch pads with.

    Args:
      margins: zeros before and after, in height and width alike. (1, 2) with a 3x3
        window at stride 2 is torch's padding 1 with `ceil_mode`.
    """

    def __init__(
        self, pool_size: int, strides: int, margins: tuple[int, int], **kwargs
    ):
        super().__init__(**kwargs)
        self.pool = layers.MaxPooling2D(pool_size, strides, name="pool")
        self._margins = (margins, margins)

    def compute_output_shape(self, input_shape):
        return self.pool.compute_output_shape(padded(input_shape, self._margins))

    def call(self, x):
        return self.pool(tf.pad(x, [(0, 0), *self._margins, (0, 0)]))


class Classifier(Chain):
    """The last layers of the head: features at stride 16 -> class maps A.

    Args:
      variant: "paper", two 3x3 convolutions of `width` channels before the 1x1;
        "linear", the 1x1 alone (for the edge); "separable", the paper's with each 3x3
        split into a depthwise 3x3 and a 1x1 to `width` channels, at 1/9 of its cost.
      final_relu: ReLU on the class maps; the journal extension leaves it out.
      width: channels of the two hidden layers.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        variant: str = "paper",
        final_relu: bool = True,
        width: int = 1024,
        use_bias: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice("model.classifier", variant, ("paper", "linear", "separable"))
        hidden = []
        for number in () if variant == "linear" else (1, 2):
            if variant == "separable":
                hidden += _separable_convolution(width, number)
            else:
                hidden.append(_hidden_convolution(width, 3, name=f"conv{number}"))
        class_maps = ClassMaps(
            num_classes,
            1,
            activation="relu" if final_relu else None,
            use_bias=use_bias,
            name="class_maps",
        )
        self.convolutions = [*hidden, class_maps]

    def chain(self):
        return self.convolutions

    def call(self, x, class_ids=None):
        """Class maps [batch, h', w', classes]; with class_ids, one an example."""
        *hidden, class_maps = self.convolutions
        for layer in hidden:
            x = layer(x)
        return class_maps(x, class_ids=class_ids)


class ClassMaps(Conv2D):
    """A 1x1 convolution to one map a class, or to that of one class an example."""

    def call(self, inputs, class_ids=None):
        """As `Classifier.call`; same numbers, classes times less arithmetic."""
        if class_ids is None:
            return super().call(inputs)
        kernel = tf.convert_to_tensor(self.kernel)[0, 0]
        weights = tf.transpose(tf.gather(kernel, class_ids, axis=1))  # [batch, c]
        maps = inputs @ weights[:, tf.newaxis, :, tf.newaxis]
        if self.use_bias:
            bias = tf.gather(tf.convert_to_tensor(self.bias), class_ids)
            maps += bias[:, tf.newaxis, tf.newaxis, tf.newaxis]
        return self.activation(maps)


def _hidden_convolution(width: int, kernel_size: int, *, name: str) -> Conv2D:
    return Conv2D(
        width,
        kernel_size,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name=name,
    )


def _separable_convolution(width: int, number: int) -> list[layers.Layer]:
    """A depthwise 3x3 and the rectified 1x1 that mixes its channels.

    Between them is neither bias nor ReLU: the 1x1 has its own. So the depthwise
    kernels start at variance 1/9, without the 2 that makes up for a ReLU.
    """
    depthwise = layers.DepthwiseConv2D(
        3,
        padding="same",
        use_bias=False,
        depthwise_initializer=keras.initializers.RandomNormal(stddev=1 / 3),
        name=f"depthwise{number}",
    )
    return [depthwise, _hidden_convolution(width, 1, name=f"pointwise{number}")]
