"""The method on one screen: one training step of Background Activation Suppression."""

import tensorflow as tf

from bas_tf import losses, names
from bas_tf.models.activation_map_constraint import background_activation
from bas_tf.models.localizer import Localizer
from bas_tf.ops import masking


def bas_terms(
    localizer: Localizer,
    images: tf.Tensor,
    labels: tf.Tensor,
    *,
    background_wins: str,
    batch_statistics: bool = True,
) -> dict[str, tf.Tensor]:
    """The four losses of a batch, [batch] each, and the scores S.

    L_bas and L_ac reach the generator, and through M_y the trunk; L_bas reaches
    neither F directly nor the head. L_frg reaches everything (section 3.2).

    Args:
      localizer: the model in training.
      images: [batch, height, width, 3] in 0..255.
      labels: [batch] int.
      background_wins: see `losses.background_activation_suppression_loss`.
      batch_statistics: True, as the paper: the backbone's BatchNorm normalises by
        each batch, the background pass by its own. False: by the moving statistics
        that the classifier's epochs left, so that what is hidden stays hidden: a
        background pass cannot rescale its few remaining activations to strength.

    Returns:
      The four loss names and names.LOGITS.
    """
    features, class_maps = localizer.backbone(images, training=batch_statistics)
    logits = masking.global_average_pool(class_maps)
    foreground_map = localizer.generator(
        features, labels[:, tf.newaxis], training=True
    )  # M_y, [batch, h, w, 1]
    halved = tf.cast(masking.average_pool_2x2(foreground_map), class_maps.dtype)
    foreground_logits = masking.global_average_pool(class_maps * halved)
    activation = masking.select_score(logits, labels)
    suppressed = background_activation(
        localizer.backbone.head,
        features,
        foreground_map,
        labels,
        training=batch_statistics,
    )
    return {
        names.CLASSIFICATION_LOSS: losses.classification_loss(logits, labels),
        names.FOREGROUND_REGION_GUIDANCE_LOSS: losses.foreground_region_guidance_loss(
            foreground_logits, labels
        ),
        names.AREA_CONSTRAINT_LOSS: losses.area_constraint_loss(foreground_map),
        names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS: (
            losses.background_activation_suppression_loss(
                activation, suppressed, background_wins=background_wins
            )
        ),
        names.LOGITS: logits,
    }


def classifier_terms(
    localizer: Localizer, images: tf.Tensor, labels: tf.Tensor
) -> dict[str, tf.Tensor]:
    """The terms of the epochs that train the classifier alone: the others are 0."""
    _, class_maps = localizer.backbone(images, training=True)
    logits = masking.global_average_pool(class_maps)
    classification = losses.classification_loss(logits, labels)
    return {
        names.CLASSIFICATION_LOSS: classification,
        names.FOREGROUND_REGION_GUIDANCE_LOSS: tf.zeros_like(classification),
        names.AREA_CONSTRAINT_LOSS: tf.zeros_like(classification),
        names.BACKGROUND_ACTIVATION_SUPPRESSION_LOSS: tf.zeros_like(classification),
        names.LOGITS: logits,
    }
