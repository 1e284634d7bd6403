"""Batch normalisation: torch's, alike on every replica, in as little memory as it can.

Three ways to one result: by the batch in accurate float32 or float64 sums, whose
backward pass is written out here; by the batch in half precision, one fused operation;
by the moving statistics.
"""

from collections.abc import Callable

import keras
import tensorflow as tf
from keras import layers

from bas_tf.ops.precision import at_least_float32


class BatchNormalization(layers.BatchNormalization):
    """Batch normalisation whose moving variance is torch's.

    The batch is normalised by its biased variance; the moving variance takes the
    unbiased one, n / (n - 1) times as large for n values a channel.

    Each update of the moving statistics is the mean over the replicas: Keras lets each
    replica move its own, they drift apart, and a checkpoint keeps the first replica's.

    With `synchronized` the batch is that of all replicas together, which hold equally
    many values; else each replica's own. See `synchronize_batch_norm`.
    """

    def add_weight(self, *args, trainable=True, **kwargs):
        aggregation = "none" if trainable else "mean"
        return super().add_weight(
            *args, trainable=trainable, aggregation=aggregation, **kwargs
        )

    def call(self, inputs, training=False):
        is_half = inputs.dtype.size == 2
        if not training:
            return self._fused(inputs)[0] if is_half else self._by_moving(inputs)
        if is_half and not self.synchronized:
            normalized, mean, unbiased = self._fused(inputs, training=True)
        else:
            normalized, mean, unbiased = self._by_batch(at_least_float32(inputs))
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, unbiased)
        return tf.cast(normalized, self.compute_dtype)

    def _scale_and_offset(self) -> tuple[tf.Tensor, tf.Tensor]:
        """gamma and beta; ones and zeros where the layer has none."""
        moving = tf.convert_to_tensor(self.moving_mean)
        scale = tf.convert_to_tensor(self.gamma) if self.scale else tf.ones_like(moving)
        if not self.center:
            return scale, tf.zeros_like(moving)
        return scale, tf.convert_to_tensor(self.beta)

    def _fused(self, x, *, training=False):
        """Half precision: sums that float32 would take more accurately lose nothing.

        Returns:
          What is normalised, the mean and the unbiased variance.
        """
        scale, offset = self._scale_and_offset()
        return tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=scale,
            offset=offset,
            mean=tf.convert_to_tensor(self.moving_mean),
            variance=tf.convert_to_tensor(self.moving_variance),
            exponential_avg_factor=1.0,
            epsilon=self.epsilon,
            is_training=training,
        )[:3]

    def by_moving_statistics(self) -> tuple[tf.Tensor, tf.Tensor]:
        """What x is multiplied by, and what is added: [channels] each."""
        scale, offset = self._scale_and_offset()
        variance = tf.convert_to_tensor(self.moving_variance)
        scale *= tf.math.rsqrt(variance + self.epsilon)
        return scale, offset - tf.convert_to_tensor(self.moving_mean) * scale

    def _by_moving(self, x):
        scale, offset = self.by_moving_statistics()
        return x * scale + offset

    def _by_batch(self, x):
        """float32 or float64; returns as `_fused`."""
        normalized, mean, variance = normalize_by_batch(
            x,
            *self._scale_and_offset(),
            epsilon=self.epsilon,
            over_replicas=replica_mean if self.synchronized else tf.identity,
        )
        count = tf.cast(tf.size(x) // x.shape[-1], x.dtype)
        if self.synchronized:
            count *= tf.distribute.get_strategy().num_replicas_in_sync
        return normalized, mean, variance * count / tf.maximum(count - 1, 1)

    def _move(self, moving, value):
        moving.assign(moving * self.momentum + value * (1.0 - self.momentum))


def normalize_by_batch(
    x: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    *,
    epsilon: float,
    over_replicas: Callable[[tf.Tensor], tf.Tensor] = tf.identity,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, with accurate sums.

    The backward pass is written out, or TensorFlow's fused one where that takes our
    statistics: it keeps x alone, where the derivative of each operation keeps x and its
    distance from the mean.

    Args:
      x: [..., channels] float32 or float64; gamma and beta are [channels].
      over_replicas: makes one mean of each replica's, see `replica_mean`.

    Returns:
      What is normalised, like x; mean and biased variance, [channels], without
      gradient.
    """
    on_processor = not tf.config.list_physical_devices("GPU")
    of_one_replica = over_replicas is tf.identity
    are_maps = x.dtype == tf.float32 and x.shape.rank == 4

    @tf.custom_gradient
    def normalize(x, gamma, beta):
        # The squares are taken around the mean of all replicas.
        mean = over_replicas(channel_mean(x))
        variance = over_replicas(channel_mean(tf.math.squared_difference(x, mean)))
        if are_maps and of_one_replica and on_processor:
            return _normalize_fused(x, gamma, beta, mean, variance, epsilon)
        inverse = tf.math.rsqrt(variance + epsilon)
        scale = gamma * inverse

        def gradients(by_normalized, *_):
            count = tf.cast(tf.size(x) // x.shape[-1], x.dtype)
            centred = x - mean
            by_beta = channel_mean(by_normalized)
            by_centred = channel_mean(by_normalized * centred)
            slope = scale * tf.square(inverse) * over_replicas(by_centred)
            level = scale * over_replicas(by_beta)
            by_x = by_normalized * scale - (centred * slope + level)
            return by_x, count * inverse * by_centred, count * by_beta

        return (x * scale + (beta - mean * scale), mean, variance), gradients

    return normalize(x, gamma, beta)


def _normalize_fused(x, gamma, beta, mean, variance, epsilon: float):
    """One pass over x each way, on a processor: its gradient takes these statistics.

    The operation's own statistics would be a hundred times less accurate.
    """
    normalized, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=gamma, offset=beta, mean=mean, variance=variance, epsilon=epsilon,
        is_training=False,
    )  # fmt: skip

    def gradients(by_normalized, *_):
        return tf.raw_ops.FusedBatchNormGradV3(
            y_backprop=by_normalized, x=x, scale=gamma, reserve_space_1=mean,
            reserve_space_2=variance, reserve_space_3=[], epsilon=epsilon,
        )[:3]  # fmt: skip

    return (normalized, mean, variance), gradients


def synchronize_batch_norm(model: keras.Model) -> None:
    """Makes every batch normalisation of a model use the batch of all replicas.

    It costs two all-reduces of a value a channel for each layer and pass, and as many
    in the backward pass. On one replica nothing changes. To be called under the
    strategy's scope, before the first step is traced.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return
    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.synchronized = True


def replica_mean(x: tf.Tensor) -> tf.Tensor:
    """The mean of x over the replicas; gradients are those of the mean.

    Outside of a replica (building, evaluation) there is one x, and it is the mean.
    """
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, x) if context else x


def channel_mean(x: tf.Tensor) -> tf.Tensor:
    """[..., channels] -> [channels], one axis after the other.

    A sum of all axes at once adds one value after another: over a batch of large maps
    float32 then loses a hundred times more than torch does.
    """
    for _ in range(x.shape.rank - 1):
        x = tf.reduce_mean(x, axis=-2)
    return x
