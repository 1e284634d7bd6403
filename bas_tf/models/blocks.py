"""Convolution blocks shared by the backbones.

Padding is explicit where the PyTorch reference pads: `symmetric` pads both sides of
a stride-2 window equally, which TensorFlow's SAME does not.
"""

import keras
import tensorflow as tf
from keras import layers

from bas_tf.errors import UserError

BATCH_NORM_EPSILON = 1e-5  # torch's default, MobileNetV1 and ResNet50 of the paper


class PixelScaling(layers.Layer):
    """Pixels in 0..255 to what the weights were trained on: (x - mean) / std.

    It is part of the model, so it travels into every export.

    Args:
      mean: per channel, in 0..255.
      std: per channel, in 0..255.
    """

    def __init__(self, *, mean, std, **kwargs):
        super().__init__(**kwargs)
        self.mean, self.std = tuple(mean), tuple(std)

    def call(self, images):
        """uint8 or float [batch, height, width, 3] -> same shape, compute dtype."""
        images = tf.cast(images, tf.float32)
        scaled = (images - tf.constant(self.mean)) / tf.constant(self.std)
        return tf.cast(scaled, self.compute_dtype)


class ConvNormActivation(layers.Layer):
    """Convolution (or depthwise convolution), BatchNorm, activation.

    Args:
      filters: output channels; None makes the convolution depthwise.
      kernel_size: side of the square kernel.
      strides: 1 or 2.
      padding: "symmetric" (as torch) or "same" (as TensorFlow).
      activation: "relu", "relu6" or None.
      epsilon: of the BatchNorm.
    """

    def __init__(
        self,
        filters: int | None,
        kernel_size: int,
        strides: int = 1,
        *,
        padding: str = "symmetric",
        activation: str | None = "relu",
        epsilon: float = BATCH_NORM_EPSILON,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._margin = kernel_size // 2 if padding == "symmetric" and strides > 1 else 0
        options = {
            "strides": strides,
            "padding": "valid" if self._margin else "same",
            "use_bias": False,
            "dtype": self.dtype_policy,
        }
        if filters is None:
            # Keras's he_normal counts every channel as an input of each.
            he_normal = keras.initializers.RandomNormal(stddev=2**0.5 / kernel_size)
            self.conv = layers.DepthwiseConv2D(
                kernel_size, depthwise_initializer=he_normal, name="conv", **options
            )
        else:
            self.conv = layers.Conv2D(
                filters, kernel_size, kernel_initializer="he_normal", name="conv",
                **options,
            )  # fmt: skip
        self.norm = layers.BatchNormalization(
            momentum=0.9, epsilon=epsilon, name="norm", dtype=self.dtype_policy
        )
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        self.conv.build(self._padded(input_shape))
        self.norm.build(self.conv.compute_output_shape(self._padded(input_shape)))
        self.built = True

    def _padded(self, shape):
        grow = 2 * self._margin
        return (shape[0], *(s and s + grow for s in shape[1:3]), shape[3])

    def compute_output_shape(self, input_shape):
        return self.conv.compute_output_shape(self._padded(input_shape))

    def call(self, x, training=False):
        if self._margin:
            pad = [self._margin, self._margin]
            x = tf.pad(x, [[0, 0], pad, pad, [0, 0]])
        return self.activation(self.norm(self.conv(x), training=training))


class Classifier(layers.Layer):
    """The last layers of the head: features at stride 16 -> class maps A.

    Args:
      num_classes: classes.
      variant: "paper", two 3x3 convolutions of `width` channels before the 1x1;
        "linear", the 1x1 alone (for the edge).
      final_relu: ReLU on the class maps; the journal extension leaves it out.
      width: channels of the two 3x3 convolutions.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        variant: str = "paper",
        final_relu: bool = True,
        width: int = 1024,
        **kwargs,
    ):
        super().__init__(**kwargs)
        hidden = {"paper": 2, "linear": 0}
        if variant not in hidden:
            raise UserError(
                f"model.classifier is {variant!r}; known: {', '.join(hidden)}"
            )
        convolutions = [
            layers.Conv2D(
                width, 3, padding="same", activation="relu",
                kernel_initializer="he_normal", name=f"conv{i + 1}",
                dtype=self.dtype_policy,
            )
            for i in range(hidden[variant])
        ]  # fmt: skip
        class_maps = layers.Conv2D(
            num_classes,
            1,
            activation="relu" if final_relu else None,
            name="class_maps",
            dtype=self.dtype_policy,
        )
        self.convolutions = [*convolutions, class_maps]

    def build(self, input_shape):
        for layer in self.convolutions:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)
        self.built = True

    def call(self, x):
        for layer in self.convolutions:
            x = layer(x)
        return x  # [batch, h', w', classes]
