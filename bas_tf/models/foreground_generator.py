"""The foreground generator: M = sigmoid(conv3x3(F)), one map a class (section 3.1).

Or a softmax over the classes and background, whose highest is a pixel's label.
"""

import numpy as np
import tensorflow as tf
from keras import layers

from bas_tf.errors import check_choice
from bas_tf.models.batch_norm import BatchNormalization
from bas_tf.ops.precision import at_least_float32

SIGMOID, SOFTMAX = "sigmoid", "softmax"
MAP_OUTPUTS = SIGMOID, SOFTMAX
INPUT_NORM_SCALE = 0.1  # keeps the 9 x channels sum of one-signed features small


class ForegroundGenerator(layers.Layer):
    """Predicts class-specific foreground maps from the trunk's features.

    Args:
      normalize_input: BatchNorm without affine, times 0.1, before the convolution.
        Features behind a ReLU have one sign: unnormalised, their sum saturates the
        sigmoid within a few steps at the generator's tenfold rate.
      use_bias: False holds the bias at 0.
      map_outputs: SIGMOID, maps that know nothing of each other; or SOFTMAX, each
        pixel's shares of the classes and of background, which is the last channel of
        the kernel. At a background logit of 0 the two agree where there is one class.

    Raises:
      UserError: other map outputs.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        normalize_input: bool = False,
        use_bias: bool = True,
        map_outputs: str = SIGMOID,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice("model.map_outputs", map_outputs, MAP_OUTPUTS)
        self.num_classes, self.use_bias = num_classes, use_bias
        self.map_outputs = map_outputs
        self.norm = None
        if normalize_input:
            self.norm = BatchNormalization(
                momentum=0.9, epsilon=1e-5, center=False, scale=False, name="norm"
            )

    def build(self, input_shape):
        outputs = self.num_classes + (self.map_outputs == SOFTMAX)
        shape = (3, 3, input_shape[-1], outputs)
        self.kernel = self.add_weight(
            name="kernel", shape=shape, initializer="glorot_uniform"
        )
        self.bias = np.zeros(outputs, self.variable_dtype)
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(outputs,), initializer="zeros"
            )
        if self.norm is not None:
            self.norm.build(input_shape)
        self.built = True

    def call(self, features, class_ids=None, training=False):
        """Foreground maps of every class, or of the asked classes only.

        Args:
          features: F, [batch, h, w, channels].
          class_ids: None for all classes, or [batch, k] int: only these k kernels
            of each example are used. Same numbers, C / k times less arithmetic.
          training: of the input normalisation.

        Returns:
          [batch, h, w, classes or k] float32 in [0, 1]; never background.
        """
        if self.map_outputs == SOFTMAX:
            return shares_of(self.logits(features, training=training), class_ids)
        if class_ids is not None:
            # Not from `kernels_by_class`: that would copy every kernel each time.
            kernels = tf.gather(self.kernel, class_ids, axis=3)
            kernels = tf.transpose(kernels, [3, 4, 2, 0, 1])
            biases = tf.gather(tf.convert_to_tensor(self.bias), class_ids)
            return tf.sigmoid(self.logits_by(features, kernels, biases, training))
        return tf.sigmoid(self.logits(features, training=training))

    def logits(self, features, *, training=False):
        """Before the sigmoid or softmax: [batch, h, w, classes] float32.

        SOFTMAX has background behind the classes.
        """
        features = self._normalized(features, training)
        kernel = tf.cast(self.kernel, features.dtype)
        logits = tf.nn.conv2d(features, kernel, strides=1, padding="SAME")
        bias = tf.convert_to_tensor(self.bias)
        return at_least_float32(logits) + at_least_float32(bias)

    def kernels_by_class(self):
        """[classes, channels, 3, 3], SOFTMAX with background's last."""
        return tf.transpose(self.kernel, [3, 2, 0, 1])

    def logits_by(self, features, kernels, biases, training=False):
        """As `logits`, by kernels that each example brings.

        Args:
          kernels: [batch, k, channels, 3, 3].
          biases: [batch, k].

        Returns:
          [batch, h, w, k] float32.
        """
        features = self._normalized(features, training)
        logits = _convolved(features, kernels)
        biases = biases[:, tf.newaxis, tf.newaxis, :]
        return at_least_float32(logits) + at_least_float32(biases)

    def _normalized(self, features, training):
        if self.norm is None:
            return features
        return INPUT_NORM_SCALE * self.norm(features, training=training)


def shares_of(logits, class_ids=None):
    """Softmax of logits [batch, h, w, classes + 1], background last.

    Returns:
      [batch, h, w, classes], or of class_ids [batch, k] only.
    """
    shares = tf.nn.softmax(logits)
    if class_ids is None:
        return shares[..., :-1]
    return tf.gather(shares, class_ids, axis=3, batch_dims=1)


def _convolved(features, kernels):
    """conv3x3 with k kernels an example: one matrix product, nine shifted adds."""
    batch = tf.shape(features)[0]
    h, w, channels = tf.shape(features)[1], tf.shape(features)[2], features.shape[3]
    k = kernels.shape[1]
    kernels = tf.transpose(kernels, [0, 2, 3, 4, 1])
    kernels = tf.reshape(kernels, [batch, channels, 9 * k])
    pixels = tf.reshape(features, [batch, h * w, channels])
    taps = pixels @ tf.cast(kernels, features.dtype)  # [batch, h w, 9 k]
    taps = tf.reshape(taps, [batch, h, w, 9 * k])
    taps = tf.pad(taps, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return tf.add_n(
        [
            taps[:, i : i + h, j : j + w, (3 * i + j) * k : (3 * i + j + 1) * k]
            for i in range(3)
            for j in range(3)
        ]
    )
