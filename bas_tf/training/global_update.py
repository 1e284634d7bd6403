"""One update for all replicas: clipped, skipped and averaged alike on each.

Keras clips each replica's own gradient, and its LossScaleOptimizer asks the first
replica alone whether a gradient overflowed. Here both look at the gradient that is
summed over the replicas, so every replica decides the same.
"""

import keras
import tensorflow as tf

from bas_tf.errors import UserError

FIRST_LOSS_SCALE = 2.0**15
GROWTH_STEPS = 2000  # updates without an overflow after which the scale doubles


class GlobalUpdate(keras.optimizers.Optimizer):
    """What an optimizer does with its gradients before and after its own rule.

    Everything here is an optimizer variable, and found by `checkpoint.by_path`.

    Attributes:
      averages: of the weights, in the order they were built with; empty without.
      loss_scale, steps_since_overflow: scalars, the second 0 right after a skipped
        step; None without loss scaling.

    Args:
      clip_norm: the largest global norm of the gradient summed over replicas, before
        any weight decay; 0 for no clipping.
      ema: momentum of the exponential average of the weights, which is a copy of them
        after the first update; 0 for no average.
      scale_losses: for float16. The loss is multiplied by `loss_scale`, the summed
        gradient divided by it. A gradient that is not finite skips the update (weights,
        the rule's state, averages and `iterations` stay) and halves the scale.
      options: of the Keras optimizer.

    Raises:
      UserError: `clip_norm` is negative, or `ema` not in [0, 1).
    """

    def __init__(
        self,
        *args,
        clip_norm: float = 0.0,
        ema: float = 0.0,
        scale_losses: bool = False,
        **options,
    ):
        if clip_norm < 0:
            raise UserError(f"optimizer.clip_norm is {clip_norm}; 0 or more, 0 is off")
        if not 0 <= ema < 1:
            raise UserError(f"optimizer.ema is {ema}; must be in [0, 1), 0 is off")
        super().__init__(*args, **options)
        self._clip_norm, self._ema, self.scale_losses = clip_norm, ema, scale_losses
        self.loss_scale = self.steps_since_overflow = None
        self.averages = []

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        if self._ema:
            self.averages = self.add_optimizer_variables(variables, "average")
        if self.scale_losses:
            self.loss_scale = self.add_variable(
                shape=(),
                initializer=keras.initializers.Constant(FIRST_LOSS_SCALE),
                dtype="float32",
                name="loss_scale",
            )
            self.steps_since_overflow = self.add_variable(
                shape=(), dtype="int", name="steps_since_overflow"
            )

    def scale_loss(self, loss: tf.Tensor) -> tf.Tensor:
        """The loss to take gradients of; `apply` takes the factor out again."""
        if not self.scale_losses:
            return loss
        return loss * tf.cast(self.loss_scale, loss.dtype)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        """Keras's hook between the gradients of a replica and `update_step`."""
        variables = [v.value for v in trainable_variables]
        pairs = self._all_reduce_sum_gradients(list(zip(grads, variables, strict=True)))
        gradients, finite = [g for g, _ in pairs], True
        if self.scale_losses:
            scale = tf.convert_to_tensor(self.loss_scale)
            gradients = [g / tf.cast(scale, g.dtype) for g in _dense(gradients)]
            finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g))
                                    for g in gradients])  # fmt: skip
        if self._clip_norm:
            gradients, _ = tf.clip_by_global_norm(_dense(gradients), self._clip_norm)
        tf.__internal__.distribute.interim.maybe_merge_call(
            self._update_all_replicas,
            self._distribution_strategy,
            list(zip(gradients, variables, strict=True)),
            learning_rate,
            finite,
        )

    def _update_all_replicas(self, distribution, pairs, learning_rate, finite):
        """Called once for all replicas, or on each (TPU): they agree on `finite`."""

        def update():
            self._distributed_tf_update_step(distribution, pairs, learning_rate)
            if self._ema:
                self._update_averages(distribution)

        if self.scale_losses:
            finite = distribution.experimental_local_results(finite)[0]
            tf.cond(finite, update, lambda: None)
            self._adapt_scale(finite)
        else:
            update()

    def _adapt_scale(self, finite):
        skipped = tf.cast(tf.logical_not(finite), self.iterations.dtype)
        self.iterations.assign_sub(skipped)  # `apply` adds one in any case
        steps = (tf.convert_to_tensor(self.steps_since_overflow) + 1) * (1 - skipped)
        scale = tf.convert_to_tensor(self.loss_scale)
        grown = tf.where(steps % GROWTH_STEPS == 0, scale * 2, scale)
        self.loss_scale.assign(tf.where(finite, grown, tf.maximum(scale / 2, 1.0)))
        self.steps_since_overflow.assign(steps)

    def _update_averages(self, distribution):
        momentum = tf.where(self.iterations.value > 0, self._ema, 0.0)
        for average, variable in zip(
            self.averages, self._trainable_variables, strict=True
        ):
            distribution.extended.update(
                average.value, _move, args=(variable.value, momentum), group=False
            )


def _move(average, value, momentum):
    momentum = tf.cast(momentum, average.dtype)
    average.assign(momentum * average + (1 - momentum) * value)


def _dense(gradients):
    return [tf.convert_to_tensor(g) for g in gradients]
