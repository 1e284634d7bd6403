"""Runs a layer as a constant: gradients reach its input, never its weights."""

import keras
import tensorflow as tf


def call_frozen(
    layer: keras.layers.Layer, inputs: tf.Tensor, *, training: bool, **options
) -> tf.Tensor:
    """f2*: the layer's output with gradient-stopped weights (paper, section 3.2).

    BatchNorm follows `training`: with True it normalises by the statistics of this
    very pass. Moving statistics are left as they were: the updated values that
    Keras returns are dropped.

    Args:
      layer: a built Keras layer or model.
      inputs, training, options: of its call; gradients reach the inputs, but no
        variable: weight gradients of this pass are never computed.
    """
    constants = [tf.stop_gradient(v.value) for v in layer.trainable_variables]
    statistics = [v.value for v in layer.non_trainable_variables]
    outputs, _ = layer.stateless_call(
        constants, statistics, inputs, training=training, **options
    )
    return outputs
