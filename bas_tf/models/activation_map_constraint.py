"""Activation map constraint: what the head still sees once a part is hidden."""

import keras
import tensorflow as tf

from bas_tf.ops import frozen, masking


def masked_logits(
    head: keras.layers.Layer,
    features: tf.Tensor,
    mask: tf.Tensor,
    *,
    training: bool,
    class_ids: tf.Tensor | None = None,
) -> tf.Tensor:
    """GAP(f2*(stop(F) mask)): the scores of what a mask leaves (section 3.2).

    The gradient reaches `mask` only: the features are stopped and the head's weights
    are constants of this pass.

    Args:
      head: f2, features and maybe `class_ids` -> class maps.
      features: F, [batch, h, w, channels].
      mask: [batch, h, w, 1] in [0, 1]; M_y keeps the foreground, 1 - M_y hides it.
      training: BatchNorm by the statistics of this pass, as in the reference.
      class_ids: None, or [batch] int: the one class of each example to score.

    Returns:
      [batch, classes] float32, or [batch, 1] of the given classes.
    """
    masked = tf.stop_gradient(features) * tf.cast(mask, features.dtype)
    class_maps = frozen.call_frozen(
        head, masked, training=training, class_ids=class_ids
    )
    return masking.global_average_pool(class_maps)


def background_activation(
    head: keras.layers.Layer,
    features: tf.Tensor,
    foreground_map: tf.Tensor,
    labels: tf.Tensor,
    *,
    training: bool,
) -> tf.Tensor:
    """S^b_y = GAP(f2*(stop(F) (1 - M_y))) of the label: [batch] (section 3.2).

    Arguments are, and gradients stop, as in `masked_logits`.
    """
    hidden = masking.background_map(foreground_map)
    logits = masked_logits(head, features, hidden, training=training, class_ids=labels)
    return logits[:, 0]
