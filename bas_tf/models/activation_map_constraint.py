"""Activation map constraint: what the head still sees once the foreground is hidden."""

import keras
import tensorflow as tf

from bas_tf.ops import frozen, masking


def background_activation(
    head: keras.layers.Layer,
    features: tf.Tensor,
    foreground_map: tf.Tensor,
    labels: tf.Tensor,
    *,
    training: bool,
) -> tf.Tensor:
    """S^b_y = GAP(f2*(stop(F) (1 - M_y))) of the label (section 3.2).

    The gradient reaches `foreground_map` only: the features are stopped and the
    head's weights are constants of this pass.

    Args:
      head: f2, features -> class maps.
      features: F, [batch, h, w, channels].
      foreground_map: M_y, [batch, h, w, 1] in [0, 1].
      labels: [batch] int.
      training: BatchNorm by the statistics of this pass, as in the reference.

    Returns:
      [batch] float32.
    """
    hidden = tf.cast(masking.background_map(foreground_map), features.dtype)
    background_features = tf.stop_gradient(features) * hidden
    class_maps = frozen.call_frozen(head, background_features, training=training)
    return masking.select_score(masking.global_average_pool(class_maps), labels)
